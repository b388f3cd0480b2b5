// Time that passes only when a test says so.
import type { Clock } from "../src/data/autosave.ts";

export class HandClock implements Clock {
  #now = 0;
  #nextId = 1;
  readonly #timers = new Map<number, { readonly at: number; readonly run: () => void }>();

  set(run: () => void, milliseconds: number): unknown {
    const id = this.#nextId++;
    this.#timers.set(id, { at: this.#now + milliseconds, run });
    return id;
  }

  clear(timer: unknown): void {
    if (typeof timer === "number") this.#timers.delete(timer);
  }

  async pass(milliseconds: number): Promise<void> {
    this.#now += milliseconds;
    for (const [id, timer] of this.#timers) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(id);
      timer.run();
    }
    await settled();
  }
}

/** Lets promises that are resolved already run what waits for them. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}
