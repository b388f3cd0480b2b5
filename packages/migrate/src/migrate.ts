// A run: workers of any number of processes take chunks of the table until none is left.
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { keyName, readKeys, readRange, writeBatch, type ReadRow } from "./batch.ts";
import type { Direction, RunOptions, RunReport } from "./contract.ts";
import {
  claimChunk,
  forgetPoison,
  openRun,
  prepareJournal,
  readPoison,
  readProgress,
  recordPoison,
  releaseChunk,
  setState,
  startNextPass,
  type Chunk,
} from "./journal.ts";
import { rewrite } from "./rewrite.ts";
import { describeTable, groupByTable, type Table } from "./table.ts";

const DEFAULTS = {
  direction: "encrypt" as Direction,
  batchRows: 1000,
  workers: 2,
  maxPoisonRows: 1000,
  leaseMs: 30_000,
};

/**
 * Of the workers' connections, which are closed afterwards. A batch finds its rows by primary key: the planner, which
 * knows little of the arrays it is given, would read the whole table for each batch.
 */
const SESSION = `SET statement_timeout = '30s'; SET lock_timeout = '5s';
  SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off`;

/** A row that keeps being changed or locked is read again so often, then left for the sweep. */
const RETRIES = 3;

interface Run {
  readonly id: string;
  readonly table: Table;
  readonly options: RunOptions & typeof DEFAULTS;
  readonly pace: () => Promise<void>;
}

/**
 * Brings all values of these columns into the form that the columns declare, on the live database: plaintext and older
 * layouts become envelopes, other keys the primary one, other suites the declared one; blind indexes are filled. Rows
 * that are so already cost a look and no write. An unfinished run of the same kind is continued, and shared with other
 * processes that call this at the same time.
 *
 * @param columns from `encryptedColumns()` of an adapter. Columns that still hold plaintext need `plaintext: "accept"`
 * @returns one report per table; state "partial" when rows were left because they cannot be read
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`, `ERR_MIGRATE_STATE`, `ERR_MIGRATE_POISON`
 * @example
 * ```ts
 * const reports = await migrate(pool, encryptedColumns(sequelize), {
 *   onProgress: ({ table, rowsSeen, rowsTotal }) => console.log(table, rowsSeen, rowsTotal),
 * });
 * ```
 */
export async function migrate(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: RunOptions = {},
): Promise<RunReport[]> {
  const reports: RunReport[] = [];
  for (const target of groupByTable(columns)) {
    const complete = { ...DEFAULTS, ...options };
    const run = await withClient(pool, async (client) => {
      const table = await describeTable(client, target);
      refuseLegacyWrites(table, complete.direction);
      await prepareJournal(client);
      const id = await openRun(client, {
        table,
        direction: complete.direction,
        fingerprint: fingerprintOf(table, complete.direction),
        chunks: complete.chunks,
      });
      await forgetPoison(client, id);
      return { id, table, options: complete, pace: pacer(complete) };
    });
    do {
      const workers = Array.from({ length: complete.workers }, () => work(pool, run));
      await settle(workers);
    } while (await withClient(pool, (client) => startNextPass(client, run.id)));
    reports.push(await finish(pool, run));
  }
  return reports;
}

/** All workers stop before the first error is thrown: none writes on behind the caller's back. */
async function settle(workers: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(workers);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

async function finish(pool: Pool, { id, table, options }: Run): Promise<RunReport> {
  const progress = await readProgress(pool, id, table);
  if (progress.chunksLeft === 0 && progress.state === "running") {
    await setState(pool, id, progress.poisonRows > 0 ? "partial" : "done", ["running"]);
  } else if (options.signal?.aborted === true) {
    await setState(pool, id, "paused", ["running"]);
  }
  const report = await readProgress(pool, id, table);
  return { ...report, poison: await readPoison(pool, id, table.primaryKey) };
}

/** What the run would write depends on these; a run that is continued must agree. */
function fingerprintOf({ sql, columns }: Table, direction: Direction): string {
  const parts = columns.map(({ column, cipher }) => [
    column,
    cipher.context,
    cipher.suite,
    cipher.storage,
    cipher.options.pad,
    cipher.primaryKeyId,
    cipher.blindIndex?.column,
    cipher.blindIndex?.bits,
  ]);
  return createHash("sha256")
    .update(JSON.stringify([sql, direction, parts]))
    .digest("hex");
}

function refuseLegacyWrites({ table, columns }: Table, direction: Direction): void {
  const legacy = columns.find(({ cipher }) => cipher.suite === "aes-256-cbc");
  if (direction === "decrypt" || legacy === undefined) return;
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `Table "${table}" cannot be migrated: ${legacy.model}.${legacy.field} still writes the older layout. Take ` +
      'suite: "aes-256-cbc" out of its options first, so that the application does not undo the migration.',
    { table },
  );
}

