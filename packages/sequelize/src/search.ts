// Conditions on encrypted columns: equality becomes equality of ciphertext (deterministic columns) or of tokens
// (blind indexes) under every live key; anything else is refused, because it would silently find nothing.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { Op, Utils } from "sequelize";
import { cipherOf, isEncrypted, type EncryptedAttribute } from "./installation.ts";
import { columnName } from "./open-reads.ts";
import { Sealed } from "./sealed.ts";
import type { ModelClass, WhereOptions } from "./sequelize-internals.ts";

/** A condition in the generator's terms: which key to compare with what. */
export interface Condition {
  readonly key: unknown;
  readonly value: unknown;
}

/**
 * What to hand to Sequelize instead of `key: value`; undefined when the condition concerns no encrypted column, or
 * only nests others.
 * @throws {@link UnsupportedQueryError} when ciphertext cannot answer it
 */
export function searchCondition(
  key: unknown,
  value: unknown,
  options: WhereOptions,
): Condition | undefined {
  const attribute = attributeOfKey(key, options);
  if (attribute === undefined || value === null || value === undefined) return undefined;
  if (isJsonPath(key, attribute)) refuse(attribute, "cannot be searched by a JSON path");
  if (value instanceof Sealed || isNesting(value)) return undefined;
  const operations = operationsOf(attribute, value);
  const conditions = operations.map(([operator, operand]) =>
    termsFor(attribute, operator, operand),
  );
  return {
    key: keyFor(attribute, key),
    value:
      conditions.length === 1
        ? Object.fromEntries(conditions)
        : { [Op.and]: conditions.map((one) => Object.fromEntries([one])) },
  };
}

/** The encrypted attribute that a key of a where object means: `email`, its column, `$author.email$`, `box.label`. */
export function attributeOfKey(
  key: unknown,
  options: WhereOptions,
): EncryptedAttribute | undefined {
  if (isEncrypted(options.field)) return options.field;
  if (key !== null && typeof key === "object" && "_modelAttribute" in key) {
    return isEncrypted(key as never) ? (key as unknown as EncryptedAttribute) : undefined;
  }
  if (typeof key !== "string" || !options.model) return undefined;
  if (key.startsWith("$") && key.endsWith("$")) return associatedAttribute(key, options.model);
  return (
    namedAttribute(options.model, key) ?? namedAttribute(options.model, key.split(".")[0] as string)
  );
}

export function namedAttribute(
  model: ModelClass | undefined,
  name: string,
): EncryptedAttribute | undefined {
  const attribute = model?.rawAttributes[name] ?? model?.fieldRawAttributesMap[name];
  return isEncrypted(attribute) ? attribute : undefined;
}

function associatedAttribute(key: string, root: ModelClass): EncryptedAttribute | undefined {
  const path = key.slice(1, -1).split(".");
  const name = path.pop() as string;
  let model: ModelClass | undefined = root;
  for (const step of path) {
    // "$User.email$" names the root model itself.
    model = model?.associations[step]?.target ?? (step === model?.name ? model : undefined);
  }
  return namedAttribute(model, name);
}

/** Whether a key reaches into an attribute: `box.label`. */
export function isJsonPath(key: unknown, attribute: EncryptedAttribute): boolean {
  if (typeof key !== "string" || key.startsWith("$")) return false;
  return key.includes(".") && namedAttribute(attribute.Model, key) === undefined;
}

/** `{ [Op.or]: [...] }` and `{ [Op.and]: [...] }`: Sequelize comes back with each part. */
function isNesting(value: unknown): boolean {
  return isPlainObject(value) && (Op.or in value || Op.and in value);
}

type Operation = readonly [operator: symbol, operand: unknown];

