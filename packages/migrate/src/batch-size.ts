// How many rows to write at a time: at most about 100 ms of writing, so that no row stays locked for long.
// @see GitLab's batched background migrations, which steer by the same moving average.

const TARGET_MS = 100;
const SMOOTHING = 0.4;
const MAX_STEP = 0.2;
const LEAST_ROWS = 50;
/**
 * With rows of half a kilobyte a run was a fifth faster at 1500 than at 500: each batch costs something besides its rows.
 * They stay locked for some 30 ms.
 */
const MOST_ROWS = 1500;
const FIRST_ROWS = 300;

export class BatchSize {
  readonly #isFixed: boolean;
  #rows: number;
  #average: number | undefined;

  constructor(fixed: number | undefined) {
    this.#isFixed = fixed !== undefined;
    this.#rows = fixed ?? FIRST_ROWS;
  }

  get rows(): number {
    return Math.round(this.#rows);
  }

  observe(rows: number, milliseconds: number): void {
    if (this.#isFixed || rows === 0) return;
    const perRow = milliseconds / rows;
    this.#average =
      this.#average === undefined ? perRow : this.#average * (1 - SMOOTHING) + perRow * SMOOTHING;
    const wanted = TARGET_MS / this.#average;
    const step = Math.min(1 + MAX_STEP, Math.max(1 - MAX_STEP, wanted / this.#rows));
    this.#rows = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, this.#rows * step));
  }
}
