// A run: workers of any number of processes take chunks of the table until none is left.
import { createHash, randomUUID } from "node:crypto";
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { BatchSize } from "./batch-size.ts";
import { releaseChunks } from "./chunks.ts";
import {
  FORMS,
  databaseError,
  patiently,
  reconnecting,
  withClient,
  withSessions,
} from "./connections.ts";
import type { Direction, RunOptions, RunReport, RunState, Target } from "./contract.ts";
import { DeclaredPlaintext } from "./declared.ts";
import {
  endRun,
  openRun,
  pauseIdleRun,
  prepareJournal,
  readProgress,
  startNextPass,
} from "./journal.ts";
import { LegacyGuard } from "./legacy-guard.ts";
import { Monitor } from "./monitor.ts";
import { refuseSharedSessions, refuseSmallPool } from "./pooler.ts";
import { readPoison } from "./poison.ts";
import { DEFAULTS, refusePoison, type CompleteOptions, type Run } from "./run.ts";
import {
  refuseCascades,
  refuseDescribedTwice,
  refuseFinalized,
  refuseImpossible,
} from "./refusals.ts";
import { keepSourcesInStep, refuseUnknownColumns } from "./sources.ts";
import { describeTable, groupByTable, type Table } from "./table.ts";
import { Turns } from "./turns.ts";
import { Vacuum } from "./vacuum.ts";
import { work } from "./worker.ts";

/**
 * Brings all values of these columns into the form that the columns declare, on the live database: plaintext and older
 * layouts become envelopes, other keys the primary one, other suites the declared one; blind indexes are filled. Rows
 * that are so already cost a look and no write. An unfinished run of the same kind is continued, and shared with other
 * processes that call this at the same time.
 *
 * @param columns from `encryptedColumns()` of an adapter. Columns that still hold plaintext need `plaintext: "accept"`
 * @returns one report per table; state "partial" when rows were left because they cannot be read, or stayed locked. One
 * that is paused is the last, and so is one that `signal` left "running" in another process: no table behind it is begun
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`, also for a pool of one connection, or one that leads to a pooler in
 * transaction mode; `ERR_MIGRATE_STATE`, `ERR_MIGRATE_POISON`, `ERR_MIGRATE_DATABASE`
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
  const { reports } = await migrateUntil(pool, columns, { options });
  return reports;
}

/** A part of a migration, as a queue works on it. */
export interface SliceLimits {
  /** Time of `performance.now()` after which no batch is begun. */
  readonly deadline: number;
  /** Runs of this name that have ended are not begun again. */
  readonly campaign: string | undefined;
}

/** What {@link migrate} does, or a slice of it: that one leaves a run alone which was paused. */
export async function migrateUntil(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  { options, slice }: { readonly options: RunOptions; readonly slice?: SliceLimits },
): Promise<{ readonly reports: RunReport[]; readonly isFinished: boolean }> {
  const complete = { ...DEFAULTS, ...options };
  refuseUnknownColumns(columns, complete);
  refuseSmallPool(pool);
  await reconnecting(async () => {
    await refuseSharedSessions(pool);
    await withClient(pool, (client) => refuseDescribedTwice(client, columns, complete));
  });
  const reports: RunReport[] = [];
  for (const target of groupByTable(columns)) {
    const { run, state } = await reconnecting(() => startRun(pool, target, { complete, slice }));
    try {
      if (state === "running") await workPasses(pool, run);
      reports.push(await reconnecting(() => finish(pool, run, slice !== undefined)));
    } catch (error) {
      throw databaseError(error, { table: target.table, runId: run.id });
    }
    // What a deadline interrupts is left to the next slice. Whoever pauses a run means the tables behind it too; and whoever
    // interrupts this process, while another works on, must not leave that one a paused run of the next table.
    const reached = reports.at(-1)?.state;
    if (reached === "paused" || reached === "running") return { reports, isFinished: false };
  }
  return { reports, isFinished: true };
}

