// What the engine takes and gives. It knows tables and columns, no ORM.
import type { ColumnCipher, EncryptedColumn } from "@fieldseal/crypto";

/** `encrypt` ends with every value under the primary key, in the suite and form of its column; `decrypt` in plaintext. */
export type Direction = "encrypt" | "decrypt";

export type RunState = "running" | "paused" | "cancelled" | "done" | "partial";

export interface RunOptions {
  /** Defaults to "encrypt". */
  readonly direction?: Direction;
  /**
   * Plain columns of other types (jsonb, integer, date ...) that encrypted columns take over: `"table.column"` of the
   * encrypted column (with its schema, if the model has one) to the name of the plain one in the same table. A trigger
   * keeps the two in step until one of them is dropped. Defaults to none: values are replaced in place.
   */
  readonly sources?: Readonly<Record<string, string>>;
  /**
   * How columns were declared before, by `"table.column"`: values that do not open as declared now are opened so, and
   * sealed anew. For a change of `context`, which is part of what a value is bound to. Defaults to none.
   */
  readonly previous?: Readonly<Record<string, ColumnCipher<unknown>>>;
  /**
   * Values that look like envelopes, or begin as one, and that somebody has looked at and found to be plaintext. They are
   * encrypted as they are if they do not open: of an envelope that is damaged, or whose key is missing, that makes
   * ciphertext of ciphertext. Defaults to none.
   */
  readonly plaintextRows?: readonly PlaintextRow[];
  /** Rows of one write. Defaults to what takes at most about 100 ms, between 50 and 1500. */
  readonly batchRows?: number;
  /** Chunks that this process works on at once, each on a connection of its own; one more reads. Defaults to 2. */
  readonly workers?: number;
  /** Pieces that a table is cut into; a killed process loses the lease of one. Defaults to one per 20 000 rows, 1 to 1000. */
  readonly chunks?: number;
  /** At most so many rows a second, over all workers of this process. Defaults to no limit. */
  readonly maxRowsPerSecond?: number;
  /** Waits while the whole server writes more write-ahead log than this. Defaults to no limit. */
  readonly maxWalBytesPerSecond?: number;
  /** Waits while a replica is further behind. Defaults to 30. */
  readonly maxReplicationLagSeconds?: number;
  /** The same in bytes of write-ahead log: a replica that stands still reports no time. Defaults to 512 MiB. */
  readonly maxReplicationLagBytes?: number;
  /** Waits while a transaction or replica holds an older snapshot: VACUUM could remove nothing. Defaults to 3600. */
  readonly maxSnapshotAgeSeconds?: number;
  /** Runs VACUUM after every tenth of the table, so that it grows by a tenth and not to double. Defaults to false. */
  readonly vacuum?: boolean;
  /** The run stops when more rows than this cannot be read. Defaults to 1000. */
  readonly maxPoisonRows?: number;
  /** Stops after the batch at hand; the run can be continued. */
  readonly signal?: AbortSignal;
  /** How long a worker may be silent before another takes its chunk. Defaults to 30 s. */
  readonly leaseMs?: number;
  /** Milliseconds between two reports. Defaults to 250; 0 reports after every batch. */
  readonly progressMs?: number;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly runId: string;
  readonly schema: string | undefined;
  readonly table: string;
  readonly state: RunState;
  /** Passes over the table that are complete: the first writes, the last one proves that nothing is left. */
  readonly pass: number;
  /** Rows looked at in this pass, by all processes. */
  readonly rowsSeen: number;
  /** Rows when this pass began, or `rowsSeen` where that is more; an estimate for tables of over 100 MB. */
  readonly rowsTotal: number;
  /** In all passes. */
  readonly rowsWritten: number;
  /** Writes that found a row changed or locked meanwhile; those rows were read again. */
  readonly conflicts: number;
  /** Rows of this pass that stayed locked, or that a trigger keeps from being changed. */
  readonly rowsSkipped: number;
  readonly poisonRows: number;
  readonly chunksLeft: number;
  /** Chunks that a worker has on lease, in whatever process. */
  readonly chunksAtWork: number;
  /** Why this process waits: "replication lag", "old snapshot", "lock waits", "lease of another process". */
  readonly waitingFor?: string;
  /** How long that can last, where it is known: until the lease of a process that was killed ends. A live one renews it. */
  readonly waitingSeconds?: number;
}

/** A row with a value that cannot be read: left as it is, and named. */
export interface PoisonRow {
  /** Text of each column of the primary key. */
  readonly primaryKey: Readonly<Record<string, string>>;
  readonly column: string;
  /** Error code; `ERR_MIGRATE_DATABASE` when PostgreSQL refused the new value. */
  readonly code: string;
  /** What PostgreSQL said, without a value: its code, and the name of a constraint. */
  readonly reason?: string;
}

/** A row of {@link RunOptions.plaintextRows}, named as a report names it. */
export interface PlaintextRow extends Pick<PoisonRow, "primaryKey" | "column"> {
  /** With its schema, if the model has one: `"app.users"`. */
  readonly table: string;
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

export interface UnreadableRow extends PoisonRow {
  /** `"table.column"` whose value this is, if it is that of another column. */
  readonly movedFrom?: string;
  /** The key that the value names, where it does not open because of that key: unknown, disabled or destroyed. */
  readonly keyId?: string;
}

/** A row that a run would write. */
export interface FoundRow {
  readonly kind: "plaintext" | "legacy" | "other-form" | "index-drift";
  /** Text of each column of the primary key. */
  readonly primaryKey: Readonly<Record<string, string>>;
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
  /** Values of the unauthenticated legacy layout. */
  readonly legacy: number;
  /** Envelopes of another suite or form than the column declares. */
  readonly otherForm: number;
  /** Rows whose token is not that of their value; undefined without a blind index. */
  readonly indexDrift: number | undefined;
  /** The first rows that cannot be read. */
  readonly unreadable: readonly UnreadableRow[];
  readonly unreadableRows: number;
  /** Those of them that open as another of these columns: somebody has moved or copied them. */
  readonly movedRows: number;
  /** The first rows that are readable, but not as the column declares. */
  readonly found: readonly FoundRow[];
  /** Every value is an envelope of the primary key in the declared form: the column can turn strict. */
  readonly isStrict: boolean;
}
