// Conditions on encrypted columns: equality becomes equality of ciphertext (deterministic columns) or of tokens
// (blind indexes) under every live key; anything else is refused, because it would silently find nothing.
import { queryRefusal } from "@fieldseal/crypto";
import { Op, Utils } from "sequelize";
import {
  attributeAtPath,
  attributeInExpression,
  attributeOfName,
  columnPath,
  isPlainObject,
  namedAttribute,
} from "./column-paths.ts";
import { cipherOf, isEncrypted, type EncryptedAttribute } from "./installation.ts";
import { Sealed } from "./sealed.ts";
import type { WhereOptions } from "./query-internals.ts";
import type { ModelClass } from "./sequelize-internals.ts";

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
  if (attribute === undefined) {
    // Lists under Op.and and the like hold conditions, which Sequelize comes back with.
    guardOperand(value, options.model, typeof key === "string");
    return undefined;
  }
  if (value === null || value === undefined) return undefined;
  if (isPath(key, attribute)) refuse(attribute, "cannot be searched by a path or cast in the key");
  if (value instanceof Sealed || isListOfSealed(value) || isNesting(value)) return undefined;
  const operations = operationsOf(attribute, value);
  const conditions = operations.map(([operator, operand]) =>
    termsFor({ attribute, model: options.model }, operator, operand),
  );
  return {
    key: keyFor(attribute, key),
    value:
      conditions.length === 1
        ? Object.fromEntries(conditions)
        : { [Op.and]: conditions.map((one) => Object.fromEntries([one])) },
  };
}

/** A plain column can be compared with an encrypted one as little as the other way round. */
function guardOperand(value: unknown, model: ModelClass | undefined, isCompared: boolean): void {
  if (value instanceof Utils.SequelizeMethod) {
    const attribute = attributeInExpression(value, model);
    if (attribute) refuse(attribute, "cannot be computed with in a condition");
  }
  if (isCompared && Array.isArray(value))
    for (const item of value) guardOperand(item, model, isCompared);
  if (!isPlainObject(value)) return;
  for (const operator of Object.getOwnPropertySymbols(value)) {
    const operand = value[operator];
    const attribute = operator === Op.col ? attributeAtPath(String(operand), model) : undefined;
    if (attribute) refuse(attribute, "cannot be compared with another column");
    guardOperand(operand, model, isCompared);
  }
}

/** The encrypted attribute that a key of a where object means. */
export function attributeOfKey(
  key: unknown,
  options: WhereOptions,
): EncryptedAttribute | undefined {
  if (isEncrypted(options.field)) return options.field;
  if (key !== null && typeof key === "object" && "_modelAttribute" in key) {
    return isEncrypted(key as never) ? (key as unknown as EncryptedAttribute) : undefined;
  }
  return typeof key === "string" ? attributeOfName(key, options.model) : undefined;
}

/** Whether a key says more than a name: `box.label`, `email::text`. `$author.email$` is Sequelize's way to name. */
export function isPath(key: unknown, attribute: EncryptedAttribute): boolean {
  if (typeof key !== "string") return false;
  const name = key.startsWith("$") ? key.slice(1, -1).split(".").pop() : key;
  return namedAttribute(attribute.Model, name as string) !== attribute;
}

/** What this file made before and Sequelize brings back, taking several operators apart; or stored forms as they were read. */
function isListOfSealed(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  const list = value[Op.in] ?? value[Op.notIn];
  return Array.isArray(list) && list.length > 0 && list.every((item) => item instanceof Sealed);
}

/** `{ [Op.or]: [...] }` and `{ [Op.and]: [...] }`: Sequelize comes back with each part. */
function isNesting(value: unknown): boolean {
  return isPlainObject(value) && (Op.or in value || Op.and in value);
}

type Operation = readonly [operator: symbol, operand: unknown];

function operationsOf(attribute: EncryptedAttribute, value: unknown): readonly Operation[] {
  if (isPlainObject(value) && Object.getOwnPropertySymbols(value).length > 0) {
    if (Object.keys(value).length > 0) refuse(attribute, "cannot be compared by named operators");
    return Object.getOwnPropertySymbols(value).map(
      (operator) => [operator, value[operator]] as const,
    );
  }
  refuseOperatorsInside(attribute, [value]);
  return [[isList(attribute, value) ? Op.in : Op.eq, value]];
}

/** @throws {@link UnsupportedQueryError} for values that are conditions themselves, such as `{ [Op.any]: [...] }` */
export function refuseOperatorsInside(
  attribute: EncryptedAttribute,
  values: readonly unknown[],
): void {
  if (values.some(hasOperatorInside))
    refuse(attribute, "cannot be compared by operators inside its value");
}

