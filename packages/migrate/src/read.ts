// Reading rows, outside of a transaction: by their place for a run, by key for rows that are read again.
import type { ClientBase } from "pg";
import { textArray } from "./binary-array.ts";
import type { Cell } from "./rewrite.ts";
import { prepared } from "./statements.ts";
import { quote, type Table } from "./table.ts";

export interface ReadRow {
  readonly key: readonly string[];
  /** `xmin`: the transaction that wrote the version that was read. */
  readonly version: string;
  readonly cells: readonly Cell[];
}

/**
 * A place of a row in its table: block number times {@link PLACES_PER_BLOCK} plus the offset in the block. Reading in
 * this order costs the same for every kind of primary key, and touches each page once.
 */
export type Place = number;

/** A block of 32 KB, PostgreSQL's largest, has room for fewer rows. */
export const PLACES_PER_BLOCK = 2048;

export function placeText(place: Place): string {
  return `(${Math.floor(place / PLACES_PER_BLOCK)},${place % PLACES_PER_BLOCK})`;
}

/** All rows of a leaf at the places `[from, to)`. */
export async function readPlaces(
  client: ClientBase,
  table: Table,
  { leaf, from, to }: { readonly leaf: string; readonly from: Place; readonly to: Place },
): Promise<ReadRow[]> {
  return readRows(client, table, {
    from: `ONLY ${leaf} t WHERE t.ctid >= $1::tid AND t.ctid < $2::tid`,
    values: [placeText(from), placeText(to)],
  });
}

/** Rows by their keys, whatever became of them since. */
export async function readKeys(
  client: ClientBase,
  table: Table,
  { leaf, keys }: { readonly leaf: string; readonly keys: readonly (readonly string[])[] },
): Promise<ReadRow[]> {
  const arrays = table.keyTypes.map((type, i) => `$${i + 1}::text[]::${type}[]`).join(", ");
  const names = table.keyTypes.map((_, i) => `k${i}`).join(", ");
  const join = table.primaryKey.map((name, i) => `t.${quote(name)} = v.k${i}`).join(" AND ");
  return readRows(client, table, {
    from: `ONLY ${leaf} t JOIN unnest(${arrays}) v(${names}) ON ${join}`,
    values: keyArrays(table, keys),
  });
}

/** Some rows, of those that meet a condition on `t`. */
export async function readSome(
  client: ClientBase,
  table: Table,
  { where, limit }: { readonly where: string; readonly limit: number },
): Promise<ReadRow[]> {
  return readRows(client, table, {
    from: `${table.sql} t WHERE ${where} LIMIT $1`,
    values: [limit],
  });
}

/**
 * What to read in the order of the primary key, as `FROM` names it: all of a table at once; but of tables that inherit, each
 * has keys of its own, and of two rows of one key the second would be passed over.
 */
export function orderedParts({ sql, fullName, leaves }: Table): string[] {
  const isInherited = leaves.length > 1 && leaves.includes(fullName); // a partitioned table holds no rows
  return isInherited ? leaves.map((leaf) => `ONLY ${leaf}`) : [sql];
}

/** The next rows in the order of the primary key: each row is met once, wherever writers move it to. */
export async function readNext(
  client: ClientBase,
  table: Table,
  {
    part,
    after,
    limit,
  }: {
    readonly part: string;
    readonly after: readonly string[] | null;
    readonly limit: number;
  },
): Promise<ReadRow[]> {
  const keys = table.primaryKey.map((name) => `t.${quote(name)}`).join(", ");
  const bound = table.keyTypes.map((type, i) => `$${i + 2}::${type}`).join(", ");
  return readRows(client, table, {
    from: `${part} t ${after ? `WHERE (${keys}) > (${bound})` : ""} ORDER BY ${keys} LIMIT $1`,
    values: [limit, ...(after ?? [])],
  });
}

async function readRows(
  client: ClientBase,
  table: Table,
  query: { readonly from: string; readonly values: readonly unknown[] },
): Promise<ReadRow[]> {
  const keyCount = table.primaryKey.length;
  const columns = [
    ...table.primaryKey.map((name) => `t.${quote(name)}::text`),
    "t.xmin::text",
    ...table.slots.map(({ select }) => select),
  ];
  const { rows } = await client.query<Cell[]>({
    ...prepared(`SELECT ${columns.join(", ")} FROM ${query.from}`),
    values: [...query.values],
    rowMode: "array",
  });
  return rows.map((row) => ({
    key: row.slice(0, keyCount) as string[],
    version: row[keyCount] as string,
    cells: row.slice(keyCount + 1),
  }));
}

/** One binary array per column of the primary key. */
export function keyArrays(table: Table, keys: readonly (readonly string[])[]): Buffer[] {
  return table.primaryKey.map((_, i) => textArray(keys.map((key) => key[i] as string)));
}
