// One batch: read without a transaction, rewrite in this process, write all columns and the checkpoint in one
// statement. The write touches a row only if it is the very version that was read.
//
// Why xmin is a proof: a visible row version (primary key, xmin = X) was written by transaction X, which is over; no
// later version of the row can carry X. Under READ COMMITTED an UPDATE that meets a newer version evaluates its
// conditions on that one, whose xmin differs, and leaves it alone. SKIP LOCKED means that this statement never waits
// for a row, so it can be part of no deadlock.
import type { ClientBase } from "pg";
import { byteaArray, textArray, xidArray } from "./binary-array.ts";
import { quote, type Table } from "./table.ts";
import type { Cell } from "./rewrite.ts";

export interface ReadRow {
  readonly key: readonly string[];
  readonly version: string;
  readonly cells: readonly Cell[];
}

export interface Range {
  readonly after: readonly string[] | null;
  readonly last: readonly string[] | null;
  readonly limit: number;
}

export async function readRange(
  client: ClientBase,
  table: Table,
  { after, last, limit }: Range,
): Promise<ReadRow[]> {
  const keys = `(${table.primaryKey.map((name) => `t.${quote(name)}`).join(", ")})`;
  const parameters: unknown[] = [limit];
  const bound = (key: readonly string[]): string =>
    `(${key.map((text, i) => `$${parameters.push(text)}::${table.keyTypes[i]}`).join(", ")})`;
  const conditions = [
    ...(after ? [`${keys} > ${bound(after)}`] : []),
    ...(last ? [`${keys} <= ${bound(last)}`] : []),
  ];
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  return readRows(client, table, `${where} ORDER BY ${keys.slice(1, -1)} LIMIT $1`, parameters);
}

/** Rows by their keys, whatever became of them since. */
export async function readKeys(
  client: ClientBase,
  table: Table,
  keys: readonly (readonly string[])[],
): Promise<ReadRow[]> {
  const join = table.primaryKey.map((name, i) => `t.${quote(name)} = v.k${i}`).join(" AND ");
  return readRows(
    client,
    table,
    `JOIN (SELECT * FROM ${unnestKeys(table, 1)}) v ON ${join}`,
    keyArrays(table, keys),
  );
}

async function readRows(
  client: ClientBase,
  table: Table,
  rest: string,
  parameters: readonly unknown[],
): Promise<ReadRow[]> {
  const keyCount = table.primaryKey.length;
  const columns = [
    ...table.primaryKey.map((name) => `t.${quote(name)}::text`),
    "t.xmin::text",
    ...table.written.map(({ name }) => `t.${quote(name)}`),
  ];
  const { rows } = await client.query<Cell[]>({
    text: `SELECT ${columns.join(", ")} FROM ${table.sql} t ${rest}`,
    values: [...parameters],
    rowMode: "array",
  });
  return rows.map((row) => ({
    key: row.slice(0, keyCount) as string[],
    version: row[keyCount] as string,
    cells: row.slice(keyCount + 1),
  }));
}

export interface Checkpoint {
  readonly runId: string;
  readonly chunk: number;
  readonly owner: string;
  readonly leaseMs: number;
  /** Key of the last row of the batch; null leaves the cursor where it is. */
  readonly cursor: readonly string[] | null;
  readonly seen: number;
  readonly isLast: boolean;
}

/**
 * Writes rows and checkpoint in one statement, which is one transaction. Returns the keys that were written; undefined
 * when the lease was lost: then nothing was written that another worker would not write as well.
 */
export async function writeBatch(
  client: ClientBase,
  table: Table,
  rows: readonly { readonly row: ReadRow; readonly cells: readonly Cell[] }[],
  checkpoint: Checkpoint,
): Promise<Set<string> | undefined> {
  const keyCount = table.primaryKey.length;
  const first = 8;
  const versionAt = first + keyCount;
  const valueAt = versionAt + 1;
  const key = table.primaryKey.map((name, i) => `t.${quote(name)} = v.k${i}`).join(" AND ");
  const values = table.written.map((column, i) => `$${valueAt + i}::${column.type}[]`).join(", ");
  const names = table.written.map((_, i) => `c${i}`).join(", ");
  const keyNames = table.primaryKey.map((_, i) => `k${i}`);
  const keyText = `ARRAY[${keyNames.map((name) => `l.${name}::text`).join(", ")}]`;
  const arrays = table.keyTypes.map((type, i) => `$${first + i}::text[]::${type}[]`).join(", ");
  const { rows: results } = await client.query<{ written: string[][] | null }>(
    `WITH owned AS MATERIALIZED (
       SELECT 1 FROM fieldseal.chunk WHERE run_id = $1 AND number = $2 AND owner = $3 FOR UPDATE
     ), v AS MATERIALIZED (
       SELECT * FROM unnest(${arrays}, $${versionAt}::xid[], ${values}) v(${keyNames.join(", ")}, version, ${names})
       WHERE EXISTS (SELECT 1 FROM owned)
     ), l AS MATERIALIZED (
       SELECT v.* FROM v JOIN ${table.sql} t ON ${key} AND t.xmin = v.version FOR NO KEY UPDATE OF t SKIP LOCKED
     ), u AS (
       UPDATE ${table.sql} t SET ${table.written.map(({ name }, i) => `${quote(name)} = l.c${i}`).join(", ")}
       FROM l WHERE ${key.replaceAll("v.", "l.")} RETURNING ${keyText} AS key
     )
     UPDATE fieldseal.chunk SET
       cursor_key = coalesce($4, cursor_key), seen = seen + $5, lease_until = clock_timestamp() + make_interval(secs => $6),
       written = written + (SELECT count(*) FROM u), conflicts = conflicts + (SELECT count(*) FROM v) - (SELECT count(*) FROM u),
       finished_at = CASE WHEN $7 THEN clock_timestamp() END
     WHERE run_id = $1 AND number = $2 AND owner = $3
     RETURNING (SELECT array_agg(array_to_string(key, E'\\x1f')) FROM u) AS written`,
    [
      checkpoint.runId,
      checkpoint.chunk,
      checkpoint.owner,
      checkpoint.cursor,
      checkpoint.seen,
      checkpoint.leaseMs / 1000,
      checkpoint.isLast,
      ...keyArrays(
        table,
        rows.map(({ row }) => row.key),
      ),
      xidArray(rows.map(({ row }) => row.version)),
      ...table.written.map(({ type }, i) =>
        type === "text"
          ? textArray(rows.map(({ cells }) => cells[i] as string | null))
          : byteaArray(rows.map(({ cells }) => cells[i] as Buffer | null)),
      ),
    ],
  );
  const [result] = results;
  return result && new Set((result.written as unknown as string[] | null) ?? []);
}

/** What {@link writeBatch} returns a key as. */
export function keyName(key: readonly string[]): string {
  return key.join("\u001f");
}

function keyArrays(table: Table, keys: readonly (readonly string[])[]): Buffer[] {
  return table.primaryKey.map((_, i) => textArray(keys.map((key) => key[i] as string)));
}

function unnestKeys(table: Table, first: number): string {
  const arrays = table.keyTypes.map((type, i) => `$${first + i}::text[]::${type}[]`).join(", ");
  return `unnest(${arrays}) v(${table.keyTypes.map((_, i) => `k${i}`).join(", ")})`;
}
