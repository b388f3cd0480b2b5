// A value that is encrypted already, on its way through the query generator.

export class Sealed {
  readonly #stored: string | Buffer;

  constructor(stored: string | Buffer) {
    this.#stored = stored;
  }

  get stored(): string | Buffer {
    return this.#stored;
  }
}
