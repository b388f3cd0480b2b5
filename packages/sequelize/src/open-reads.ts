// Between the driver's rows and Sequelize: ciphertext becomes plaintext, a column at a time, before anything is
// built of it. So everything after (instances, raw results, hooks, virtuals, toJSON) sees a plain column.
import { DecryptError, KeyError, type ColumnCipher, type StoredInput } from "@fieldseal/crypto";
import { QueryTypes, Utils } from "sequelize";
import { attributeAtPath, attributeInExpression, columnPath } from "./column-paths.ts";
import {
  cipherOf,
  encryptedAttributes,
  isEncrypted,
  type EncryptedAttribute,
} from "./installation.ts";
import { rowsAsExpected } from "./found-rows.ts";
import { isHiddenColumn, noteAlias } from "./model-setup.ts";
import {
  EXPECTED,
  WRITTEN,
  type IncludeNode,
  type Query,
  type Row,
  type SelectNode,
} from "./query-internals.ts";
import { type Attribute, type ModelClass } from "./sequelize-internals.ts";

/** Decrypts a result in place; returns the rows that hold what was searched for. */
export function openRows(query: Query, rows: Row[]): Row[] {
  const [first] = rows;
  if (!first || !query.model || typeof first !== "object") return rows;
  const opened = new Map<string, EncryptedAttribute>();
  for (const key of Object.keys(first)) {
    const { attribute, isOwn } = sourceOf(query, key) ?? {};
    if (isEncrypted(attribute)) {
      openColumn(query, rows, key, attribute);
      noteAlias(key.slice(key.lastIndexOf(".") + 1));
      if (isOwn === true) opened.set(key, attribute);
    } else if (attribute && isHiddenColumn(attribute)) for (const row of rows) delete row[key];
  }
  const expected = query.options[EXPECTED]?.noted;
  return expected ? rowsAsExpected(rows, expected, opened) : rows;
}

function openColumn(
  query: Query,
  rows: readonly Row[],
  key: string,
  attribute: EncryptedAttribute,
): void {
  const cipher = cipherOf(attribute);
  const stored = rows.map((row) => row[key] as StoredInput | null | undefined);
  try {
    const values =
      query.options.hasMultiAssociation === true
        ? openRepeated(cipher, stored)
        : cipher.openMany(stored);
    for (let i = 0; i < rows.length; i++) {
      if (stored[i] !== undefined) (rows[i] as Row)[key] = values[i];
    }
  } catch (error) {
    throw withPrimaryKey(error, query, rows);
  }
}

/** A join repeats its parents: equal ciphertext is decrypted once, JSON and bytes each to an object of its own. */
function openRepeated(
  cipher: ColumnCipher<unknown>,
  stored: readonly (StoredInput | null | undefined)[],
): unknown[] {
  const positions = new Map<string, number>();
  const distinct: StoredInput[] = [];
  const from = stored.map((value) => {
    if (value === null || value === undefined) return -1;
    const name = typeof value === "string" ? value : Buffer.from(value).toString("latin1");
    let position = positions.get(name);
    if (position === undefined) {
      positions.set(name, (position = distinct.length));
      distinct.push(value);
    }
    return position;
  });
  const opened = cipher.openMany(distinct);
  const isShared = new Set<number>();
  return from.map((position) => {
    if (position < 0) return null;
    const value = opened[position];
    if (typeof value !== "object" || value === null || !isShared.has(position)) {
      isShared.add(position);
      return value;
    }
    return Buffer.isBuffer(value) ? Buffer.from(value) : structuredClone(value);
  });
}

/** The same error with the primary key of the row it stands in, where the result shows it. */
function withPrimaryKey(error: unknown, query: Query, rows: readonly Row[]): unknown {
  const isKnown = error instanceof DecryptError || error instanceof KeyError;
  if (!isKnown || error.position === undefined) return error;
  const row = rows[error.position] ?? {};
  const names = Object.values(query.model?.primaryKeys ?? {}).map(({ field, fieldName }) =>
    Object.hasOwn(row, fieldName) ? fieldName : field,
  );
  return error.atRow(Object.fromEntries(names.map((name) => [name, row[name]])));
}

interface Source {
  readonly attribute: Attribute;
  /** Whether it is read from the very row, and not through an association that the SELECT list names. */
  readonly isOwn: boolean;
}

/** The attribute that a result's key comes from; undefined for an expression, whatever its alias. */
function sourceOf(query: Query, key: string): Source | undefined {
  const { model, options } = query;
  const own = selectedSource(options, model, key, options.type);
  if (own || !key.includes(".")) return own;
  let node: SelectNode = options;
  let owner = model;
  const parts = key.split(".");
  while (
    parts.length > 1 &&
    node.includeMap &&
    Object.hasOwn(node.includeMap, parts[0] as string)
  ) {
    const include = node.includeMap[parts.shift() as string] as IncludeNode;
    [node, owner] = [include, include.model];
  }
  return node === options ? undefined : selectedSource(node, owner, parts.join("."), options.type);
}

