// A run as one process works on it.
import { MigrationError } from "@fieldseal/crypto";
import type { Direction, Progress, RunOptions } from "./contract.ts";
import type { DeclaredPlaintext } from "./declared.ts";
import type { LegacyGuard } from "./legacy-guard.ts";
import type { Table } from "./table.ts";

/** Milliseconds that a worker may be silent before another takes its chunk. */
export const DEFAULT_LEASE_MS = 30_000;

export const DEFAULTS = {
  direction: "encrypt" as Direction,
  workers: 2,
  maxPoisonRows: 1000,
  maxReplicationLagSeconds: 30,
  maxReplicationLagBytes: 512 * 1024 * 1024,
  maxSnapshotAgeSeconds: 3600,
  leaseMs: DEFAULT_LEASE_MS,
  progressMs: 250,
};

export type CompleteOptions = RunOptions & typeof DEFAULTS;

export interface Run {
  readonly id: string;
  readonly table: Table;
  readonly options: CompleteOptions;
  /** Values that are sealed as they are when they do not open. */
  readonly declared: DeclaredPlaintext;
  readonly legacy: LegacyGuard;
  readonly signal: AbortSignal | undefined;
  /** Time of `performance.now()` after which no batch is begun. */
  readonly deadline: number;
}

/** @throws {@link MigrationError} `ERR_MIGRATE_POISON` */
export function refusePoison({ id, table, options }: Run, { poisonRows }: Progress): void {
  if (poisonRows <= options.maxPoisonRows) return;
  throw new MigrationError(
    "ERR_MIGRATE_POISON",
    `Run ${id} of table ${table.sql} stopped: ${poisonRows} rows cannot be read, more than maxPoisonRows.`,
    { table: table.table, runId: id },
  );
}
