// A piece of a run, for schedulers and queues: any number of machines may call it at the same time.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { Pool } from "pg";
import type { RunOptions, RunReport } from "./contract.ts";
import { migrateUntil } from "./migrate.ts";

export interface SliceOptions extends RunOptions {
  /** No batch is begun after so many milliseconds. */
  readonly maxMs: number;
  /**
   * Name of the migration that this slice is part of: tables that are finished under it are not gone through again, and
   * a run that was cancelled stays so. Defaults to none: a call that finds no unfinished run begins a new one, which
   * does for one table.
   */
  readonly campaign?: string;
}

export interface SliceReport {
  /** False: call again. The run was interrupted by the time, or is paused; other processes may still be at work. */
  readonly isFinished: boolean;
  readonly reports: readonly RunReport[];
}

/**
 * Works on the migration for some time. The run, its chunks and their leases stand in the database: a slice goes on
 * where any other stopped, and one that is killed costs nothing. A run that was paused stays so until `resumeRun`.
 *
 * @throws as {@link migrate}
 */
export async function runSlice(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  { maxMs, campaign, ...options }: SliceOptions,
): Promise<SliceReport> {
  const slice = { deadline: performance.now() + maxMs, campaign };
  return migrateUntil(pool, columns, { options, slice });
}