function operationsOf(attribute: EncryptedAttribute, value: unknown): readonly Operation[] {
  const isValue = !isPlainObject(value) || Object.getOwnPropertySymbols(value).length === 0;
  if (!isValue) {
    if (Object.keys(value).length > 0) refuse(attribute, "cannot be compared by named operators");
    return Object.getOwnPropertySymbols(value).map(
      (operator) => [operator, value[operator]] as const,
    );
  }
  return [[Array.isArray(value) && attribute.type.codec.content !== "json" ? Op.in : Op.eq, value]];
}

function termsFor(
  attribute: EncryptedAttribute,
  operator: symbol,
  operand: unknown,
): [symbol, unknown] {
  if (operand === null && NULL_OPERATORS.has(operator)) return [operator, null];
  const isNegated = operator === Op.ne || operator === Op.notIn || operator === Op.not;
  const isList =
    operator === Op.in || operator === Op.notIn || (operator === Op.not && Array.isArray(operand));
  if (
    !EQUALITY_OPERATORS.has(operator) ||
    operand instanceof Utils.SequelizeMethod ||
    (isList && !Array.isArray(operand))
  ) {
    return refuse(attribute, `cannot be compared by ${operator.description ?? "this operator"}`);
  }
  const values = isList ? (operand as unknown[]) : [operand];
  if (values.includes(null))
    refuse(attribute, "cannot be compared with a list that has null in it; use Op.is");
  return [isNegated ? Op.notIn : Op.in, values.flatMap((value) => termsOf(attribute, value))];
}

const NULL_OPERATORS: ReadonlySet<symbol> = new Set([Op.is, Op.not, Op.ne, Op.eq]);
const EQUALITY_OPERATORS: ReadonlySet<symbol> = new Set([
  Op.eq,
  Op.ne,
  Op.in,
  Op.notIn,
  Op.not,
  Op.is,
]);

function termsOf(attribute: EncryptedAttribute, value: unknown): unknown[] {
  const cipher = cipherOf(attribute);
  if (cipher.isDeterministic) return cipher.searchTerms(value).map((stored) => new Sealed(stored));
  if (cipher.blindIndex) return cipher.indexTokens(value);
  return refuse(attribute, "cannot be searched");
}

/** The companion column takes the place of the attribute in the key. */
function keyFor(attribute: EncryptedAttribute, key: unknown): unknown {
  const index = cipherOf(attribute).blindIndex;
  if (index === undefined) {
    return typeof key === "string" && !key.startsWith("$") ? attribute.field : key;
  }
  return typeof key === "string" && key.startsWith("$")
    ? key.replace(/[^.$]+\$$/, `${index.column}$`)
    : index.column;
}

/** The encrypted attribute that an expression reads: a column in it, or a model's attribute. */
export function attributeInExpression(
  expression: unknown,
  model: ModelClass | undefined,
): EncryptedAttribute | undefined {
  if (expression instanceof Utils.Col) return namedAttribute(model, columnName(expression));
  if (expression instanceof Utils.Cast) {
    return attributeInExpression((expression as unknown as { val: unknown }).val, model);
  }
  if (expression instanceof Utils.Fn) {
    for (const part of (expression as unknown as { args: unknown[] }).args) {
      const found = attributeInExpression(part, model);
      if (found) return found;
    }
  }
  const isAttribute =
    typeof expression === "object" && expression !== null && "_modelAttribute" in expression;
  return isAttribute && isEncrypted(expression as never)
    ? (expression as unknown as EncryptedAttribute)
    : undefined;
}

/** @throws {@link UnsupportedQueryError} always, with the way out that fits the column */
export function refuse(attribute: EncryptedAttribute, problem: string): never {
  const { Model: model, fieldName, type } = attribute;
  const isSearchable = type.options.deterministic === true || type.options.blindIndex !== undefined;
  const advice = isSearchable
    ? "It can be searched by equality only; do the rest after loading."
    : "Declare it deterministic or give it a blindIndex to search by equality; do the rest after loading.";
  throw new UnsupportedQueryError(
    `${model.name}.${fieldName} is encrypted and ${problem}. ${advice}`,
    {
      model: model.name,
      field: fieldName,
    },
  );
}

function isPlainObject(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
