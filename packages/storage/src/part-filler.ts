// Bytes that come in pieces of any length, put into buffers of the caller's.

export class PartFiller {
  readonly #pieces: AsyncIterator<Buffer>;
  /** What is left of the piece that came last. */
  #rest: Buffer = Buffer.alloc(0);
  #isDone = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** The number of bytes; fewer than `part` takes only at the end. */
  async fill(part: Buffer): Promise<number> {
    let at = 0;
    while (at < part.length && !(await this.isAtEnd())) {
      const copied = this.#rest.copy(part, at);
      this.#rest = this.#rest.subarray(copied);
      at += copied;
    }
    return at;
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#isDone) {
      const { done, value } = await this.#pieces.next();
      if (done === true) this.#isDone = true;
      else this.#rest = value;
    }
    return this.#isDone;
  }

  /** Lets the source free what it holds, also before its end. */
  async leave(): Promise<void> {
    await this.#pieces.return?.();
  }
}
