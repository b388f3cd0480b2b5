// Tokens of a blind index are not authenticated: who writes to the database can give a row the token of a value that
// it does not hold. Where the rows of a search come back with the value, it decides.
import { Op, Utils } from "sequelize";
import { isPlainObject } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import { attributeOfKey, EQUALITY_OPERATORS, isList, isNegation, isPath } from "./search.ts";
import { OutOfSight } from "./out-of-sight.ts";
import { EXPECTED, type ExpectedValues, type Row, type SelectNode } from "./query-internals.ts";
import { type ModelClass } from "./sequelize-internals.ts";

/** The options with a note of which values the rows must hold; the same object where none is known. */
export function expectValues(options: SelectNode, model: ModelClass): SelectNode {
  const expected = [...expectedIn(options, model, "")];
  return expected.length === 0
    ? options
    : Object.assign({ ...options }, { [EXPECTED]: new OutOfSight(expected) });
}

/** Of the conditions that all rows fulfil: those of the root, and those of includes that are required. */
function* expectedIn(
  node: SelectNode,
  model: ModelClass,
  prefix: string,
): Generator<ExpectedValues> {
  yield* expectedBy(node.where, model, prefix);
  for (const include of node.include ?? []) {
    if (include.required === true && include.separate !== true && include.or !== true)
      yield* expectedIn(include, include.model, `${prefix}${include.as}.`);
  }
}

function* expectedBy(where: unknown, model: ModelClass, prefix: string): Generator<ExpectedValues> {
  if (Array.isArray(where)) for (const part of where) yield* expectedBy(part, model, prefix);
  if (!isPlainObject(where)) return;
  for (const key of Reflect.ownKeys(where)) {
    if (key === Op.and) yield* expectedBy(where[key], model, prefix);
    const attribute = attributeOfKey(key, { model });
    if (!attribute || String(key).startsWith("$")) continue;
    if (isPath(key, attribute) || !cipherOf(attribute).blindIndex) continue;
    const values = equalTo(attribute, where[key]);
    if (values) yield { prefix, attribute, values };
  }
}

/** The values of which a row must hold one; undefined when the condition says no such thing. */
function equalTo(attribute: EncryptedAttribute, value: unknown): readonly unknown[] | undefined {
  if (value === null || value === undefined || value instanceof Utils.SequelizeMethod)
    return undefined;
  if (!isPlainObject(value) || Object.getOwnPropertySymbols(value).length === 0)
    return isList(attribute, value) ? value : [value];
  const [operator, ...others] = Object.getOwnPropertySymbols(value);
  if (!operator || others.length > 0 || !EQUALITY_OPERATORS.has(operator) || isNegation(operator))
    return undefined;
  const operand = value[operator];
  if (operand === null) return undefined;
  return operator === Op.in ? (operand as unknown[]) : [operand];
}

/**
 * The rows that hold what was asked for, as far as it was read.
 * @param opened what was decrypted, by its name in a row: that of the attribute or column, or an alias
 */
export function rowsAsExpected(
  rows: Row[],
  expected: readonly ExpectedValues[],
  opened: ReadonlyMap<string, EncryptedAttribute>,
): Row[] {
  const names = [...opened.keys()];
  let kept = rows;
  for (const { prefix, attribute, values } of expected) {
    const key = names.find((name) => opened.get(name) === attribute && prefixOf(name) === prefix);
    if (key === undefined) continue;
    const cipher = cipherOf(attribute);
    const forms = new Set(values.map((value) => cipher.indexForm(value)));
    const given = new Set(values);
    kept = kept.filter((row) => {
      const value = row[key];
      return given.has(value) || (value !== null && forms.has(cipher.indexForm(value)));
    });
  }
  return kept;
}

function prefixOf(name: string): string {
  return name.slice(0, name.lastIndexOf(".") + 1);
}
