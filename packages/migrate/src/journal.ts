// The engine's own tables and the runs in them. They hold no value of any migrated column, encrypted or not, and no
// primary key except those of rows that cannot be read.
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { planChunks } from "./chunks.ts";
import type { Direction, Progress, RunState } from "./contract.ts";
import { refuseForeignJournal } from "./ownership.ts";
import { forgetPoison, retryPoison } from "./poison.ts";
import { leavesWithKey, type Table } from "./table.ts";
import { inTransaction } from "./transaction.ts";

/** Two processes may start at once: the lock lets one make the tables. */
const LOCK = 0x66_73_65_61; // "fsea"

const TABLES = `
CREATE TABLE IF NOT EXISTS fieldseal.run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  fingerprint text NOT NULL,
  direction text NOT NULL,
  state text NOT NULL DEFAULT 'running',
  rows_total bigint NOT NULL,
  chunks_wanted int NOT NULL,
  campaign text,
  pass int NOT NULL DEFAULT 0,
  written_before bigint NOT NULL DEFAULT 0,
  conflicts_before bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS fieldseal.chunk (
  run_id bigint NOT NULL REFERENCES fieldseal.run ON DELETE CASCADE,
  number int NOT NULL,
  leaf text NOT NULL,
  cursor_place bigint NOT NULL,
  end_place bigint NOT NULL,
  seen bigint NOT NULL DEFAULT 0,
  written bigint NOT NULL DEFAULT 0,
  conflicts bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
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
  reason text,
  PRIMARY KEY (run_id, primary_key, column_name)
);`;

export async function prepareJournal(client: ClientBase): Promise<void> {
  await inTransaction(client, async () => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [LOCK]);
    // IF NOT EXISTS asks for the right to create schemas even where this one exists.
    const { rows } = await client.query<{ isThere: boolean }>(
      `SELECT to_regnamespace('fieldseal') IS NOT NULL AS "isThere"`,
    );
    if (rows[0]?.isThere !== true) await client.query("CREATE SCHEMA fieldseal");
    await refuseForeignJournal(client);
    await client.query(TABLES);
  });
}

export interface RunSpec {
  readonly table: Table;
  readonly direction: Direction;
  /** Changes with anything that changes what the run would write. */
  readonly fingerprint: string;
  readonly chunks: number | undefined;
  /** Name under which callers agree on the end of a run; it is not begun a second time. */
  readonly campaign?: string | undefined;
  /** Whether a run that was paused goes on. */
  readonly resumes?: boolean;
}

export interface OpenedRun {
  readonly id: string;
  /** Anything but "running": there is nothing to do for the caller. */
  readonly state: RunState;
}

const ROWS_PER_CHUNK = 20_000;
const MAX_CHUNKS = 1000;

/** The unfinished run of this specification, or a new one with its chunks. Two callers at once get the same. */
export async function openRun(client: ClientBase, spec: RunSpec): Promise<OpenedRun> {
  const { table, fingerprint, campaign, resumes = true } = spec;
  return inTransaction(client, async () => {
    await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [LOCK, table.fullName]);
    const { rows } = await client.query<{ id: string; fingerprint: string; state: RunState }>(
      `SELECT id, fingerprint, state FROM fieldseal.run
       WHERE target = $1 AND (state IN ('running', 'paused') OR campaign = $2 AND fingerprint = $3)
       ORDER BY state IN ('running', 'paused') DESC, id DESC LIMIT 1`,
      [table.fullName, campaign, fingerprint],
    );
    const [found] = rows;
    if (found === undefined) return { id: await createRun(client, spec), state: "running" };
    const { id, state } = found;
    if (found.fingerprint !== fingerprint) refuseOther(table, id);
    if (!resumes || (state === "running" && (await isAtWork(client, id)))) return { id, state };
    // Paused, or stopped by an error, as for too many rows that cannot be read.
    await retryPoison(client, id);
    await client.query("UPDATE fieldseal.run SET state = 'running' WHERE id = $1", [id]);
    return { id, state: "running" };
  });
}

