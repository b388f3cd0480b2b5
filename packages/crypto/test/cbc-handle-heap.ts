// Run by cbc-handle.test.ts in a process of its own, where nothing else allocates: prints by how many bytes a million values
// make the heap and what hangs on it grow.
import { setTimeout as delay } from "node:timers/promises";
import { newKeyring, textColumn } from "./columns.ts";

const cipher = textColumn(newKeyring());

function run(count: number): void {
  for (let i = 0; i < count; i++) cipher.open(cipher.seal(`person.${i}@example.org`));
}

async function settledBytes(): Promise<number> {
  global.gc?.();
  await delay(50); // memory behind Buffers is given back by finalizers, a turn of the event loop later
  global.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

run(50_000);
const before = await settledBytes();
run(1_000_000);
console.log((await settledBytes()) - before);
