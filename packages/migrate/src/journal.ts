// The engine's own tables: runs, the chunks of a run with lease and owner, rows that could not be read. They hold no
// value of any migrated column, encrypted or not; positions are primary keys.
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import type { Direction, PoisonRow, Progress, RunState } from "./contract.ts";
import { quote, type Table } from "./table.ts";

/** Two processes may start at once: the lock lets one make the tables. */
const LOCK = 0x66_73_65_61; // "fsea"

const TABLES = `
CREATE SCHEMA IF NOT EXISTS fieldseal;
CREATE TABLE IF NOT EXISTS fieldseal.run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  fingerprint text NOT NULL,
  direction text NOT NULL,
  state text NOT NULL DEFAULT 'running',
  rows_total bigint NOT NULL,
  pass int NOT NULL DEFAULT 0,
  written_before_pass bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS fieldseal.chunk (
  run_id bigint NOT NULL REFERENCES fieldseal.run ON DELETE CASCADE,
  number int NOT NULL,
  after_key text[],
  last_key text[],
  cursor_key text[],
  seen bigint NOT NULL DEFAULT 0,
  written bigint NOT NULL DEFAULT 0,
  conflicts bigint NOT NULL DEFAULT 0,
  owner uuid,
  lease_until timestamptz,
  finished_at timestamptz,
  PRIMARY KEY (run_id, number)
);
CREATE TABLE IF NOT EXISTS fieldseal.poison (
  run_id bigint NOT NULL REFERENCES fieldseal.run ON DELETE CASCADE,
  primary_key text[] NOT NULL,
  column_name text NOT NULL,
  code text NOT NULL,
  PRIMARY KEY (run_id, primary_key, column_name)
);`;

export interface Chunk {
  readonly number: number;
  /** Key of the last row that is done: rows after it, up to `last`, are left. null: from the beginning. */
  readonly cursor: readonly string[] | null;
  /** null: to the end of the table, rows that are inserted meanwhile included. */
  readonly last: readonly string[] | null;
}

export async function prepareJournal(client: ClientBase): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    await client.query(TABLES);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

export interface RunSpec {
  readonly table: Table;
  readonly direction: Direction;
  /** Changes with anything that changes what the run would write. */
  readonly fingerprint: string;
  readonly chunks: number | undefined;
}

const ROWS_PER_CHUNK = 20_000;
const MAX_CHUNKS = 1000;
/** Writers that store plaintext faster than it is encrypted would keep a run going for ever. */
const MAX_PASSES = 20;

