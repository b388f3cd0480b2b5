// How fast something goes, and how long it will still take.
export interface PaceReading {
  readonly done: number;
  readonly rowsPerSecond: number;
  readonly etaSeconds: number | null;
}

export class Pace {
  readonly #from: number;
  readonly #startedAt = performance.now();

  /** @param done what was done before the clock started */
  constructor(done: number) {
    this.#from = done;
  }

  at(done: number, total: number): PaceReading {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rowsPerSecond = seconds > 0 ? (done - this.#from) / seconds : 0;
    const etaSeconds = rowsPerSecond > 0 ? (total - done) / rowsPerSecond : null;
    return { done, rowsPerSecond, etaSeconds };
  }
}
