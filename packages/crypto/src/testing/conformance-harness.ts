// What an adapter gives the conformance suite to run on. One table, one model, a plain client beside it.
import type { ColumnType } from "../codecs/by-type.ts";
import type { EncryptionOptions } from "../column-options.ts";
import type { KeyringInput } from "../keyring.ts";

/** The test framework's functions, handed in because this package depends on none. Mocha's fit. */
export interface TestFramework {
  readonly describe: (title: string, define: () => void) => void;
  readonly it: (title: string, run: () => Promise<void>) => void;
  readonly before: (run: () => Promise<void>) => void;
  readonly after: (run: () => Promise<void>) => void;
}

export interface ConformanceHarness extends TestFramework {
  /** Runs SQL on a client that knows nothing of encryption. */
  readonly query: (
    sql: string,
    parameters?: readonly unknown[],
  ) => Promise<Record<string, unknown>[]>;
  /** Makes the table, with a serial primary key `id` and these columns, and a model over it. */
  readonly openModel: (definition: ConformanceDefinition) => Promise<ConformanceModel>;
}

export interface ConformanceDefinition {
  /** Of table and model. */
  readonly name: string;
  readonly keyring: KeyringInput;
  /** By name of property and column. A blind index's companion column is the harness's to make. */
  readonly fields: Readonly<Record<string, ConformanceField>>;
}

export interface ConformanceField {
  readonly type: ColumnType;
  /** `"plain"` asks for the ORM's own type: the control that tells our faults from the ORM's habits. */
  readonly options: EncryptionOptions | "plain";
}

export type ConformanceRecord = Record<string, unknown>;

/** Each property equals its value; an array means one of several, null means NULL, and {@link Not} the rest. */
export type ConformanceCondition = Readonly<Record<string, unknown>>;

/** "Unequal", or with an array "none of these", as SQL means it: a row with NULL is not among them. */
export class Not {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/**
 * The ORM's ordinary ways, nothing of the adapter's own. A mistake would be to keep instances between calls: each
 * call uses a new session, as a new request would.
 */
export interface ConformanceModel {
  insert(values: ConformanceRecord): Promise<number>;
  /** In one bulk call of the ORM; ids in order. */
  insertMany(values: readonly ConformanceRecord[]): Promise<number[]>;
  load(id: number): Promise<ConformanceRecord>;
  /** All, by id, in one query. */
  loadAll(): Promise<ConformanceRecord[]>;
  /** Loads an instance, changes its properties, saves it. */
  change(id: number, change: (record: ConformanceRecord) => void): Promise<void>;
  /** One UPDATE by id without loading. */
  update(id: number, values: ConformanceRecord): Promise<void>;
  /** One statement that inserts the row of this `id`, or updates it when there is one. */
  upsert(values: ConformanceRecord): Promise<void>;
  /** Ids of the rows that a condition means, in order. */
  find(where: ConformanceCondition): Promise<number[]>;
  /** Their number, counted by the database. */
  count(where: ConformanceCondition): Promise<number>;
  /** The ORM's own UPDATE of these rows, without instances. */
  updateWhere(where: ConformanceCondition, values: ConformanceRecord): Promise<void>;
  /** The ORM's own DELETE of these rows, without instances. */
  deleteWhere(where: ConformanceCondition): Promise<void>;
  /** Ids of the rows where a property is like a pattern. */
  findLike(property: string, pattern: string): Promise<number[]>;
  /** Ids in the order of a property. */
  sortBy(property: string): Promise<number[]>;
  /**
   * What was sent to the database since the model was opened: SQL with its parameters, bytes as hex. Taken from the
   * driver, because an ORM's log leaves parameters out, and an adapter may redact it.
   */
  statements(): readonly string[];
  close(): Promise<void>;
}
