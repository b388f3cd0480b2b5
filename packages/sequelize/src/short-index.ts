// A blind index of few bits lets several values share a token. Before a statement runs, each condition on such an
// index is answered exactly: the rows with the token are read, decrypted and compared, and the condition becomes
// one on primary keys. So counting, limits, NOT, UPDATE and DELETE mean the value, never its neighbours.
import { Op, Utils } from "sequelize";
import { cipherOf, encryptedAttributes, type EncryptedAttribute } from "./installation.ts";
import { attributeOfKey, isJsonPath, refuse } from "./search.ts";
import type { ModelClass, SelectNode } from "./sequelize-internals.ts";

/** From here on two values share a token with a chance below 2^-64 even among 2^32 rows. */
const EXACT_BITS = 128;
const MAX_ROWS = 10_000;

export interface ReadContext {
  readonly transaction?: unknown;
  readonly logging?: unknown;
}

type Where = Record<PropertyKey, unknown>;

/** A copy of the options in which no condition depends on a short index; the same object when none did. */
export async function resolveSelect<Options extends SelectNode>(
  options: Options,
  model: ModelClass | undefined,
  context: ReadContext,
): Promise<Options> {
  if (!model) return options;
  const where = await resolveWhere(options.where, model, context);
  const include =
    options.include &&
    (await Promise.all(options.include.map((one) => resolveSelect(one, one.model, context))));
  const isSame =
    where === options.where && (include?.every((one, i) => one === options.include?.[i]) ?? true);
  if (isSame) return options;
  const resolved = { ...options, where, ...(include && { include }) };
  // includeMap holds the same nodes by name, and the generator reads either.
  if (include && options.includeMap) {
    const names = Object.entries(options.includeMap).map(([name, node]) => {
      const at = options.include?.findIndex((one) => one === node) ?? -1;
      return [name, include[at] ?? node] as const;
    });
    resolved.includeMap = Object.fromEntries(names);
  }
  return resolved;
}

export async function resolveWhere(
  where: unknown,
  model: ModelClass | undefined,
  context: ReadContext,
): Promise<unknown> {
  if (!model || !isContainer(where)) return where;
  if (Array.isArray(where)) {
    const items = await Promise.all(where.map((item) => resolveWhere(item, model, context)));
    return items.every((item, i) => item === where[i]) ? where : items;
  }
  const entries = await Promise.all(
    Reflect.ownKeys(where).map(async (key) => resolveEntry(key, where[key], model, context)),
  );
  if (entries.every((entry) => entry.isUnchanged)) return where;
  // Each resolved condition stands in an AND of its own: two of them are both on the primary key.
  const kept: Where = Object.fromEntries(
    entries.filter((e) => !e.isResolved).map((e) => [e.key, e.value]),
  );
  const resolved = entries.filter((entry) => entry.isResolved).map((entry) => entry.value);
  return resolved.length === 0 ? kept : { [Op.and]: [kept, ...resolved] };
}

interface Entry {
  readonly key: PropertyKey;
  readonly value: unknown;
  readonly isResolved: boolean;
  readonly isUnchanged: boolean;
}

async function resolveEntry(
  key: PropertyKey,
  value: unknown,
  model: ModelClass,
  context: ReadContext,
): Promise<Entry> {
  const attribute = attributeOfKey(key, { model });
  if (attribute === undefined || !isShort(attribute) || isJsonPath(key, attribute)) {
    const isGroup = key === Op.and || key === Op.or || key === Op.not;
    const inner = isGroup ? await resolveWhere(value, model, context) : value;
    return { key, value: inner, isResolved: false, isUnchanged: inner === value };
  }
  const condition = await resolveCondition(attribute, String(key), value, context);
  return {
    key,
    value: condition ?? value,
    isResolved: condition !== undefined,
    isUnchanged: condition === undefined,
  };
}

function isShort(attribute: EncryptedAttribute): boolean {
  const index = cipherOf(attribute).blindIndex;
  return index !== undefined && index.bits < EXACT_BITS;
}

