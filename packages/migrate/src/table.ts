// What the engine must know of a table before it touches it, and the refusals that follow.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Target } from "./contract.ts";

export interface Column {
  readonly name: string;
  readonly type: "text" | "bytea";
}

export interface Table extends Target {
  /** Quoted, with its schema. */
  readonly sql: string;
  /** SQL type of each column of the primary key. */
  readonly keyTypes: readonly string[];
  /** Encrypted columns, then the companion columns of their blind indexes: what is read and written. */
  readonly written: readonly Column[];
}

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** One target per table: all columns of a table are written in one pass, because each pass rewrites the whole row. */
export function groupByTable(columns: readonly EncryptedColumn[]): Target[] {
  const targets = new Map<string, EncryptedColumn[]>();
  for (const column of columns) {
    const name = JSON.stringify([column.schema ?? null, column.table]);
    targets.set(name, [...(targets.get(name) ?? []), column]);
  }
  return [...targets.values()].map((group) => {
    const { schema, table, primaryKey } = group[0] as EncryptedColumn;
    return { schema, table, primaryKey, columns: group };
  });
}

/**
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when the table, a column or a usable primary key is missing
 */
export async function describeTable(client: ClientBase, target: Target): Promise<Table> {
  const { schema, table, primaryKey, columns } = target;
  const sql = schema === undefined ? quote(table) : `${quote(schema)}.${quote(table)}`;
  const { rows } = await client.query<{ name: string; type: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [sql],
  );
  if (rows.length === 0) refuse(target, "the table does not exist, or this role may not see it");
  if (primaryKey.length === 0) {
    refuse(target, "it has no primary key, so that a row could not be found again. Add one");
  }
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  const keyTypes = primaryKey.map((name) => types.get(name) ?? missing(target, name));
  const written = columns.flatMap(({ column, cipher }) => {
    const companion = cipher.blindIndex?.column;
    const own = { name: column, type: storedType(target, column, types, cipher.storage) };
    return companion === undefined
      ? [own]
      : [own, { name: companion, type: storedType(target, companion, types, "text") }];
  });
  return { ...target, sql, keyTypes, written };
}

function storedType(
  target: Target,
  column: string,
  types: ReadonlyMap<string, string>,
  storage: "text" | "binary",
): "text" | "bytea" {
  const type = types.get(column) ?? missing(target, column);
  const wanted = storage === "binary" ? "bytea" : "text";
  if (type === wanted) return wanted;
  const fix = type.startsWith("character")
    ? `Widen it first: ALTER TABLE ... ALTER COLUMN ${quote(column)} TYPE text`
    : `Its values cannot be replaced in place; add a column of type ${wanted}`;
  refuse(target, `column "${column}" is ${type}, and ciphertext needs ${wanted}. ${fix}`);
}

function missing(target: Target, column: string): never {
  refuse(target, `it has no column "${column}"`);
}

function refuse({ schema, table }: Target, reason: string): never {
  const name = schema === undefined ? table : `${schema}.${table}`;
  throw new MigrationError("ERR_MIGRATE_TARGET", `Table "${name}" cannot be migrated: ${reason}.`, {
    table,
  });
}
