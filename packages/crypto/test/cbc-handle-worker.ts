// Run by cbc-handle.test.ts in several threads: seals and opens with keys of its own, and reports how often.
import { parentPort, workerData } from "node:worker_threads";
import { newKeyring, textColumn } from "./columns.ts";

const columns = [textColumn(newKeyring()), textColumn(newKeyring())];
let agreed = 0;
for (let i = 0; i < 20_000; i++) {
  const value = `thread ${String(workerData)}, value ${i}`;
  const cipher = columns[i % 2]!;
  if (cipher.open(cipher.seal(value)) === value) agreed++;
}
parentPort?.postMessage(agreed);
