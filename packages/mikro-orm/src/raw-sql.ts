// `raw()` and `sql` in place of a value of an encrypted property, or around its column: nothing would encrypt what
// stands in them. Raw SQL on its own is its author's affair.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import {
  bindingOf,
  encryptedTypeOf,
  unsupportedQuery,
  refusedTarget,
  type BoundType,
} from "./binding.ts";
import {
  columnOf,
  isRawSql,
  isSubQuery,
  propertiesOf,
  rawSqlOfKey,
  type Meta,
  type Property,
  type RawSql,
  type WhereOptions,
} from "./mikro-orm-internals.ts";

/** `raw("null")` says no more than null does. */
export function isRawNull(value: unknown): boolean {
  if (!isRawSql(value)) return false;
  const { sql, params } = value as RawSql;
  return (params ?? []).length === 0 && /^\s*null\s*$/i.test(sql);
}

/** @throws {@link UnsupportedQueryError} for SQL that would be stored as the database computes it */
export function refuseRawValue(type: BoundType, value: unknown): void {
  if (!isRawSql(value) || isRawNull(value)) return;
  const { label } = bindingOf(type) ?? {};
  throw new UnsupportedQueryError(
    `${label} is encrypted and cannot be set by raw SQL. Give it a value; a statement of your own takes encryptValue().`,
    refusedTarget(type),
  );
}

/** @throws {@link UnsupportedQueryError} for SQL in place of an embeddable with encrypted properties */
export function refuseRawEmbeddable(prop: Property, value: unknown): void {
  if (!isRawSql(value) || isRawNull(value)) return;
  const inner = encryptedInside(prop);
  if (inner === undefined) return;
  const model = bindingOf(inner)?.meta.className;
  throw new UnsupportedQueryError(
    `${model}.${prop.name} holds encrypted properties and takes no raw SQL. Give it a value.`,
    { ...(model !== undefined && { model }), field: prop.name },
  );
}

/** The first encrypted property of an embeddable, however deep in it. */
export function encryptedInside({
  embeddedProps,
}: Pick<Property, "embeddedProps">): BoundType | undefined {
  for (const prop of Object.values<Property>(embeddedProps ?? {})) {
    const type = encryptedTypeOf(prop) ?? encryptedInside(prop);
    if (type) return type;
  }
  return undefined;
}

/** @throws {@link UnsupportedQueryError} for SQL and sub-queries that an encrypted property is compared with */
export function refuseRawOperand(type: BoundType, value: unknown): void {
  if (Array.isArray(value)) for (const item of value) refuseRawOperand(type, item);
  if (isSubQuery(value)) throw unsupportedQuery(type, "cannot be compared with a sub-query");
  if (!isRawSql(value) || isRawNull(value)) return;
  throw unsupportedQuery(
    type,
    "cannot be compared with raw SQL, except in a statement of your own with searchValues()",
  );
}

/**
 * Looks through the raw SQL in keys of a condition for encrypted columns of its entity, and of what a query builder has
 * joined so far. Without a value, as in `{ [raw("length(email) > 9")]: [] }`, it stands alone.
 *
 * @throws {@link UnsupportedQueryError}
 */
export function refuseRawKeys(where: object, options: WhereOptions): void {
  for (const key of Reflect.ownKeys(where)) {
    const value = where[key as never] as unknown;
    const isAlone = value === null || (Array.isArray(value) && value.length === 0);
    const fragment = isAlone ? undefined : rawSqlOfKey(key);
    if (fragment === undefined) continue;
    const type = encryptedIn(fragment, options);
    if (type) throw unsupportedQuery(type, "cannot be compared inside of raw SQL");
  }
}

/** A word, with the word before its dot. */
const NAMES = /(?:([\p{L}\p{N}_$]+)"?\s*\.\s*"?)?([\p{L}\p{N}_$]+)/giu;

function encryptedIn({ sql, params }: RawSql, options: WhereOptions): BoundType | undefined {
  const { aliasMap = {}, entityName, metadata } = options;
  const aliased = new Map(
    Object.entries(aliasMap).map(([alias, name]) => [alias.toLowerCase(), metadata.find(name)]),
  );
  const all = [metadata.find(entityName), ...aliased.values()];
  const identifiers = (params ?? []).filter((one) => typeof one === "string");
  for (const [, qualifier, name = ""] of [sql, ...identifiers].join(" ").matchAll(NAMES)) {
    const owner = aliased.get(qualifier?.toLowerCase() ?? "");
    for (const meta of owner ? [owner] : all) {
      const type = encryptedColumn(meta, name.toLowerCase());
      if (type) return type;
    }
  }
  return undefined;
}

function encryptedColumn(meta: Meta | undefined, name: string): BoundType | undefined {
  for (const prop of Object.values(propertiesOf(meta))) {
    const type = encryptedTypeOf(prop);
    if (type && columnOf(prop).toLowerCase() === name) return type;
  }
  return undefined;
}
