// How fast something goes, how long it has taken, and how long it will still take.
export interface PaceReading {
  readonly done: number;
  readonly rowsPerSecond: number;
  readonly etaSeconds: number | null;
  readonly workedSeconds: number;
}

export class Pace {
  readonly #from: number;
  readonly #workedBefore: number;
  readonly #startedAt = performance.now();

  /**
   * @param done what was done before the clock started
   * @param workedSeconds how long that took
   */
  constructor(done: number, workedSeconds: number) {
    this.#from = done;
    this.#workedBefore = workedSeconds;
  }

  at(done: number, total: number): PaceReading {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const rowsPerSecond = seconds > 0 ? (done - this.#from) / seconds : 0;
    const etaSeconds = rowsPerSecond > 0 ? (total - done) / rowsPerSecond : null;
    return { done, rowsPerSecond, etaSeconds, workedSeconds: this.#workedBefore + seconds };
  }
}
