// VACUUM between slices of a run: dead rows make room for the next ones, so that the table grows by a slice and not to
// double its size.
import type { ClientBase } from "pg";
import type { Run } from "./run.ts";
import type { Turns } from "./turns.ts";

const SLICES = 10;
/** Smaller tables grow by less than a VACUUM costs. */
const LEAST_ROWS = 10_000;

export class Vacuum {
  readonly #slice: number;
  #rows = 0;

  constructor({ options }: Pick<Run, "options">, rowsTotal: number) {
    this.#slice =
      options.vacuum === true ? Math.max(LEAST_ROWS, Math.ceil(rowsTotal / SLICES)) : Infinity;
  }

  /** After rows of a leaf were written. Reading rests meanwhile; another VACUUM of the table is not waited for. */
  async after(reader: Turns<ClientBase>, leaf: string, rows: number): Promise<void> {
    this.#rows += rows;
    if (this.#rows < this.#slice) return;
    this.#rows = 0;
    await reader.take(async (client) => {
      await client.query("SET statement_timeout = 0");
      await client.query(`VACUUM (SKIP_LOCKED) ${leaf}`);
      await client.query("SET statement_timeout = '30s'");
    });
  }
}
