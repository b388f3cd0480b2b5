// What a re-encryption leaves in the database for the process after this one.
import type { Pool } from "pg";
import type { RotationState } from "../../web/src/data/contract.ts";

export interface SavedRotation {
  readonly state: RotationState["state"];
  readonly failures: number;
  readonly doneTables: readonly string[];
  /** Rows and files of the last run, as it was when it ended or stopped; 0 where none was counted. */
  readonly done: number;
  readonly total: number;
  /** How long it has worked, without its pauses. */
  readonly workedMs: number;
}

interface Row {
  readonly state: RotationState["state"];
  readonly failures: number;
  readonly done_tables: readonly string[];
  readonly done: number;
  readonly total: number;
  /** `pg` gives a bigint as text. */
  readonly worked_ms: string;
}

export class RotationJournal {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async read(): Promise<SavedRotation | undefined> {
    const { rows } = await this.#pool.query<Row>("SELECT * FROM rotation");
    const [row] = rows;
    if (!row) return undefined;
    const { state, failures, done_tables: doneTables, done, total, worked_ms: workedMs } = row;
    return { state, failures, doneTables, done, total, workedMs: Number(workedMs) };
  }

  async write(saved: SavedRotation): Promise<void> {
    const { state, failures, doneTables, done, total, workedMs } = saved;
    await this.#pool.query(
      `INSERT INTO rotation (id, state, failures, done_tables, done, total, worked_ms)
       VALUES (1, $1, $2, $3, $4, $5, $6)
       ON CONFLICT (id) DO UPDATE
       SET state = $1, failures = $2, done_tables = $3, done = $4, total = $5, worked_ms = $6`,
      [state, failures, doneTables, done, total, Math.round(workedMs)],
    );
  }
}
