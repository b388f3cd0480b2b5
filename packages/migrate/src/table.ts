// What the engine must know of a table before it touches it, and the refusals that follow.
import { MigrationError, type ColumnCipher, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Direction, Target } from "./contract.ts";
import { fullNameOf } from "./full-name.ts";
import { TABLE_OID, addColumn, fixOfMissingTable, namesThereAre } from "./missing.ts";
import { arrayOf, sourceSlot, type ArrayKind, type ColumnType, type Slot } from "./slot.ts";

/** An encrypted column and where its value, blind-index token and plain source stand among the slots. */
export interface MigratedColumn {
  readonly column: EncryptedColumn;
  readonly valueAt: number;
  readonly tokenAt: number | undefined;
  readonly sourceAt: number | undefined;
  /** Name of the plain column that this one takes over. */
  readonly source: string | undefined;
  /** Opens what the column's own cipher does not: how the column was declared before. */
  readonly previous: ColumnCipher<unknown> | undefined;
  /** What the plain column is an array of, if it is one: only arrays of JSON may hold arrays. */
  readonly arrayOf: ArrayKind | undefined;
}

export interface Table extends Target {
  /** Quoted, with its schema. */
  readonly sql: string;
  /** The same of the catalogs, whatever the search path said. */
  readonly fullName: string;
  /** Quoted names of the tables that hold the rows: the leaves of a partitioned table, else the table itself. */
  readonly leaves: readonly string[];
  /** SQL type of each column of the primary key. */
  readonly keyTypes: readonly string[];
  readonly slots: readonly Slot[];
  readonly migrated: readonly MigratedColumn[];
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

/** As `RunOptions.sources` names a column. */
export function qualifiedName(
  { schema, table }: Pick<Target, "schema" | "table">,
  column: string,
): string {
  return [...(schema === undefined ? [] : [schema]), table, column].join(".");
}

export interface TableOptions {
  readonly direction?: Direction;
  readonly sources?: Readonly<Record<string, string>>;
  readonly previous?: Readonly<Record<string, ColumnCipher<unknown>>>;
  /** Text of limited width is refused where it would be written, because a ciphertext may not fit. Defaults to false. */
  readonly isOnlyRead?: boolean;
}

/**
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when the table, a column or a usable primary key is missing
 */
export async function describeTable(
  client: ClientBase,
  target: Target,
  { direction = "encrypt", sources = {}, previous = {}, isOnlyRead = false }: TableOptions = {},
): Promise<Table> {
  const { schema, table, primaryKey, columns } = target;
  const sql = schema === undefined ? quote(table) : `${quote(schema)}.${quote(table)}`;
  const types = await columnTypes(client, target);
  if (types.size === 0) {
    const fix = await fixOfMissingTable(client, target);
    refuse(target, `it does not exist, or this role may not see it. ${fix}`);
  }
  if (primaryKey.length === 0) {
    refuse(target, "it has no primary key, so that a row could not be found again. Add one");
  }
  const lack = (name: string, fix: string): never =>
    refuse(target, `it has no column "${name}", only ${namesThereAre(types.keys())}. ${fix}`);
  const keyTypes = primaryKey.map(
    (name) =>
      types.get(name)?.type ?? lack(name, "Correct the primary key that the model declares"),
  );
  const fullName = await fullNameOf(client, sql);
  const leaves = await leavesWithKey(client, target, sql);
  const hasSources = columns.some(({ column }) => sources[qualifiedName(target, column)]);
  // A partitioned table holds no rows, and is no leaf.
  if (!isOnlyRead && hasSources && leaves.length > 1 && leaves.includes(fullName)) {
    refuse(
      target,
      "other tables inherit from it, and a trigger, which keeps a plain column and its encrypted one in step, is not " +
        "inherited: changes of their rows would be lost. Migrate each of them as a table of its own first, and end the " +
        "inheritance (ALTER TABLE ... NO INHERIT)",
    );
  }
  const slots: Slot[] = [];
  const migrated = columns.map((column): MigratedColumn => {
    const source = sources[qualifiedName(target, column.column)];
    const companion = column.cipher.blindIndex?.column;
    const isWritten = direction === "encrypt" || source === undefined;
    const add = (slot: Slot): number => slots.push(slot) - 1;
    const stored = (name: string, storage: "text" | "binary"): number => {
      const fix = `Correct the name in ${column.model}.${column.field}, or: ${addColumn(sql, name, storage)}`;
      const { type } = types.get(name) ?? lack(name, fix);
      return add(storedSlot(target, name, { type, storage, isWritten, isOnlyRead }));
    };
    const plain = (name: string): number => {
      const fix = `Correct "${qualifiedName(target, column.column)}" in the option sources`;
      const type = types.get(name) ?? lack(name, fix);
      return add(
        sourceSlot({ name, quoted: quote(name), ...type, isWritten: direction === "decrypt" }),
      );
    };
    return {
      column,
      source,
      previous: previous[qualifiedName(target, column.column)],
      arrayOf: arrayOf(types.get(source ?? "")?.type),
      valueAt: stored(column.column, column.cipher.storage),
      tokenAt: companion === undefined ? undefined : stored(companion, "text"),
      sourceAt: source === undefined ? undefined : plain(source),
    };
  });
  return { ...target, sql, fullName, leaves, keyTypes, slots, migrated };
}

async function columnTypes(
  client: ClientBase,
  { schema, table }: Target,
): Promise<ReadonlyMap<string, ColumnType>> {
  const { rows } = await client.query<ColumnType & { name: string }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
       CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) ELSE format_type(atttypid, atttypmod) END AS base
     FROM pg_attribute JOIN pg_type y ON y.oid = atttypid
     WHERE attrelid = ${TABLE_OID} AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [schema, table],
  );
  return new Map(rows.map(({ name, type, base }) => [name, { type, base }]));
}