/** What a name in the result of a SELECT list means; without such a list it is a column's name, or an attribute's. */
function selectedSource(
  { attributes, fieldMap }: SelectNode & { readonly fieldMap?: Readonly<Record<string, string>> },
  model: ModelClass | undefined,
  name: string,
  type: string | undefined,
): Source | undefined {
  if (!model) return undefined;
  const { rawAttributes, fieldRawAttributesMap } = model;
  if (type !== QueryTypes.SELECT || !Array.isArray(attributes)) {
    const mapped = fieldMap && Object.hasOwn(fieldMap, name) ? (fieldMap[name] as string) : name;
    return source(fieldRawAttributesMap[name] ?? rawAttributes[mapped]);
  }
  for (const entry of attributes as readonly unknown[]) {
    const [from, alias] = Array.isArray(entry) ? (entry as unknown[]) : [entry, entry];
    if (alias !== name && (from !== alias || columnNameOf(entry) !== name)) continue;
    const isOwn = pathOf(from)?.replace(`${model.name}.`, "").includes(".") === false;
    if (typeof from === "string") {
      const own = rawAttributes[from] ?? fieldRawAttributesMap[from];
      return own ? source(own) : source(attributeAtPath(from, model), isOwn);
    }
    return from instanceof Utils.Col
      ? source(attributeInExpression(from, model), isOwn)
      : undefined;
  }
  const isEverything = attributes.some((entry) => isEveryColumn(entry, model));
  return isEverything ? source(fieldRawAttributesMap[name]) : undefined;
}

function source(attribute: Attribute | undefined, isOwn = true): Source | undefined {
  return attribute && { attribute, isOwn };
}

function pathOf(entry: unknown): string | undefined {
  if (entry instanceof Utils.Col) return columnPath(entry);
  return typeof entry === "string" ? entry : undefined;
}

/** What the database calls a column that is selected without an alias: `Author.name`, `col("posts.headline")`. */
function columnNameOf(entry: unknown): string | undefined {
  return pathOf(entry)?.split(".").pop();
}

/** `*`, `col("*")`, `Author.*` */
function isEveryColumn(entry: unknown, model: ModelClass): boolean {
  const path = pathOf(entry);
  return path === "*" || path === `${model.name}.*`;
}

/**
 * Runs a statement that may return rows past `handleSelectQuery`: RETURNING of INSERT, UPDATE and upsert, which
 * Sequelize copies straight into the instance.
 */
export async function runReturning(
  query: Query,
  sql: string,
  run: () => Promise<unknown>,
): Promise<unknown> {
  const { model, instance } = query;
  const attributes = encryptedAttributes(model);
  if (attributes.length === 0 || !isReturning(query.options.type)) return run();
  const values = instance?.dataValues;
  if (values === undefined) {
    const result = await run();
    const rows = Array.isArray(result) ? (result as unknown[])[0] : undefined;
    if (Array.isArray(rows)) openReturned(query, rows as Row[], attributes);
    return result;
  }
  const before = { ...values };
  const result = await run();
  // The instance got columns by name; those of a later instance (upsert) are the same object.
  const returned = attributes.filter(
    ({ field, fieldName }) =>
      values[fieldName] !== before[fieldName] && givesBack(field, sql, query.options.returning),
  );
  for (const attribute of Object.values(model?.rawAttributes ?? {})) {
    if (isHiddenColumn(attribute)) delete values[attribute.fieldName];
  }
  try {
    for (const { fieldName } of returned) {
      const row: Row = { [fieldName]: values[fieldName] };
      openReturned(query, [row], attributes);
      values[fieldName] = row[fieldName];
    }
  } catch (error) {
    // Nothing that did not open stays in the instance, as if it were the value.
    for (const { fieldName } of returned) values[fieldName] = before[fieldName];
    throw error;
  }
  return result;
}

/** Other columns that differ afterwards were set by the application while the statement was on its way. */
function givesBack(column: string, sql: string, returning: unknown): boolean {
  const isListed = Array.isArray(returning) && returning.every((name) => typeof name === "string");
  if (isListed && !returning.includes("*")) return returning.includes(column);
  return /\b(?:RETURNING|OUTPUT)\b/i.test(sql);
}

function isReturning(type: string | undefined): boolean {
  return type === QueryTypes.INSERT || type === QueryTypes.UPDATE || type === QueryTypes.UPSERT;
}

/** What this statement wrote itself is known: only other values are decrypted. */
function openReturned(
  query: Query,
  rows: readonly Row[],
  attributes: readonly EncryptedAttribute[],
): void {
  const written = query.options[WRITTEN]?.noted;
  for (const attribute of attributes) {
    const { field, fieldName } = attribute;
    const key = rows[0] && Object.hasOwn(rows[0], field) ? field : fieldName;
    const own = written?.get(field);
    const others = rows.map((row, i) => {
      const value = own?.[i];
      return value !== undefined && isSameStored(value.stored, row[key]) ? undefined : row[key];
    });
    const opened = cipherOf(attribute).openMany(others as (StoredInput | null | undefined)[]);
    rows.forEach((row, i) => {
      if (!Object.hasOwn(row, key)) return;
      row[key] = others[i] === undefined ? own?.[i]?.plain : opened[i];
    });
  }
  for (const attribute of Object.values(query.model?.rawAttributes ?? {})) {
    if (isHiddenColumn(attribute)) for (const row of rows) delete row[attribute.field];
  }
}

function isSameStored(written: string | Buffer | null, returned: unknown): boolean {
  if (Buffer.isBuffer(written)) return returned instanceof Uint8Array && written.equals(returned);
  return written === returned;
}
