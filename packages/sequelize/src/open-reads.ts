// Between the driver's rows and Sequelize: ciphertext becomes plaintext, a column at a time, before anything is
// built of it. So everything after (instances, raw results, hooks, virtuals, toJSON) sees a plain column.
import { DecryptError, KeyError, type ColumnCipher, type StoredInput } from "@fieldseal/crypto";
import { QueryTypes, Utils } from "sequelize";
import {
  cipherOf,
  encryptedAttributes,
  isEncrypted,
  type EncryptedAttribute,
} from "./installation.ts";
import { isHiddenColumn } from "./model-setup.ts";
import {
  WRITTEN,
  type ModelClass,
  type Query,
  type Row,
  type SelectNode,
} from "./sequelize-internals.ts";

/** Decrypts a result in place. */
export function openRows(query: Query, rows: readonly Row[]): void {
  const [first] = rows;
  if (!first || !query.model || typeof first !== "object") return;
  for (const key of Object.keys(first)) {
    const source = sourceOf(query, key);
    if (source?.kind === "encrypted") openColumn(query, rows, key, source.attribute);
    if (source?.kind === "hidden") for (const row of rows) delete row[key];
  }
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

type Source =
  | { readonly kind: "encrypted"; readonly attribute: EncryptedAttribute }
  | { readonly kind: "hidden" }
  | undefined;

/** Which attribute a result's key comes from; undefined when it is not ours to touch. */
function sourceOf(query: Query, key: string): Source {
  let node: SelectNode & { model?: ModelClass } = {
    ...query.options,
    ...(query.model && { model: query.model }),
  };
  let name = key;
  const parts = key.split(".");
  while (
    parts.length > 1 &&
    node.includeMap &&
    Object.hasOwn(node.includeMap, parts[0] as string)
  ) {
    node = node.includeMap[parts.shift() as string] as typeof node;
    name = parts.join(".");
  }
  const { model } = node;
  if (!model) return undefined;
  const isSelect = query.options.type === QueryTypes.SELECT && Array.isArray(node.attributes);
  const column = isSelect ? selectedColumn(node.attributes as readonly unknown[], name) : name;
  if (column === undefined) return undefined;
  // A name can be an attribute's or a column's: results of RETURNING and of raw queries have columns.
  const attribute = isSelect
    ? (model.rawAttributes[column] ?? model.fieldRawAttributesMap[column])
    : (model.fieldRawAttributesMap[column] ?? model.rawAttributes[column]);
  if (isEncrypted(attribute)) return { kind: "encrypted", attribute };
  return attribute && isHiddenColumn(attribute) ? { kind: "hidden" } : undefined;
}

/** The attribute or column behind a name in a SELECT list; undefined for an expression, whatever its alias. */
function selectedColumn(attributes: readonly unknown[], name: string): string | undefined {
  for (const entry of attributes) {
    if (entry === name) return name;
    if (!Array.isArray(entry) || entry[1] !== name) continue;
    const [source]: unknown[] = entry;
    if (typeof source === "string") return source;
    if (source instanceof Utils.Col) return columnName(source);
    return undefined;
  }
  return undefined;
}

/** `col("User.email")` names a column by its last part. */
export function columnName(column: object): string {
  return String((column as { col: unknown }).col)
    .split(".")
    .pop() as string;
}

/**
 * Runs a statement that may return rows past `handleSelectQuery`: RETURNING of INSERT, UPDATE and upsert, which
 * Sequelize copies straight into the instance.
 */
export async function runReturning(query: Query, run: () => Promise<unknown>): Promise<unknown> {
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
  for (const { fieldName } of attributes) {
    if (values[fieldName] === before[fieldName]) continue;
    const returned: Row = { [fieldName]: values[fieldName] };
    openReturned(query, [returned], attributes);
    values[fieldName] = returned[fieldName];
  }
  for (const attribute of Object.values(model?.rawAttributes ?? {})) {
    if (isHiddenColumn(attribute)) delete values[attribute.fieldName];
  }
  return result;
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
  const written = query.options[WRITTEN];
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
