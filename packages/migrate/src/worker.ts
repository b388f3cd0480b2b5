// One worker: takes chunks; while a batch is written, the next one is read and encrypted.
import { readBatch, type Worker } from "./batch.ts";
import { claimChunk, releaseChunks, unfinishedChunks, type Chunk } from "./chunks.ts";
import { patiently } from "./connections.ts";
import { pause } from "./pace.ts";
import { measureLeaf, Stride } from "./stride.ts";
import { requireLeaf } from "./table.ts";
import { writeRows } from "./write-rows.ts";

/** Between two looks for a chunk that another worker has finished, or lost. */
const POLL_MS = 200;
const FIRST_POLL_MS = 10;

/** Works until no chunk is left, or the run is to stop. Chunks of workers that fell silent are taken over. */
export async function work(worker: Worker): Promise<void> {
  const { owner, writer, run, monitor } = worker;
  const { id: runId, options } = run;
  let pollMs = FIRST_POLL_MS;
  while (await monitor.mayGoOn(0)) {
    const claim = { runId, owner, leaseMs: options.leaseMs };
    const chunk = await patiently(() => claimChunk(writer, claim));
    if (chunk === undefined) {
      const left = await unfinishedChunks(writer, { runId, owners: worker.owners });
      if (left === undefined) return;
      monitor.waitForLease(left.leaseSeconds);
      worker.noteProgress(); // others work, or their leases run out
      await pause(pollMs, run.signal);
      pollMs = Math.min(POLL_MS, pollMs * 1.5);
      continue;
    }
    pollMs = FIRST_POLL_MS;
    monitor.waitForLease(undefined);
    await workChunk(worker, chunk);
    await patiently(() => releaseChunks(writer, { runId, owners: [owner] }));
  }
}

async function workChunk(worker: Worker, chunk: Chunk): Promise<void> {
  await worker.reader.take((client) => requireLeaf(client, worker.run.table, chunk.leaf));
  const stride = new Stride(await worker.reader.take((client) => measureLeaf(client, chunk.leaf)));
  let next = readBatch(worker, chunk, { stride, from: chunk.cursor });
  for (;;) {
    const batch = await next;
    const isLast = batch.end >= chunk.end;
    if (!isLast) {
      next = readBatch(worker, chunk, { stride, from: batch.end });
      next.catch(() => {}); // awaited in the next turn, unless this one fails first
    }
    const start = performance.now();
    const isOurs = await writeRows(worker, chunk, batch);
    worker.size.observe(batch.changed.length, performance.now() - start);
    worker.noteProgress();
    await worker.vacuum.after(worker.reader, chunk.leaf, batch.changed.length);
    const mayGoOn = await worker.monitor.mayGoOn(batch.seen);
    if (!isOurs || isLast || !mayGoOn) return;
  }
}
