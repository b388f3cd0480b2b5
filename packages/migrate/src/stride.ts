// How far to read at a time: about as many rows as wanted, never many megabytes.
import type { ClientBase } from "pg";
import { PLACES_PER_BLOCK, type Place, type ReadRow } from "./read.ts";

const MAX_BATCH_BYTES = 4_000_000;
/** Of a table that was never analyzed. */
const USUAL_ROWS_PER_BLOCK = 50;
/** Where most rows are dead, more blocks are read at once; a dense region behind must not come as a flood. */
const MAX_THINNING = 4;

export interface LeafSize {
  readonly rowsPerBlock: number;
  readonly bytesPerRow: number;
  /** Offsets of a block that can hold a row: a row has at least 28 bytes with its pointer. */
  readonly maxOffset: number;
}

/** From the catalog; bytes include what is stored out of line. */
export async function measureLeaf(client: ClientBase, leaf: string): Promise<LeafSize> {
  const { rows } = await client.query<Record<"blocks" | "bytes" | "rows" | "block_size", string>>(
    `SELECT pg_relation_size(oid) / current_setting('block_size')::int AS blocks, pg_table_size(oid) AS bytes,
       reltuples AS rows, current_setting('block_size') AS block_size
     FROM pg_class WHERE oid = to_regclass($1)`,
    [leaf],
  );
  const [row] = rows;
  const blocks = Math.max(1, Number(row?.blocks ?? 1));
  const known = Number(row?.rows ?? -1);
  const total = known > 0 ? known : blocks * USUAL_ROWS_PER_BLOCK;
  return {
    rowsPerBlock: Math.max(0.1, total / blocks),
    bytesPerRow: Math.max(1, Number(row?.bytes ?? 0) / total),
    maxOffset: Math.ceil(Number(row?.block_size ?? 8192) / 28),
  };
}

export class Stride {
  readonly #average: LeafSize;
  #rowsPerBlock: number;
  #bytesPerRow: number;

  constructor(average: LeafSize) {
    this.#average = average;
    this.#rowsPerBlock = average.rowsPerBlock;
    this.#bytesPerRow = average.bytesPerRow;
  }

  /** Where a batch of about so many rows ends. */
  end(from: Place, rowsWanted: number): Place {
    const offset = from % PLACES_PER_BLOCK;
    if (offset >= this.#average.maxOffset) return from - offset + PLACES_PER_BLOCK;
    const rows = Math.max(1, Math.min(rowsWanted, MAX_BATCH_BYTES / this.#bytesPerRow));
    const blocks = rows / this.#rowsPerBlock;
    if (blocks < 1) return from + Math.ceil(rows);
    return from - offset + Math.floor(blocks) * PLACES_PER_BLOCK;
  }

  /** Learns from what was read. */
  observe(from: Place, to: Place, rows: readonly ReadRow[]): void {
    const blocks = (to - from) / PLACES_PER_BLOCK;
    if (blocks >= 1) {
      const least = this.#average.rowsPerBlock / MAX_THINNING;
      this.#rowsPerBlock = Math.max(least, (this.#rowsPerBlock + rows.length / blocks) / 2);
    }
    if (rows.length === 0) return;
    this.#bytesPerRow = (this.#bytesPerRow + bytesOf(rows) / rows.length) / 2;
  }
}

function bytesOf(rows: readonly ReadRow[]): number {
  let bytes = 0;
  for (const { cells } of rows) for (const cell of cells) bytes += cell?.length ?? 0;
  return bytes;
}
