// A migration as jobs of pg-boss: slices on any number of machines. The queue says who works when; what is done stands in
// the engine's own tables, so that a job that is lost, repeated or killed changes nothing.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { Pool } from "pg";
import type { Job, PgBoss } from "pg-boss";
import type { RunReport } from "./contract.ts";
import { runSlice, type SliceOptions, type SliceReport } from "./slice.ts";

const QUEUE = "fieldseal-migrate";
/** Between two looks at a run that was paused. */
const PAUSED_SECONDS = 15;

/** What a job holds: names and a number. Columns and keys are those of the process that works. */
interface Lane {
  readonly campaign: string;
  readonly lane: number;
}

export interface EnqueueOptions {
  /** Name of the migration: tables that are finished under it are not gone through again. */
  readonly campaign: string;
  /** Jobs at a time, over all machines; each works on chunks of its own. Defaults to 4. */
  readonly lanes?: number;
  /** Defaults to "fieldseal-migrate". */
  readonly queue?: string;
}

/**
 * Creates the queue, and puts a job for every lane into it. Calling it again, from any process, adds nothing while the
 * lanes are there; when the campaign is over, jobs see that and end.
 *
 * @param boss started
 * @example
 * ```ts
 * await enqueueMigration(boss, { campaign: "encrypt-2027-01", lanes: 8 });
 * ```
 */
export async function enqueueMigration(
  boss: PgBoss,
  { campaign, lanes = 4, queue = QUEUE }: EnqueueOptions,
): Promise<void> {
  await createQueue(boss, queue);
  for (let lane = 0; lane < lanes; lane++) await send(boss, queue, { campaign, lane });
}

export interface WorkOptions extends Omit<SliceOptions, "maxMs" | "campaign" | "signal"> {
  readonly pool: Pool;
  readonly columns: readonly EncryptedColumn[];
  /** Milliseconds of one job; the next one is a new job, so that other queues get their turn. Defaults to 60 000. */
  readonly sliceMs?: number;
  /** Lanes that this process works on at once; each takes `workers` connections of the pool and one more. Defaults to 1. */
  readonly localConcurrency?: number;
  /** Defaults to "fieldseal-migrate". */
  readonly queue?: string;
  /** Called after every slice of this process. */
  readonly onSlice?: (report: SliceReport) => void;
}

/**
 * Works on the queue: each job runs a slice, and enqueues the next one of its lane until the migration is finished. A worker
 * that is killed loses its lease in seconds, and pg-boss gives its job to another one when it misses the heartbeat. A run
 * that was paused is looked at every 15 seconds; one that was cancelled, or ended partial, ends its lanes.
 *
 * @param boss started
 * @returns pg-boss's id of the worker, for `offWork`
 * @example
 * ```ts
 * await workMigration(boss, { pool, columns: encryptedColumns(sequelize), maxReplicationLagSeconds: 5 });
 * ```
 */
export async function workMigration(boss: PgBoss, options: WorkOptions): Promise<string> {
  const { queue = QUEUE, localConcurrency = 1, ...rest } = options;
  await createQueue(boss, queue);
  // pg-boss takes each fetched array as a batch: one job, unless asked for more.
  return boss.work(
    queue,
    { localConcurrency, pollingIntervalSeconds: 1 },
    async ([job]: Job<Lane>[]) => job && workLane(boss, job, { ...rest, queue }),
  );
}

/** What pg-boss keeps of a job: counts, no keys of rows. */
interface LaneReport {
  readonly isFinished: boolean;
  readonly tables: readonly Pick<RunReport, "table" | "state" | "rowsWritten" | "poisonRows">[];
}

async function workLane(
  boss: PgBoss,
  { data, signal }: Job<Lane>,
  {
    pool,
    columns,
    sliceMs = 60_000,
    queue = QUEUE,
    onSlice,
    ...options
  }: Omit<WorkOptions, "localConcurrency">,
): Promise<LaneReport> {
  const { campaign } = data;
  const report = await runSlice(pool, columns, { ...options, campaign, maxMs: sliceMs, signal });
  onSlice?.(report);
  const { isFinished, reports } = report;
  if (!isFinished) {
    const isPaused = reports.at(-1)?.state === "paused";
    await send(boss, queue, data, isPaused ? PAUSED_SECONDS : 0);
  }
  const tables = reports.map(({ table, state, rowsWritten, poisonRows }) => ({
    table,
    state,
    rowsWritten,
    poisonRows,
  }));
  return { isFinished, tables };
}

async function createQueue(boss: PgBoss, queue: string): Promise<void> {
  await boss.createQueue(queue, {
    // Of each lane one job at work, and one that waits: whatever is sent beside these is dropped.
    policy: "stately",
    heartbeatSeconds: 10,
    retryLimit: 30,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 60,
  });
}

async function send(boss: PgBoss, queue: string, lane: Lane, startAfter = 0): Promise<void> {
  const singletonKey = `${lane.campaign}/${lane.lane}`;
  await boss.send(queue, lane, { singletonKey, startAfter });
}