/** The unfinished run of this specification, or a new one with its chunks. Two callers at once get the same. */
export async function openRun(client: ClientBase, spec: RunSpec): Promise<string> {
  const { table, direction, fingerprint } = spec;
  await client.query("BEGIN");
  try {
    await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [LOCK, table.sql]);
    const { rows } = await client.query<{ id: string; fingerprint: string; state: RunState }>(
      `SELECT id, fingerprint, state FROM fieldseal.run
       WHERE target = $1 AND state IN ('running', 'paused') ORDER BY id DESC LIMIT 1`,
      [table.sql],
    );
    const [open] = rows;
    if (open && open.fingerprint !== fingerprint) {
      throw new MigrationError(
        "ERR_MIGRATE_STATE",
        `Run ${open.id} of table ${table.sql} is unfinished and was started with other columns, keys or another ` +
          `direction. Cancel it, then start again.`,
        { table: table.table, runId: open.id },
      );
    }
    const id =
      open?.id ?? (await createRun(client, { table, direction, fingerprint, chunks: spec.chunks }));
    await client.query("UPDATE fieldseal.run SET state = 'running' WHERE id = $1", [id]);
    await client.query("COMMIT");
    return id;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

async function createRun(client: ClientBase, spec: RunSpec): Promise<string> {
  const { table, direction, fingerprint } = spec;
  const { rows: counted } = await client.query<{ count: string }>(
    `SELECT count(*) FROM ${table.sql}`,
  );
  const total = Number(counted[0]?.count ?? 0);
  const chunks =
    spec.chunks ?? Math.min(MAX_CHUNKS, Math.max(1, Math.ceil(total / ROWS_PER_CHUNK)));
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO fieldseal.run (target, fingerprint, direction, rows_total) VALUES ($1, $2, $3, $4) RETURNING id`,
    [table.sql, fingerprint, direction, total],
  );
  const id = (rows[0] as { id: string }).id;
  const keys = table.primaryKey.map(quote).join(", ");
  const key = `ARRAY[${table.primaryKey.map((name) => `${quote(name)}::text`).join(", ")}]`;
  // Every n-th key is a boundary; the last chunk has no end.
  await client.query(
    `INSERT INTO fieldseal.chunk (run_id, number, after_key, last_key, cursor_key)
     SELECT $1, n, before, CASE WHEN n < count(*) OVER () - 1 THEN boundary END, before FROM (
       SELECT row_number() OVER w - 1 AS n, lag(boundary) OVER w AS before, boundary FROM (
         SELECT position, boundary FROM (
           SELECT ${key} AS boundary, row_number() OVER (ORDER BY ${keys}) AS position FROM ${table.sql}
         ) keyed WHERE position % $2 = 0
         UNION ALL SELECT 9223372036854775807, NULL
       ) boundaries WINDOW w AS (ORDER BY position)
     ) ranges`,
    [id, Math.max(1, Math.ceil(total / chunks))],
  );
  return id;
}

/** The next chunk that nobody works on, or whose worker was silent for the length of its lease. */
export async function claimChunk(
  client: ClientBase,
  claim: { readonly runId: string; readonly owner: string; readonly leaseMs: number },
): Promise<Chunk | undefined> {
  const { rows } = await client.query<Chunk>(
    `UPDATE fieldseal.chunk SET owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
     WHERE (run_id, number) = (
       SELECT run_id, number FROM fieldseal.chunk
       WHERE run_id = $1 AND finished_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
       ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING number, cursor_key AS cursor, last_key AS last`,
    [claim.runId, claim.owner, claim.leaseMs / 1000],
  );
  return rows[0];
}

/**
 * Starts another pass over the table unless the one that ended wrote nothing: rows that were locked, or inserted behind
 * a cursor, are met then. Of several callers one starts it; the others find chunks to work on.
 */
export async function startNextPass(client: ClientBase, runId: string): Promise<boolean> {
  await client.query("BEGIN");
  try {
    const { rowCount } = await client.query(
      `WITH total AS (
         SELECT sum(written) AS written, count(*) FILTER (WHERE finished_at IS NULL) AS left
         FROM fieldseal.chunk WHERE run_id = $1
       )
       UPDATE fieldseal.run SET pass = pass + 1, written_before_pass = total.written FROM total
       WHERE id = $1 AND state = 'running' AND total.left = 0 AND total.written > written_before_pass AND pass < $2`,
      [runId, MAX_PASSES],
    );
    if (rowCount === 1) {
      await client.query(
        `UPDATE fieldseal.chunk SET cursor_key = after_key, seen = 0, finished_at = NULL, owner = NULL, lease_until = NULL
         WHERE run_id = $1`,
        [runId],
      );
    }
    await client.query("COMMIT");
    return rowCount === 1;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

/** Gives a chunk back before its lease ends. */
export async function releaseChunk(
  client: ClientBase,
  { runId, number, owner }: { runId: string; number: number; owner: string },
): Promise<void> {
  await client.query(
    `UPDATE fieldseal.chunk SET lease_until = NULL, owner = NULL WHERE run_id = $1 AND number = $2 AND owner = $3`,
    [runId, number, owner],
  );
}

export async function recordPoison(
  client: ClientBase,
  runId: string,
  rows: readonly {
    readonly key: readonly string[];
    readonly column: string;
    readonly code: string;
  }[],
): Promise<void> {
  for (const { key, column, code } of rows) {
    await client.query(
      `INSERT INTO fieldseal.poison (run_id, primary_key, column_name, code) VALUES ($1, $2, $3, $4)
       ON CONFLICT (run_id, primary_key, column_name) DO UPDATE SET code = excluded.code`,
      [runId, key, column, code],
    );
  }
}

/** Before a continued run: what was unreadable then is tried again. */
export async function forgetPoison(client: ClientBase, runId: string): Promise<void> {
  await client.query("DELETE FROM fieldseal.poison WHERE run_id = $1", [runId]);
}

export async function readPoison(
  client: ClientBase | Pool,
  runId: string,
  primaryKey: readonly string[],
): Promise<PoisonRow[]> {
  const { rows } = await client.query<{ key: string[]; column: string; code: string }>(
    `SELECT primary_key AS key, column_name AS column, code FROM fieldseal.poison WHERE run_id = $1
     ORDER BY primary_key LIMIT 1000`,
    [runId],
  );
  return rows.map(({ key, column, code }) => ({
    primaryKey: Object.fromEntries(primaryKey.map((name, i) => [name, key[i] as string])),
    column,
    code,
  }));
}

export async function setState(
  client: ClientBase | Pool,
  runId: string,
  state: RunState,
  from: readonly RunState[],
): Promise<boolean> {
  const { rowCount } = await client.query(
    "UPDATE fieldseal.run SET state = $2 WHERE id = $1 AND state = ANY ($3)",
    [runId, state, from],
  );
  return rowCount === 1;
}

export async function readProgress(
  client: ClientBase | Pool,
  runId: string,
  { schema, table }: { readonly schema: string | undefined; readonly table: string },
): Promise<Progress> {
  const { rows } = await client.query<Record<string, string>>(
    `SELECT r.state, r.rows_total AS total, sum(c.seen) AS seen, sum(c.written) AS written,
       sum(c.conflicts) AS conflicts, count(*) FILTER (WHERE c.finished_at IS NULL) AS left,
       (SELECT count(DISTINCT primary_key) FROM fieldseal.poison p WHERE p.run_id = r.id) AS poison
     FROM fieldseal.run r JOIN fieldseal.chunk c ON c.run_id = r.id WHERE r.id = $1 GROUP BY r.id`,
    [runId],
  );
  const row = rows[0] ?? {};
  return {
    runId,
    schema,
    table,
    state: row.state as RunState,
    rowsSeen: Number(row.seen),
    rowsTotal: Number(row.total),
    rowsWritten: Number(row.written),
    conflicts: Number(row.conflicts),
    poisonRows: Number(row.poison),
    chunksLeft: Number(row.left),
  };
}