function refuseOther({ table, sql }: Table, runId: string): never {
  throw new MigrationError(
    "ERR_MIGRATE_STATE",
    `Run ${runId} of table ${sql} is unfinished and was started with other columns, keys or another direction. ` +
      `Cancel it, as with "fieldseal migrate cancel ${runId}", then start again.`,
    { table, runId },
  );
}

async function isAtWork(client: ClientBase, runId: string): Promise<boolean> {
  const { rows } = await client.query(
    "SELECT FROM fieldseal.chunk WHERE run_id = $1 AND finished_at IS NULL AND lease_until > clock_timestamp() LIMIT 1",
    [runId],
  );
  return rows.length > 0;
}

async function createRun(client: ClientBase, spec: RunSpec): Promise<string> {
  const { table, direction, fingerprint, campaign } = spec;
  const total = (await knownRows(client, table.leaves)) ?? (await countRows(client, table.leaves));
  const chunks =
    spec.chunks ?? Math.min(MAX_CHUNKS, Math.max(1, Math.ceil(total / ROWS_PER_CHUNK)));
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO fieldseal.run (target, fingerprint, direction, rows_total, chunks_wanted, campaign)
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
    [table.fullName, fingerprint, direction, total, chunks, campaign],
  );
  const id = (rows[0] as { id: string }).id;
  await planChunks(client, id, table.leaves);
  return id;
}

/** Counting reads the whole table; above this size the planner's estimate is good enough for a progress bar. */
const COUNTED_BYTES = 100_000_000;

/** By counting where that is cheap, else of the catalogs; undefined where those do not know. */
async function knownRows(
  client: ClientBase,
  leaves: readonly string[],
): Promise<number | undefined> {
  const { rows } = await client.query<{ bytes: string | null; estimate: number | null }>(
    `SELECT sum(pg_relation_size(oid)) AS bytes,
       CASE WHEN bool_or(reltuples < 0 AND pg_relation_size(oid) > 0) THEN NULL
         ELSE sum(greatest(reltuples, 0)::float8) END AS estimate
     FROM pg_class WHERE oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS l(name))`,
    [leaves],
  );
  const { bytes, estimate } = rows[0] ?? { bytes: null, estimate: null };
  if (Number(bytes) <= COUNTED_BYTES) return countRows(client, leaves);
  return estimate === null ? undefined : Math.round(estimate);
}