async function startRun(
  pool: Pool,
  target: Target,
  {
    complete,
    slice,
  }: { readonly complete: CompleteOptions; readonly slice: SliceLimits | undefined },
): Promise<{ readonly run: Run; readonly state: RunState }> {
  const { direction, chunks, signal } = complete;
  const { campaign, deadline = Infinity } = slice ?? {};
  return withClient(pool, async (client) => {
    // Another caller may be counting a large table; what a role may wait for is meant for the application.
    await client.query(`SET statement_timeout = 0; SET lock_timeout = 0; ${FORMS}`);
    const table = await describeTable(client, target, complete);
    refuseImpossible(table, direction);
    await refuseCascades(client, table);
    const declared = new DeclaredPlaintext(table, complete.plaintextRows ?? []);
    const legacy = new LegacyGuard(table);
    if (direction === "encrypt") await legacy.probe(client, declared);
    else await refuseFinalized(client, table);
    await prepareJournal(client);
    await keepSourcesInStep(client, table, signal);
    const fingerprint = fingerprintOf(table, direction);
    const resumes = slice === undefined;
    const spec = { table, direction, fingerprint, chunks, campaign, resumes };
    const { id, state } = await openRun(client, spec);
    return { run: { id, table, options: complete, declared, legacy, signal, deadline }, state };
  });
}

/** All workers of this process, pass after pass, until one finds nothing to do. */
async function workPasses(pool: Pool, run: Run): Promise<void> {
  const { rowsTotal, chunksLeft } = await readProgress(pool, run.id, run.table);
  // One connection reads; a small pool has fewer workers rather than a worker that waits for ever.
  const workers = Math.max(1, Math.min(run.options.workers, pool.options.max - 1, chunksLeft));
  const owners = Array.from({ length: workers }, () => randomUUID());
  const size = new BatchSize(run.options.batchRows);
  const tools = { owners, size, vacuum: new Vacuum(run, rowsTotal) };
  const passes = (noteProgress: () => void): Promise<void> =>
    withSessions(pool, workers + 1, async ([first, ...writers]) => {
      const reader = new Turns(first as ClientBase);
      do {
        const monitor = new Monitor(reader, run);
        const working = writers.map(async (writer, i) => {
          try {
            const owner = owners[i] as string;
            await work({ ...tools, owner, reader, writer, run, monitor, noteProgress });
          } catch (error) {
            monitor.stop();
            throw error;
          }
        });
        await settle(working);
      } while (await reader.take((client) => nextPass(client, run)));
    });
  try {
    await reconnecting(passes, run.signal);
  } catch (error) {
    // Whoever goes on at once need not wait for the leases. Where that fails as well, they end by themselves.
    await releaseChunks(pool, { runId: run.id, owners }).catch(() => {});
    throw error;
  }
}

/** All workers stop before the first error is thrown: none writes on behind the caller's back. */
async function settle(workers: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(workers);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

async function nextPass(
  client: ClientBase,
  { id, table, signal, deadline }: Run,
): Promise<boolean> {
  if (signal?.aborted === true || performance.now() >= deadline) return false;
  return patiently(() => startNextPass(client, id, table));
}

async function finish(pool: Pool, run: Run, isSlice: boolean): Promise<RunReport> {
  const { id, table, options, deadline, signal } = run;
  refusePoison(run, await readProgress(pool, id, table));
  if (signal?.aborted !== true && performance.now() < deadline)
    await patiently(() => endRun(pool, id));
  // A queue that shuts down says nothing about the run; a person who interrupts the last process pauses it.
  if (signal?.aborted === true && !isSlice) await patiently(() => pauseIdleRun(pool, id));
  const report = await readProgress(pool, id, table);
  options.onProgress?.(report);
  return { ...report, poison: await readPoison(pool, id, table.primaryKey) };
}

/** What the run would write depends on these; a run that is continued must agree. */
function fingerprintOf({ fullName, migrated }: Table, direction: Direction): string {
  const parts = migrated.map(({ column: { column, cipher }, source, previous }) => [
    column,
    source,
    previous?.context,
    cipher.context,
    cipher.suite,
    cipher.storage,
    cipher.options.pad,
    cipher.primaryKeyId,
    cipher.blindIndex?.column,
    cipher.blindIndex?.bits,
  ]);
  return createHash("sha256")
    .update(JSON.stringify([fullName, direction, parts]))
    .digest("hex");
}
