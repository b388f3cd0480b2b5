// Rates that this process keeps to.
import { setTimeout as sleep } from "node:timers/promises";

/** What the bucket holds: time that went into writing is no time lost, and a stall does not end in a flood. */
const CREDIT_MS = 500;

/** A bucket that is filled at a steady rate; taking more than it holds waits until it has been filled again. */
export class Bucket {
  readonly #perSecond: number;
  #freeAt = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Milliseconds to wait for the amount that was taken. */
  take(amount: number): number {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now - CREDIT_MS) + (amount / this.#perSecond) * 1000;
    return this.#freeAt - now;
  }
}

/** Ends early when told to stop. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (milliseconds <= 0 || signal?.aborted === true) return;
  await sleep(milliseconds, undefined, signal && { signal }).catch(() => {});
}