async function countRows(client: ClientBase, leaves: readonly string[]): Promise<number> {
  let total = 0;
  for (const leaf of leaves) {
    const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ONLY ${leaf}`);
    total += Number(rows[0]?.count ?? 0);
  }
  return total;
}

/** Writers that store plaintext faster than it is encrypted would keep a run going for ever. */
const MAX_PASSES = 20;
/** Rows that the application holds locked are worth so many passes that write nothing else. */
const PASSES_FOR_LOCKED_ROWS = 3;

/**
 * Another pass over the table, unless the one that ended found nothing to write: rows that were locked, or inserted or
 * moved behind a cursor, are met then. Of several callers one starts it.
 * @returns whether there is work: false when the run is over, or was stopped
 */
export async function startNextPass(
  client: ClientBase,
  runId: string,
  table: Table,
): Promise<boolean> {
  return inTransaction(client, async () => {
    const { rows } = await client.query<{ state: RunState; pass: number }>(
      "SELECT state, pass FROM fieldseal.run WHERE id = $1 FOR UPDATE",
      [runId],
    );
    const [run] = rows;
    if (run?.state !== "running") return false;
    const { rows: sums } = await client.query<Record<"left" | "written" | "missed", string>>(
      `SELECT count(*) FILTER (WHERE finished_at IS NULL) AS left, coalesce(sum(written), 0) AS written,
         coalesce(sum(skipped + conflicts), 0) AS missed FROM fieldseal.chunk WHERE run_id = $1`,
      [runId],
    );
    const { left, written, missed } = sums[0] as NonNullable<(typeof sums)[0]>;
    if (Number(left) > 0) return true;
    const limit = Number(written) > 0 ? MAX_PASSES : PASSES_FOR_LOCKED_ROWS;
    // A conflict may be one that nobody has looked at again: its worker was cut off, or killed.
    if (Number(written) + Number(missed) === 0 || run.pass >= limit) return false;
    await beginPass(client, runId, await leavesWithKey(client, table, table.sql));
    return true;
  });
}

async function beginPass(
  client: ClientBase,
  runId: string,
  leaves: readonly string[],
): Promise<void> {
  // No count that could outlast the statement's time: the old number stays then.
  const total = await knownRows(client, leaves);
  await client.query(
    `UPDATE fieldseal.run SET pass = pass + 1, rows_total = coalesce($2::bigint, rows_total), written_before = written_before + total.written,
       conflicts_before = conflicts_before + total.conflicts
     FROM (SELECT coalesce(sum(written), 0) AS written, coalesce(sum(conflicts), 0) AS conflicts
       FROM fieldseal.chunk WHERE run_id = $1) total WHERE id = $1`,
    [runId, total],
  );
  await client.query("DELETE FROM fieldseal.chunk WHERE run_id = $1", [runId]);
  await forgetPoison(client, runId);
  await planChunks(client, runId, leaves);
}

/** Ends a run whose last pass is complete: "partial" when that one still found something that it had to leave or write. */
export async function endRun(client: ClientBase | Pool, runId: string): Promise<void> {
  await client.query(
    `UPDATE fieldseal.run SET state = CASE WHEN EXISTS (SELECT FROM fieldseal.poison WHERE run_id = $1)
       OR (SELECT sum(written + skipped) FROM fieldseal.chunk WHERE run_id = $1) > 0 THEN 'partial' ELSE 'done' END
     WHERE id = $1 AND state = 'running'
       AND NOT EXISTS (SELECT FROM fieldseal.chunk WHERE run_id = $1 AND finished_at IS NULL)`,
    [runId],
  );
}

/** Marks a run as paused that nobody works on any more. */
export async function pauseIdleRun(client: ClientBase | Pool, runId: string): Promise<void> {
  await client.query(
    `UPDATE fieldseal.run SET state = 'paused' WHERE id = $1 AND state = 'running' AND NOT EXISTS (
       SELECT FROM fieldseal.chunk WHERE run_id = $1 AND finished_at IS NULL AND lease_until > clock_timestamp())`,
    [runId],
  );
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
    `SELECT r.state, r.pass, r.rows_total AS total, coalesce(sum(c.seen), 0) AS seen,
       r.written_before + coalesce(sum(c.written), 0) AS written, coalesce(sum(c.skipped), 0) AS skipped,
       r.conflicts_before + coalesce(sum(c.conflicts), 0) AS conflicts,
       count(c.number) FILTER (WHERE c.finished_at IS NULL) AS left,
       count(c.number) FILTER (WHERE c.finished_at IS NULL AND c.lease_until > clock_timestamp()) AS "atWork",
       (SELECT count(DISTINCT primary_key) FROM fieldseal.poison p WHERE p.run_id = r.id) AS poison
     FROM fieldseal.run r LEFT JOIN fieldseal.chunk c ON c.run_id = r.id WHERE r.id = $1 GROUP BY r.id`,
    [runId],
  );
  const row = rows[0] ?? {};
  return {
    runId,
    schema,
    table,
    state: row.state as RunState,
    pass: Number(row.pass),
    rowsSeen: Number(row.seen),
    rowsTotal: Math.max(Number(row.total), Number(row.seen)),
    rowsWritten: Number(row.written),
    conflicts: Number(row.conflicts),
    rowsSkipped: Number(row.skipped),
    poisonRows: Number(row.poison),
    chunksLeft: Number(row.left),
    chunksAtWork: Number(row.atWork),
  };
}