/** `{ box: { label: { [Op.eq]: … } } }` */
function hasOperatorInside(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  return (
    Object.getOwnPropertySymbols(value).length > 0 || Object.values(value).some(hasOperatorInside)
  );
}

/** For JSON an array is a value like any other. */
export function isList(attribute: EncryptedAttribute, value: unknown): value is unknown[] {
  return Array.isArray(value) && attribute.type.codec.content !== "json";
}

interface Compared {
  readonly attribute: EncryptedAttribute;
  readonly model: ModelClass | undefined;
}

function termsFor(compared: Compared, operator: symbol, operand: unknown): [symbol, unknown] {
  const { attribute } = compared;
  if (operand === null && NULL_OPERATORS.has(operator)) return [operator, null];
  if (isJoin(compared, operator, operand)) return [operator, operand];
  const isOfMany = takesList(operator, operand);
  if (
    !EQUALITY_OPERATORS.has(operator) ||
    operand instanceof Utils.SequelizeMethod ||
    (isOfMany && !Array.isArray(operand))
  ) {
    return refuse(attribute, `cannot be compared by ${operator.description ?? "this operator"}`);
  }
  const values = isOfMany ? (operand as unknown[]) : [operand];
  refuseOperatorsInside(attribute, values);
  if (values.includes(null))
    refuse(attribute, "cannot be compared with a list that has null in it; use Op.is");
  return [
    isNegation(operator) ? Op.notIn : Op.in,
    values.flatMap((value) => termsOf(attribute, value)),
  ];
}

/** Columns that share a context hold equal ciphertext for equal values: they can be compared with one another. */
function isJoin({ attribute, model }: Compared, operator: symbol, operand: unknown): boolean {
  let path: string | undefined;
  if (operator === Op.col && typeof operand === "string") path = operand;
  if (JOIN_OPERATORS.has(operator) && operand instanceof Utils.Col) path = columnPath(operand);
  const other = path === undefined ? undefined : attributeAtPath(path, model);
  return other !== undefined && isJoinable(attribute, other);
}

/** Whether two columns store equal values equal. */
export function isJoinable(one: EncryptedAttribute, other: EncryptedAttribute): boolean {
  return cipherOf(one).isJoinableWith(cipherOf(other));
}

const JOIN_OPERATORS: ReadonlySet<symbol> = new Set([Op.eq, Op.ne]);
const NULL_OPERATORS: ReadonlySet<symbol> = new Set([Op.is, Op.not, Op.ne, Op.eq]);
export const EQUALITY_OPERATORS: ReadonlySet<symbol> = new Set([
  Op.eq,
  Op.ne,
  Op.in,
  Op.notIn,
  Op.not,
  Op.is,
]);

export function isNegation(operator: symbol): boolean {
  return operator === Op.ne || operator === Op.notIn || operator === Op.not;
}

export function takesList(operator: symbol, operand: unknown): boolean {
  if (operator === Op.in || operator === Op.notIn) return true;
  return operator === Op.not && Array.isArray(operand);
}

function termsOf(attribute: EncryptedAttribute, value: unknown): unknown[] {
  const cipher = cipherOf(attribute);
  // Such conditions are resolved before SQL is built (short-index.ts), by all methods that Sequelize's models use.
  if (cipher.blindIndex?.isExact === false) {
    refuse(
      attribute,
      "has a blindIndex so short that this statement would mean other values' rows too; use bulkUpdate() or bulkDelete(), or " +
        "find the rows first",
    );
  }
  if (cipher.isDeterministic) return cipher.searchTerms(value).map((stored) => new Sealed(stored));
  if (cipher.blindIndex) return cipher.indexTokens(value);
  return refuse(attribute, "cannot be searched");
}

/** The companion column takes the place of the attribute in the key. */
export function keyFor(attribute: EncryptedAttribute, key: unknown): unknown {
  const index = cipherOf(attribute).blindIndex;
  if (index) return keyOf(index.column, key);
  return typeof key === "string" && !key.startsWith("$") ? attribute.field : key;
}

/** A key like `key`, for another column of the same table. */
export function keyOf(column: string, key: unknown): string {
  const isAssociated = typeof key === "string" && key.startsWith("$");
  return isAssociated ? key.replace(/[^.$]+\$$/, () => `${column}$`) : column;
}

/** @throws {@link UnsupportedQueryError} always, with the way out that fits the column */
export function refuse(attribute: EncryptedAttribute, problem: string): never {
  const { Model: model, fieldName: field, type } = attribute;
  const column = { label: `${model.name}.${field}`, options: type.options };
  throw queryRefusal(column, problem, { model: model.name, field });
}
