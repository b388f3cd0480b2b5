// What the engine takes and gives. It knows tables and columns, no ORM.
import type { EncryptedColumn } from "@fieldseal/crypto";

/** `encrypt` ends with every value under the primary key, in the suite and form of its column; `decrypt` in plaintext. */
export type Direction = "encrypt" | "decrypt";

export type RunState = "running" | "paused" | "cancelled" | "done" | "partial";

export interface RunOptions {
  /** Defaults to "encrypt". */
  readonly direction?: Direction;
  /** Rows read and written in one statement. Defaults to 1000. */
  readonly batchRows?: number;
  /** Workers of this process, each with a connection and a chunk of its own. Defaults to 2. */
  readonly workers?: number;
  /** Pieces that a table is cut into; a killed process loses the lease of one. Defaults to one per 20 000 rows, 1 to 1000. */
  readonly chunks?: number;
  /** At most so many rows a second, over all workers of this process. Defaults to no limit. */
  readonly maxRowsPerSecond?: number;
  /** The run stops when so many rows could not be read. Defaults to 1000. */
  readonly maxPoisonRows?: number;
  /** Stops after the batch at hand; the run can be continued. */
  readonly signal?: AbortSignal;
  /** How long a worker may be silent before another takes its chunk. Defaults to 30 s. */
  readonly leaseMs?: number;
  /** Called after every batch. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly runId: string;
  readonly schema: string | undefined;
  readonly table: string;
  readonly state: RunState;
  /** Rows looked at so far, by all processes. */
  readonly rowsSeen: number;
  /** Rows when the run was planned. */
  readonly rowsTotal: number;
  readonly rowsWritten: number;
  /** Batch writes that found a row changed or locked meanwhile; those rows were read again. */
  readonly conflicts: number;
  readonly poisonRows: number;
  readonly chunksLeft: number;
}

/** A row with a value that cannot be read: left as it is, and named. */
export interface PoisonRow {
  /** Text of each column of the primary key. */
  readonly primaryKey: Readonly<Record<string, string>>;
  readonly column: string;
  /** Error code. */
  readonly code: string;
}

export interface RunReport extends Progress {
  readonly poison: readonly PoisonRow[];
}

/** The columns of one table. */
export interface Target {
  readonly schema: string | undefined;
  readonly table: string;
  readonly primaryKey: readonly string[];
  readonly columns: readonly EncryptedColumn[];
}

/** What a column of one table holds, value by value. */
export interface ColumnFindings {
  readonly model: string;
  readonly field: string;
  readonly table: string;
  readonly column: string;
  readonly rows: number;
  readonly nulls: number;
  /** Values that open, by key id. */
  readonly byKey: Readonly<Record<string, number>>;
  /** Values that are no envelope and are readable only because the column accepts plaintext. */
  readonly plaintext: number;
  /** Values of the unauthenticated older layout. */
  readonly legacy: number;
  /** Envelopes of another suite or form than the column declares. */
  readonly otherForm: number;
  /** Rows whose token is not that of their value; undefined without a blind index. */
  readonly indexDrift: number | undefined;
  /** The first rows that cannot be read. */
  readonly unreadable: readonly PoisonRow[];
  readonly unreadableRows: number;
  /** Every value is an envelope of the primary key in the declared form: the column can turn strict. */
  readonly isStrict: boolean;
}
