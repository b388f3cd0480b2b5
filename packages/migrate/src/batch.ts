// Rows on their way: read by their place, opened and sealed in this process, ready to be written.
import type { ClientBase } from "pg";
import type { BatchSize } from "./batch-size.ts";
import type { Chunk } from "./chunks.ts";
import { patiently } from "./connections.ts";
import type { Monitor } from "./monitor.ts";
import { recordPoison } from "./poison.ts";
import { readPlaces, type Place, type ReadRow } from "./read.ts";
import { rewriteInTurns } from "./rewrite-in-turns.ts";
import type { Run } from "./run.ts";
import type { Stride } from "./stride.ts";
import type { Turns } from "./turns.ts";
import type { Vacuum } from "./vacuum.ts";
import type { Changed } from "./write.ts";

/** What one worker has, and shares with the others of its process. */
export interface Worker {
  /** Names this worker in leases. */
  readonly owner: string;
  /** The same of all workers of this process. */
  readonly owners: readonly string[];
  /** Shared by the workers of a process: each of them reads a tenth of the time that it writes. */
  readonly reader: Turns<ClientBase>;
  readonly writer: ClientBase;
  readonly run: Run;
  readonly size: BatchSize;
  readonly monitor: Monitor;
  readonly vacuum: Vacuum;
  readonly noteProgress: () => void;
}

export interface Batch {
  readonly start: Place;
  readonly end: Place;
  readonly seen: number;
  readonly changed: readonly Changed[];
}

export async function readBatch(
  worker: Worker,
  { leaf, end }: Chunk,
  { stride, from }: { readonly stride: Stride; readonly from: Place },
): Promise<Batch> {
  const to = Math.min(end, stride.end(from, worker.size.rows));
  const rows = await patiently(() =>
    worker.reader.take((client) => readPlaces(client, worker.run.table, { leaf, from, to })),
  );
  stride.observe(from, to, rows);
  return { start: from, end: to, seen: rows.length, changed: await change(worker, rows) };
}

/** The rows that need a write; those that cannot be read are recorded. */
export async function change(
  { reader, run }: Worker,
  rows: readonly ReadRow[],
): Promise<Changed[]> {
  const { direction } = run.options;
  const { declared, legacy } = run;
  const cells = rows.map((row) => row.cells);
  const rewritten = await rewriteInTurns(run.table, cells, {
    direction,
    isPlaintext: (row, column) => declared.has((rows[row] as ReadRow).key, column),
  });
  legacy.judge(cells, rewritten.poison);
  const poison = rewritten.poison.map(({ row, column, code }) => ({
    key: (rows[row] as ReadRow).key,
    column,
    code,
  }));
  if (poison.length > 0) await reader.take((client) => recordPoison(client, run.id, poison));
  return rows.flatMap((row, i) => {
    const next = rewritten.rows[i];
    return next ? [{ row, cells: next }] : [];
  });
}
