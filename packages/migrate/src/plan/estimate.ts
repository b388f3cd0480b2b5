// How much a run writes and how long it takes, from a measured sample. The model is checked against real runs in the
// tests; it is meant to be right within a factor of two.
import type { ClientBase } from "pg";
import type { Estimate } from "./contract.ts";
import type { Sample } from "./sample.ts";
import type { Shape } from "./table.ts";

export interface WalSettings {
  readonly hasFullPageWrites: boolean;
  readonly maxWalBytes: number;
}

export async function readWalSettings(client: ClientBase): Promise<WalSettings> {
  const { rows } = await client.query<{ full: boolean; bytes: string }>(
    `SELECT current_setting('full_page_writes')::bool AS full, pg_size_bytes(current_setting('max_wal_size')) AS bytes`,
  );
  return { hasFullPageWrites: rows[0]?.full ?? true, maxWalBytes: Number(rows[0]?.bytes ?? 0) };
}

export interface EstimateInput {
  readonly rows: number;
  readonly rowsToWrite: number;
  readonly shape: Shape;
  readonly sample: Sample;
  readonly wal: WalSettings;
  /** Of a trial. */
  readonly writeMsPerRow: number | undefined;
}

/** Headers of the WAL records of a row that moves to another page, and its share of the commit. */
const UPDATE_RECORD_BYTES = 100;
const INDEX_ENTRY_BYTES = 80;
/** What two writers reached on two cores, reference: bench/migrate.bench.ts. */
const ROWS_PER_SECOND = 30_000;
const WAL_BYTES_PER_SECOND = 60_000_000;
/** The last pass opens every value and writes nothing. */
const ROWS_READ_PER_SECOND = 150_000;

export function estimate(input: EstimateInput): Estimate {
  const { rows, rowsToWrite, shape, sample, writeMsPerRow } = input;
  const walBytes = walOf(input);
  const growth = total(sample.bytesAfter) - total(sample.bytesBefore);
  const rowBytes = rows === 0 ? 0 : shape.bytes.table / rows;
  const readSeconds = rows / ROWS_READ_PER_SECOND + (rows * sample.millisecondsPerRow) / 1000;
  const writeSeconds =
    writeMsPerRow === undefined
      ? Math.max(rowsToWrite / ROWS_PER_SECOND, walBytes / WAL_BYTES_PER_SECOND)
      : (rowsToWrite * writeMsPerRow) / 1000;
  const seconds = readSeconds + writeSeconds;
  const most = writeMsPerRow === undefined ? 4 : 2;
  return {
    rowsToWrite,
    walBytes,
    growthBytes: Math.round(rowsToWrite * growth),
    temporaryBytes: Math.round(rowsToWrite * (rowBytes + sample.bytesBefore.outside)),
    seconds: { least: Math.ceil(seconds / 2), most: Math.ceil(seconds * most) },
  };
}

function total({ inRow, outside }: { readonly inRow: number; readonly outside: number }): number {
  return inRow + outside;
}

/**
 * The new row, its index entries, and once per checkpoint an image of each page touched: those of the old rows follow
 * each other, those of an index may come in any order.
 */
function walOf({ rows, rowsToWrite, shape, sample, wal }: EstimateInput): number {
  if (rows === 0 || rowsToWrite === 0) return 0;
  const rowBytes = shape.bytes.table / rows;
  const newRow = Math.max(0, rowBytes - sample.bytesBefore.inRow) + total(sample.bytesAfter);
  const perRow = newRow + UPDATE_RECORD_BYTES + shape.indexes * INDEX_ENTRY_BYTES;
  const written = rowsToWrite * perRow;
  if (!wal.hasFullPageWrites) return Math.round(written);
  const oldPages = Math.min(shape.bytes.table, rowsToWrite * 8192);
  const checkpoints = 1 + Math.floor((written + oldPages) / Math.max(1, wal.maxWalBytes / 2));
  const indexPages = Math.min(
    shape.bytes.indexes * checkpoints,
    rowsToWrite * shape.indexes * 8192,
  );
  return Math.round(written + oldPages + indexPages);
}