/** The condition on the primary key that means the same; undefined for conditions on NULL, which need no index. */
async function resolveCondition(
  attribute: EncryptedAttribute,
  key: string,
  value: unknown,
  context: ReadContext,
): Promise<unknown> {
  if (value === null || value === undefined) return undefined;
  if (isContainer(value) && !Array.isArray(value)) {
    const operators = Object.getOwnPropertySymbols(value);
    if (operators.length > 0) {
      const parts = await Promise.all(
        operators.map((op) => resolveOperator(attribute, key, op, value[op], context)),
      );
      return parts.includes(undefined) ? undefined : { [Op.and]: parts };
    }
  }
  const isList = Array.isArray(value) && attribute.type.codec.content !== "json";
  return rowsHolding(attribute, key, isList ? (value as unknown[]) : [value], context);
}

async function resolveOperator(
  attribute: EncryptedAttribute,
  key: string,
  operator: symbol,
  operand: unknown,
  context: ReadContext,
): Promise<unknown> {
  if (operator === Op.and || operator === Op.or) {
    const items = (Array.isArray(operand) ? operand : [operand]) as unknown[];
    const parts = await Promise.all(
      items.map((item) => resolveCondition(attribute, key, item, context)),
    );
    const conditions = parts.map((part, i) => part ?? { [key]: items[i] });
    return { [operator]: conditions };
  }
  if (operand === null) return { [key]: { [operator]: null } };
  const isNegated = operator === Op.ne || operator === Op.notIn || operator === Op.not;
  const isKnown = isNegated || operator === Op.eq || operator === Op.in || operator === Op.is;
  if (!isKnown || operand instanceof Utils.SequelizeMethod)
    return refuse(attribute, `cannot be compared by ${operator.description ?? "this operator"}`);
  const isList =
    operator === Op.in || operator === Op.notIn || (operator === Op.not && Array.isArray(operand));
  const values = isList && Array.isArray(operand) ? (operand as unknown[]) : [operand];
  const found = await rowsHolding(attribute, key, values, context);
  // As in SQL, a row without a value is neither equal nor unequal.
  return isNegated ? { [Op.and]: [{ [key]: { [Op.not]: null } }, { [Op.not]: found }] } : found;
}

/** "The primary key is one of …", of the rows that really hold one of the values. */
async function rowsHolding(
  attribute: EncryptedAttribute,
  key: string,
  values: readonly unknown[],
  context: ReadContext,
): Promise<unknown> {
  const model = attribute.Model;
  const primaryKeys = Object.keys(model.primaryKeys);
  if (primaryKeys.length === 0) {
    return refuse(
      attribute,
      "has a short blindIndex, but its table has no primary key to answer with; use 256 bits",
    );
  }
  if (values.includes(null))
    refuse(attribute, "cannot be compared with a list that has null in it; use Op.is");
  const cipher = cipherOf(attribute);
  const index = cipher.blindIndex?.column as string;
  const candidates = (await model.unscoped().findAll({
    attributes: [...primaryKeys, attribute.fieldName],
    where: { [indexAttribute(model, index)]: values.flatMap((value) => cipher.indexTokens(value)) },
    raw: true,
    paranoid: false,
    limit: MAX_ROWS + 1,
    ...(context as object),
  })) as unknown as Where[];
  if (candidates.length > MAX_ROWS) {
    return refuse(
      attribute,
      `has a blindIndex so short that more than ${MAX_ROWS} rows share a token; use more bits`,
    );
  }
  const rows = candidates.filter((row) =>
    values.some((value) => cipher.indexMatches(row[attribute.fieldName], value)),
  );
  const prefix = key.startsWith("$") ? key.slice(0, key.lastIndexOf(".") + 1) : undefined;
  const name = (primaryKey: string): string =>
    prefix === undefined ? primaryKey : `${prefix}${primaryKey}$`;
  const [only] = primaryKeys;
  if (primaryKeys.length === 1)
    return { [name(only as string)]: { [Op.in]: rows.map((row) => row[only as string]) } };
  if (rows.length === 0) return { [name(only as string)]: { [Op.in]: [] } };
  return {
    [Op.or]: rows.map((row) => Object.fromEntries(primaryKeys.map((one) => [name(one), row[one]]))),
  };
}

function indexAttribute(model: ModelClass, column: string): string {
  return model.fieldRawAttributesMap[column]?.fieldName ?? column;
}

/** Whether a model has anything that needs resolving. */
export function hasShortIndex(model: ModelClass | undefined): boolean {
  return encryptedAttributes(model).some(isShort);
}

function isContainer(value: unknown): value is Where {
  if (Array.isArray(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
