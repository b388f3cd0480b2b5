// Runs once around the whole test run, whatever its outcome.
import { setTimeout as delay } from "node:timers/promises";
import { stopPostgres } from "./postgres.ts";
import { stopRadosgw } from "./radosgw-server.ts";

/** Files that nobody closed: Node closes them when it collects garbage, warns, and will throw in a later version. */
const leftOpen: string[] = [];

export function mochaGlobalSetup(): void {
  process.on("warning", ({ message }) => {
    if (message.includes("on garbage collection")) leftOpen.push(message);
  });
}

export async function mochaGlobalTeardown(): Promise<void> {
  await Promise.all([stopPostgres(), stopRadosgw()]);
  globalThis.gc?.();
  // Warnings come in a task of their own.
  await delay(20);
  if (leftOpen.length > 0) throw new Error(`A test left files open: ${leftOpen.join(" ")}`);
}
