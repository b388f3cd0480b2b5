// What scrubbing does and what it says of the plaintext that an encrypted table leaves behind.
import type { LockOptions } from "../short-lock.ts";

export interface ScrubOptions extends LockOptions {
  /**
   * Writes tables and indexes anew with VACUUM FULL: the one way that leaves no dead row and no dropped column in the
   * files. Nobody reads or writes a table meanwhile, and it needs room for a copy. Defaults to false.
   */
  readonly rewrite?: boolean;
  /** Called before each step. */
  readonly onStep?: (step: ScrubProgress) => void;
}

export type ScrubStep = "vacuum" | "rewrite" | "analyze" | "statistics" | "wal";

export interface ScrubProgress {
  /** Undefined in steps of the whole server. */
  readonly table: string | undefined;
  readonly step: ScrubStep;
}

/** Places where values from before the encryption may still be read. */
export type RemnantKind =
  | "dead-rows"
  | "dropped-columns"
  | "statistics"
  | "wal"
  | "archive"
  | "replica"
  | "log"
  | "backup";

export interface Remnant {
  readonly kind: RemnantKind;
  /** "removed" and "remains" were looked up; "unknown" is out of the database's sight, and stays yours to do. */
  readonly state: "removed" | "remains" | "unknown";
  readonly message: string;
  /** Undefined when there is nothing left to do. */
  readonly fix?: string;
}

export interface ScrubbedTable {
  readonly schema: string | undefined;
  readonly table: string;
  readonly columns: readonly string[];
  /** What was done, in this order. */
  readonly steps: readonly ScrubStep[];
  readonly remnants: readonly Remnant[];
}

export interface ScrubReport {
  readonly tables: readonly ScrubbedTable[];
  /** What concerns the server as a whole: write-ahead log, replicas, logs, backups. */
  readonly remnants: readonly Remnant[];
}
