// The rows of a batch until each is written, left or recorded: what was changed meanwhile is read again, and a row whose
// new value PostgreSQL refuses is found by halves, so that the others need not wait for it.
import { setTimeout as sleep } from "node:timers/promises";
import { change, type Batch, type Worker } from "./batch.ts";
import { countSkipped, type Chunk } from "./chunks.ts";
import { isRefusal, patiently } from "./connections.ts";
import { INEXACT } from "./exact-cast.ts";
import { readProgress } from "./journal.ts";
import { recordPoison, type PoisonRecord } from "./poison.ts";
import { readKeys } from "./read.ts";
import { writeBatch, type Changed, type Checkpoint } from "./write.ts";

/** A row that keeps being changed or locked is read again so often, then left for the next pass. */
const RETRIES = 3;

/** False when another worker has taken the chunk over. */
export async function writeRows(worker: Worker, chunk: Chunk, batch: Batch): Promise<boolean> {
  const { writer, reader, run } = worker;
  const done = { cursor: batch.end, isLast: batch.end >= chunk.end };
  let { changed, seen } = batch;
  for (let attempt = 0; ; attempt++) {
    const missed = await writeSome(worker, chunk, {
      rows: changed,
      start: batch.start,
      seen,
      ...done,
    });
    if (missed === undefined) return false;
    if (missed.length === 0) return true;
    await sleep(5 + Math.random() * 20 * (attempt + 1));
    const keys = missed.map(({ row }) => row.key);
    const again = await patiently(() =>
      reader.take((client) => readKeys(client, run.table, { leaf: chunk.leaf, keys })),
    );
    changed = await change(worker, again);
    if (attempt === RETRIES) {
      const skipped = { runId: run.id, number: chunk.number, rows: changed.length };
      await patiently(() => countSkipped(writer, skipped));
      return true;
    }
    seen = 0; // the batch is accounted for already; these rows only remain to be written
  }
}

interface Part extends Pick<Checkpoint, "cursor" | "seen" | "isLast"> {
  readonly rows: readonly Changed[];
  /** Where the batch began. */
  readonly start: number;
}

/** Rows that were missed; undefined when the lease was lost. */
async function writeSome(
  worker: Worker,
  chunk: Chunk,
  part: Part,
): Promise<readonly Changed[] | undefined> {
  const { cursor, seen, isLast, start } = part;
  try {
    return await write(worker, chunk, { rows: part.rows, cursor, seen, isLast });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const missed: Changed[] = [];
    const refused: PoisonRecord[] = [];
    const onRefusal = async (record: PoisonRecord, reason: unknown): Promise<void> => {
      refused.push(record);
      await throwIfGeneral(worker, { refused, reason });
    };
    if (!(await halve(worker, chunk, { rows: part.rows, start, missed, error, onRefusal })))
      return undefined;
    await worker.reader.take((client) => recordPoison(client, worker.run.id, refused));
    const rest = await write(worker, chunk, { rows: [], cursor, seen, isLast });
    return rest && missed;
  }
}

interface Halves {
  readonly rows: readonly Changed[];
  readonly start: number;
  /** Is filled. */
  readonly missed: Changed[];
  /** What PostgreSQL said of these rows together. */
  readonly error: unknown;
  readonly onRefusal: (record: PoisonRecord, reason: unknown) => Promise<void>;
}

/** False when the lease was lost. The checkpoint stays at the start of the batch until all of it is done. */
async function halve(worker: Worker, chunk: Chunk, halves: Halves): Promise<boolean> {
  const { rows, start, missed, error, onRefusal } = halves;
  const [only] = rows;
  if (only === undefined) throw error;
  if (rows.length === 1) {
    await onRefusal(recordOf(worker, only, error), error);
    return true;
  }
  const middle = rows.length >> 1;
  for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
    try {
      const left = await write(worker, chunk, {
        rows: half,
        cursor: start,
        seen: 0,
        isLast: false,
      });
      if (left === undefined) return false;
      missed.push(...left);
    } catch (refusal) {
      if (!isRefusal(refusal)) throw refusal;
      if (!(await halve(worker, chunk, { ...halves, rows: half, error: refusal }))) return false;
    }
  }
  return true;
}

function write(
  { writer, run, owner }: Worker,
  chunk: Chunk,
  {
    rows,
    ...at
  }: Pick<Checkpoint, "cursor" | "seen" | "isLast"> & { readonly rows: readonly Changed[] },
): Promise<readonly Changed[] | undefined> {
  const { leaseMs } = run.options;
  const checkpoint = { runId: run.id, chunk, owner, leaseMs, ...at };
  return patiently(() => writeBatch(writer, run.table, rows, checkpoint));
}

/** So many refusals without a single row written: not the rows are at fault, but a constraint or a trigger. */
const REFUSALS_FOR_ALL = 5;

async function throwIfGeneral(
  { writer, run }: Worker,
  { refused, reason }: { readonly refused: readonly PoisonRecord[]; readonly reason: unknown },
): Promise<void> {
  if (refused.length > run.options.maxPoisonRows) throw reason;
  if (refused.length !== REFUSALS_FOR_ALL) return;
  const { rowsWritten } = await readProgress(writer, run.id, run.table);
  if (rowsWritten === 0) throw reason;
}

function recordOf({ run }: Worker, { row }: Changed, error: unknown): PoisonRecord {
  const { code, constraint, column } = error as Record<string, string | undefined>;
  const isInexact = code === INEXACT;
  const columns = run.table.migrated
    .filter(({ source }) => !isInexact || source !== undefined)
    .map((migrated) => migrated.column.column);
  const why = isInexact ? ": the plain column would not hold the value exactly" : "";
  return {
    key: row.key,
    column: column !== undefined && columns.includes(column) ? column : columns.join(", "),
    code: "ERR_MIGRATE_DATABASE",
    reason: constraint === undefined ? `${code}${why}` : `${code}, constraint "${constraint}"`,
  };
}
