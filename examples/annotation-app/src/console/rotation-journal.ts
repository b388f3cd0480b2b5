// What a re-encryption leaves in the database for the process after this one.
import type { Pool } from "pg";
import type { RotationState } from "../../web/src/data/contract.ts";

export interface SavedRotation {
  readonly state: RotationState["state"];
  readonly failures: number;
  readonly doneTables: readonly string[];
}

interface Row {
  readonly state: RotationState["state"];
  readonly failures: number;
  readonly done_tables: readonly string[];
}

export class RotationJournal {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async read(): Promise<SavedRotation | undefined> {
    const { rows } = await this.#pool.query<Row>("SELECT * FROM rotation");
    const [row] = rows;
    return row && { state: row.state, failures: row.failures, doneTables: row.done_tables };
  }

  async write({ state, failures, doneTables }: SavedRotation): Promise<void> {
    await this.#pool.query(
      `INSERT INTO rotation (id, state, failures, done_tables) VALUES (1, $1, $2, $3)
       ON CONFLICT (id) DO UPDATE SET state = $1, failures = $2, done_tables = $3`,
      [state, failures, doneTables],
    );
  }
}