/** Rows are read by their place, and each leaf has places of its own. */
export async function leavesOf(client: ClientBase, target: Target, sql: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string; kind: string }>(
    `WITH RECURSIVE tree AS (
       SELECT to_regclass($1)::oid AS oid
       UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid
     )
     SELECT format('%I.%I', nspname, relname) AS name, relkind AS kind
     FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind <> 'p' ORDER BY 1`,
    [sql],
  );
  const other = rows.find(({ kind }) => kind !== "r");
  if (other) {
    refuse(
      target,
      `${other.name} is a view or a foreign table. Migrate the table behind it, where its rows are`,
    );
  }
  return rows.map(({ name }) => name);
}

/** As they are now, each with a key by which its rows are found again: partitions come and go while a run is at work. */
export async function leavesWithKey(
  client: ClientBase,
  target: Target,
  sql: string,
): Promise<string[]> {
  const leaves = await leavesOf(client, target, sql);
  await refuseAmbiguousKey(client, target, leaves);
  await refuseNullableKey(client, target, leaves);
  return leaves;
}

/**
 * A name that comes from the journal becomes part of statements: it must be that of a leaf, now if not at the start.
 * @throws {@link MigrationError} `ERR_MIGRATE_STATE`
 */
export async function requireLeaf(client: ClientBase, table: Table, leaf: string): Promise<void> {
  if (table.leaves.includes(leaf)) return;
  if ((await leavesOf(client, table, table.sql)).includes(leaf)) return;
  throw new MigrationError(
    "ERR_MIGRATE_STATE",
    `A chunk of table ${table.sql} names another table, which is none of its partitions. Cancel the run, and start again.`,
    { table: table.table },
  );
}

/** Two rows of one key, written by one transaction, could not be told apart: one would get the other's value. */
async function refuseAmbiguousKey(
  client: ClientBase,
  target: Target,
  leaves: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS l(name) WHERE NOT EXISTS (
       SELECT 1 FROM pg_index WHERE indrelid = to_regclass(name) AND indisunique AND indisvalid
         AND indpred IS NULL AND indexprs IS NULL AND $2::text[] @> (
           SELECT array_agg(attname::text) FROM unnest((indkey::int2[])[0:indnkeyatts - 1]) AS k
           JOIN pg_attribute ON attrelid = indrelid AND attnum = k)) LIMIT 1`,
    [leaves, target.primaryKey],
  );
  const [first] = rows;
  if (first === undefined) return;
  const names = target.primaryKey.map(quote).join(", ");
  refuse(
    target,
    `the model's primary key is ${names}, but no unique index of ${first.name} vouches for it, so that two rows could ` +
      `have one key. ALTER TABLE ${first.name} ADD PRIMARY KEY (${names}), or declare the key that it has`,
  );
}

/** NULL equals nothing: such a row is never found again, and lies behind every key that a verification goes on from. */
async function refuseNullableKey(
  client: ClientBase,
  target: Target,
  leaves: readonly string[],
): Promise<void> {
  const { rows } = await client.query<{ leaf: string; name: string }>(
    `SELECT leaf, attname AS name FROM unnest($1::text[]) AS l(leaf)
     JOIN pg_attribute ON attrelid = to_regclass(leaf) AND attname = ANY ($2) JOIN pg_type y ON y.oid = atttypid
     WHERE NOT (attnotnull OR typnotnull) ORDER BY leaf, attnum LIMIT 1`,
    [leaves, target.primaryKey],
  );
  const [first] = rows;
  if (first === undefined) return;
  const { leaf, name } = first;
  refuse(
    target,
    `column "${name}" of the model's primary key may be NULL, and such a row could not be found again. ` +
      `ALTER TABLE ${leaf} ALTER COLUMN ${quote(name)} SET NOT NULL, or declare another key`,
  );
}

function storedSlot(
  target: Target,
  name: string,
  column: {
    readonly type: string;
    readonly storage: "text" | "binary";
    readonly isWritten: boolean;
    readonly isOnlyRead: boolean;
  },
): Slot {
  const { type } = column;
  const parameter = column.storage === "binary" ? "bytea" : "text";
  const isLimited = type.startsWith("character") && parameter === "text";
  if (isLimited && column.isOnlyRead) {
    return { name, parameter, select: `t.${quote(name)}::text`, assign: undefined };
  }
  if (type !== parameter) {
    const fix = isLimited
      ? `Widen it first: ALTER TABLE ... ALTER COLUMN ${quote(name)} TYPE text`
      : `Its values cannot be replaced in place: add a column of type ${parameter} for the ciphertext, let the model ` +
        `use it, and name this one in the option sources`;
    refuse(target, `column "${name}" is ${type}, and ciphertext needs ${parameter}. ${fix}`);
  }
  const assign = column.isWritten ? (value: string): string => value : undefined;
  return { name, parameter, select: `t.${quote(name)}`, assign };
}

function refuse({ schema, table }: Target, reason: string): never {
  const name = schema === undefined ? table : `${schema}.${table}`;
  throw new MigrationError("ERR_MIGRATE_TARGET", `Table "${name}" cannot be migrated: ${reason}.`, {
    table,
  });
}
