// What a plan says: of each table how much there is to do, and what would keep it from being done.
import type { SuiteName } from "@fieldseal/crypto";
import type { Direction } from "../contract.ts";
import type { EnvelopeCount } from "../survey.ts";

export interface PlanOptions {
  /** Defaults to "encrypt". */
  readonly direction?: Direction;
  /** As of the run: plain columns that encrypted ones take over. Defaults to none. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Reads tables of any size whole. Defaults to false: of more than 128 MB a sample of their pages. */
  readonly exact?: boolean;
  /** Rows that are opened, sealed and measured. Defaults to 500. */
  readonly sampleRows?: number;
  /**
   * Writes the sampled rows as the run would, in a transaction that is rolled back: finds what only a write shows, and
   * measures how fast this server is. Their locks are held for a moment, and triggers run. Defaults to false.
   */
  readonly trial?: boolean;
  /** Reports snapshots that are open for longer. Defaults to 300. */
  readonly maxSnapshotAgeSeconds?: number;
  readonly signal?: AbortSignal;
}

/** A refusal would make the run fail or leave values behind; a warning costs time, space or a surprise afterwards. */
export type Severity = "refusal" | "warning" | "note";

export interface Finding {
  readonly severity: Severity;
  /** Stable, e.g. "check-constraint". */
  readonly kind: FindingKind;
  /** Undefined: the whole table, or the server. */
  readonly column?: string;
  readonly message: string;
  readonly fix?: string;
}

export type FindingKind =
  | "check-constraint"
  | "column-type"
  | "dependent-view"
  | "foreign-key"
  | "generated-column"
  | "index"
  | "insecure-write"
  | "key"
  | "missing"
  | "old-snapshot"
  | "partitions"
  | "plaintext"
  | "primary-key"
  | "privilege"
  | "read-only"
  | "replica"
  | "replica-identity"
  | "row-security"
  | "server-log"
  | "too-short"
  | "trial"
  | "trigger"
  | "unreadable"
  | "vacuum";

/** What a column holds now. Counts of a sample are scaled to the whole table. */
export interface ColumnFrom {
  readonly nulls: number;
  readonly plaintext: number;
  /** Values of the unauthenticated legacy layout. */
  readonly legacy: number;
  readonly envelopes: readonly EnvelopeCount[];
}

/** What it holds afterwards. */
export interface ColumnTo {
  readonly form: "envelopes" | "plaintext";
  readonly suite: SuiteName | "aes-256-cbc" | undefined;
  readonly keyId: string | undefined;
  readonly storage: "text" | "binary";
  /** Companion column of its blind index. */
  readonly blindIndex: string | undefined;
}

export interface ColumnPlan {
  readonly model: string;
  readonly field: string;
  readonly column: string;
  /** SQL type; undefined when the column is missing. */
  readonly type: string | undefined;
  /** Plain column that this one takes over. */
  readonly source: string | undefined;
  readonly from: ColumnFrom | undefined;
  readonly to: ColumnTo;
}

export interface Estimate {
  /** Rows that the run writes at least once. */
  readonly rowsToWrite: number;
  /** Write-ahead log, which archives and replicas receive too. */
  readonly walBytes: number;
  /** What the table grows by for good. */
  readonly growthBytes: number;
  /** What old row versions take until VACUUM frees it, at the most. */
  readonly temporaryBytes: number;
  /** From a quiet fast server to a busy slow one; narrower after a trial. */
  readonly seconds: { readonly least: number; readonly most: number };
}

export interface TablePlan {
  readonly schema: string | undefined;
  readonly table: string;
  readonly rows: number;
  /** Counts are those of a sample, scaled. */
  readonly isSampled: boolean;
  /** Of heap, TOAST and indexes, partitions included. */
  readonly bytes: { readonly table: number; readonly toast: number; readonly indexes: number };
  /** Quoted names of the leaves of a partitioned table; empty for others. */
  readonly partitions: readonly string[];
  readonly columns: readonly ColumnPlan[];
  readonly estimate: Estimate | undefined;
  /** Refusals first. */
  readonly findings: readonly Finding[];
}

export interface MigrationPlan {
  readonly direction: Direction;
  /** No refusal: a run can begin. */
  readonly isPossible: boolean;
  readonly tables: readonly TablePlan[];
  /** What concerns the server as a whole. */
  readonly findings: readonly Finding[];
}
