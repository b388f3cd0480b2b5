// What the adapter notes in a statement's options. They go to the application's `logging` function, which may print
// them whole: a private field is in no inspection, JSON or clone.

export class OutOfSight<T> {
  readonly #noted: T;

  constructor(noted: T) {
    this.#noted = noted;
  }

  get noted(): T {
    return this.#noted;
  }
}
