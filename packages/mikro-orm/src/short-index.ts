// Blind indexes of few bits: several values share a token, so rows found by it must be decrypted and compared. That
// is done before the query itself: the condition on the value becomes one on the primary keys of the rows that match.
import type { ColumnCipher } from "@fieldseal/crypto";
import { cipherOf, encryptedTypeOf, type BoundType } from "./binding.ts";
import { companionOf } from "./companion.ts";
import {
  findPlain,
  metaOf,
  wrapEntityManagerWhere,
  type EntityManagerLike,
} from "./entity-manager-internals.ts";
import { targetOf, type Meta, type Property, type Row } from "./mikro-orm-internals.ts";
import { isPlainObject } from "./plain-object.ts";

/** From this many bits on two values share a token by chance never: 2^64 values for an even chance. */
export const EXACT_INDEX_BITS = 128;

export function isShortIndex(cipher: ColumnCipher<unknown>): boolean {
  return (cipher.blindIndex?.bits ?? EXACT_INDEX_BITS) < EXACT_INDEX_BITS;
}

const OPERATORS: ReadonlySet<string> = new Set(["$eq", "$ne", "$in", "$nin"]);

let isInstalled = false;

/** `em.find`, `findOne`, `count`, `nativeUpdate` and `nativeDelete` of both versions prepare conditions here. */
export function installShortIndexes(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapEntityManagerWhere(async (em, entityName, where) => {
    const meta = metaOf(em, entityName);
    return meta && hasShortIndex(meta) ? resolve(em, meta, where) : where;
  });
}

const withShortIndex = new WeakMap<Meta, boolean>();

/** Of the entity itself or of one that a relation leads to, at any distance. */
function hasShortIndex(meta: Meta, seen: ReadonlySet<Meta> = new Set()): boolean {
  const known = withShortIndex.get(meta);
  if (known !== undefined) return known;
  const visited = new Set([...seen, meta]);
  const found = Object.values<Property>(meta.properties as never).some((prop) => {
    const type = encryptedTypeOf(prop);
    if (type?.options.blindIndex) return isShortIndex(cipherOf(type));
    const target = targetOf(prop);
    return target !== undefined && !visited.has(target) && hasShortIndex(target, visited);
  });
  if (seen.size === 0) withShortIndex.set(meta, found);
  return found;
}

/** The condition with every comparison of a shortly indexed property replaced; the original is not touched. */
async function resolve(em: EntityManagerLike, meta: Meta, where: unknown): Promise<unknown> {
  if (Array.isArray(where)) return Promise.all(where.map((item) => resolve(em, meta, item)));
  if (!isPlainObject(where)) return where;
  const result: Row = {};
  const matches: unknown[] = [];
  for (const key of Reflect.ownKeys(where)) {
    const value = where[key as string];
    const prop = typeof key === "string" ? (meta.properties[key as never] as Property) : undefined;
    const type = encryptedTypeOf(prop);
    if (prop && type?.options.blindIndex && isShortIndex(cipherOf(type)) && isComparison(value)) {
      matches.push(...(await resolveComparison(em, meta, { prop, type, value })));
    } else {
      const target = targetOf(prop) ?? meta;
      result[key as string] = isNested(key, prop) ? await resolve(em, target, value) : value;
    }
  }
  if (matches.length === 0) return result;
  return { ...result, $and: [...((result.$and as unknown[] | undefined) ?? []), ...matches] };
}

function isNested(key: string | symbol, prop: Property | undefined): boolean {
  return prop === undefined
    ? key === "$and" || key === "$or" || key === "$not"
    : targetOf(prop) !== undefined;
}

/** null is compared as it is. */
function isComparison(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (!isPlainObject(value)) return true;
  const operators = Object.keys(value);
  return (
    operators.every((operator) => OPERATORS.has(operator)) &&
    Object.values(value).some((operand) => operand !== null)
  );
}

interface Comparison {
  readonly prop: Property;
  readonly type: BoundType;
  readonly value: unknown;
}

async function resolveComparison(
  em: EntityManagerLike,
  meta: Meta,
  { prop, type, value }: Comparison,
): Promise<unknown[]> {
  const operations: readonly [string, unknown][] = isPlainObject(value)
    ? Object.entries(value)
    : [["$in", value]];
  const conditions: unknown[] = [];
  for (const [operator, operand] of operations) {
    const values = (Array.isArray(operand) ? operand : [operand]) as unknown[];
    const isNegated = operator === "$ne" || operator === "$nin";
    if (isNegated) conditions.push({ [prop.name]: { $ne: null } });
    const wanted = values.filter((item) => item !== null);
    if (wanted.length === 0 && isNegated) continue;
    const keys = await matchingKeys(em, meta, { prop, type, value: wanted });
    conditions.push(isNegated ? { $not: anyOf(meta, keys) } : anyOf(meta, keys));
  }
  return conditions;
}

/** Primary keys of the rows that hold one of the values: found by token, then compared. */
async function matchingKeys(
  em: EntityManagerLike,
  meta: Meta,
  { prop, type, value }: Comparison,
): Promise<Row[]> {
  const cipher = cipherOf(type);
  const wanted = value as readonly unknown[];
  const tokens = wanted.flatMap((one) => cipher.indexTokens(one));
  const fields = [...meta.primaryKeys, prop.name] as string[];
  const rows = await findPlain(em, meta, { [companionOf(type)]: { $in: tokens } }, fields);
  return rows.filter((row) => wanted.some((one) => cipher.indexMatches(one, row[prop.name])));
}

function anyOf(meta: Meta, rows: readonly Row[]): Row {
  const [key, ...more] = meta.primaryKeys;
  if (key !== undefined && more.length === 0)
    return { [key]: { $in: rows.map((row) => row[key]) } };
  const keys = [key as string, ...more];
  if (rows.length === 0) return { [keys[0] as string]: { $in: [] } };
  return { $or: rows.map((row) => Object.fromEntries(keys.map((name) => [name, row[name]]))) };
}
