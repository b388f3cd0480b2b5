// Undo and redo with the one rule that makes them predictable: each completed gesture is exactly one entry, a
// cancelled gesture is none, and a gesture that changed nothing is none.

/** Values must be immutable: the history keeps references, not copies. */
export class History<T> {
  #present: T;
  #past: T[] = [];
  #future: T[] = [];
  #gestureStart: { readonly value: T } | null = null;
  readonly #same: (a: T, b: T) => boolean;

  constructor(initial: T, same: (a: T, b: T) => boolean = Object.is) {
    this.#present = initial;
    this.#same = same;
  }

  /** What is on screen: within a gesture, its preview. */
  get present(): T {
    return this.#present;
  }

  /** The value without a gesture that is still going on: what may be saved. */
  get settled(): T {
    return this.#gestureStart === null ? this.#present : this.#gestureStart.value;
  }

  get isInGesture(): boolean {
    return this.#gestureStart !== null;
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** One change that is a gesture by itself. Returns whether it made an entry. */
  commit(next: T): boolean {
    this.end();
    this.begin();
    this.preview(next);
    return this.end();
  }

  /**
   * Goes on with the change that made the latest entry, and makes none of its own. Returns whether the entry is still
   * there: a change that went back to where it came from leaves none.
   */
  amend(next: T): boolean {
    this.end();
    this.#present = next;
    this.#future = [];
    const before = this.#past.at(-1);
    if (before === undefined || !this.#same(before, next)) return true;
    this.#past.pop();
    return false;
  }

  begin(): void {
    this.#gestureStart ??= { value: this.#present };
  }

  preview(next: T): void {
    if (this.#gestureStart === null) throw new Error("preview() belongs between begin() and end()");
    this.#present = next;
  }

  /** Completes the gesture. Returns whether it made an entry. */
  end(): boolean {
    const start = this.#gestureStart;
    this.#gestureStart = null;
    if (start === null) return false;
    if (this.#same(start.value, this.#present)) {
      this.#present = start.value;
      return false;
    }
    this.#past.push(start.value);
    this.#future = [];
    return true;
  }

  /** Gives the gesture up: the value is what it was before it began. */
  cancel(): void {
    if (this.#gestureStart === null) return;
    this.#present = this.#gestureStart.value;
    this.#gestureStart = null;
  }

  undo(): boolean {
    return this.#travel(this.#past, this.#future);
  }

  redo(): boolean {
    return this.#travel(this.#future, this.#past);
  }

  #travel(from: T[], to: T[]): boolean {
    this.cancel();
    const next = from.pop();
    if (next === undefined) return false;
    to.push(this.#present);
    this.#present = next;
    return true;
  }
}