async function work(pool: Pool, run: Run): Promise<void> {
  await withClient(pool, async (client) => {
    await client.query(SESSION);
    const owner = randomUUID();
    const { id: runId } = run;
    for (;;) {
      if (!(await mayGoOn(client, run))) return;
      const chunk = await claimChunk(client, { runId, owner, leaseMs: run.options.leaseMs });
      if (chunk === undefined) return;
      await workChunk(client, run, { chunk, owner });
      await releaseChunk(client, { runId, number: chunk.number, owner });
    }
  });
}

/** Another process may have paused or cancelled the run. */
async function mayGoOn(client: ClientBase, { id, table, options }: Run): Promise<boolean> {
  if (options.signal?.aborted === true) return false;
  const progress = await readProgress(client, id, table);
  if (progress.poisonRows > options.maxPoisonRows) {
    throw new MigrationError(
      "ERR_MIGRATE_POISON",
      `Run ${id} of table ${table.sql} stopped: ${progress.poisonRows} rows cannot be read, more than maxPoisonRows.`,
      { table: table.table, runId: id },
    );
  }
  options.onProgress?.(progress);
  return progress.state === "running";
}

async function workChunk(
  client: ClientBase,
  run: Run,
  { chunk, owner }: { readonly chunk: Chunk; readonly owner: string },
): Promise<void> {
  const { table, options } = run;
  let after = chunk.cursor;
  for (;;) {
    const rows = await readRange(client, table, {
      after,
      last: chunk.last,
      limit: options.batchRows,
    });
    const isLast = rows.length < options.batchRows;
    const cursor = rows.at(-1)?.key ?? null;
    const checkpoint = { cursor, seen: rows.length, isLast };
    const isOurs = await writeRows(client, run, { rows, checkpoint, chunk: chunk.number, owner });
    if (!isOurs || isLast) return;
    after = cursor;
    await run.pace();
    if (!(await mayGoOn(client, run))) return;
  }
}

interface Work {
  readonly rows: readonly ReadRow[];
  readonly checkpoint: {
    readonly cursor: readonly string[] | null;
    readonly seen: number;
    readonly isLast: boolean;
  };
  readonly chunk: number;
  readonly owner: string;
}

/** False when another worker has taken the chunk over. */
async function writeRows(client: ClientBase, run: Run, work: Work): Promise<boolean> {
  let { rows, checkpoint } = work;
  for (let attempt = 0; ; attempt++) {
    const stale = await rewriteRows(client, run, rows);
    const written = await writeBatch(client, run.table, stale, {
      ...checkpoint,
      runId: run.id,
      chunk: work.chunk,
      owner: work.owner,
      leaseMs: run.options.leaseMs,
    });
    if (written === undefined) return false;
    const missed = stale.filter(({ row }) => !written.has(keyName(row.key)));
    if (missed.length === 0 || attempt === RETRIES) return true;
    await sleep(5 + Math.random() * 20 * (attempt + 1));
    rows = await readKeys(
      client,
      run.table,
      missed.map(({ row }) => row.key),
    );
    // The batch is accounted for already; these rows only remain to be written.
    checkpoint = { cursor: null, seen: 0, isLast: checkpoint.isLast };
  }
}

async function rewriteRows(
  client: ClientBase,
  { id, table, options }: Run,
  rows: readonly ReadRow[],
): Promise<{ row: ReadRow; cells: readonly (string | Buffer | null)[] }[]> {
  const cells = rows.map((row) => row.cells);
  const rewritten = rewrite(table.columns, cells, options.direction);
  const poison = rewritten.poison.map(({ row, column, code }) => ({
    key: (rows[row] as ReadRow).key,
    column,
    code,
  }));
  await recordPoison(client, id, poison);
  return rows.flatMap((row, i) => {
    const next = rewritten.rows[i];
    return next ? [{ row, cells: next }] : [];
  });
}

/** Waits so that this process stays under its rows a second. */
function pacer({ maxRowsPerSecond, batchRows }: RunOptions & typeof DEFAULTS): () => Promise<void> {
  if (maxRowsPerSecond === undefined) return async () => {};
  let free = performance.now();
  return async () => {
    free = Math.max(free, performance.now()) + (batchRows / maxRowsPerSecond) * 1000;
    await sleep(free - performance.now());
  };
}

async function withClient<T>(pool: Pool, action: (client: ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    return await action(client);
  } finally {
    // Timeouts were set on the session: it must not serve the application afterwards.
    client.release(true);
  }
}
