// An object's content as a Node stream of bytes. `Readable.from` gives the same for twice the processor time: it joins
// what it has buffered for every read.
import { addAbortSignal, Readable } from "node:stream";
import type { OpenObject } from "./contract.ts";
import type { Span } from "./byte-range.ts";

/** Plaintext that waits for a slow consumer, at least one segment. */
const HIGH_WATER_MARK: number = 256 * 1024;

/** Closes the object when it has ended, failed, or been destroyed. */
export class ContentStream extends Readable {
  readonly #object: OpenObject;
  readonly #pieces: AsyncIterator<Buffer>;

  constructor(object: OpenObject, { start, end }: Span, signal?: AbortSignal) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#object = object;
    const isEmpty = start === end;
    const pieces = object.stream(isEmpty ? undefined : { start, end: end - 1 });
    this.#pieces = pieces[Symbol.asyncIterator]();
    if (signal !== undefined) addAbortSignal(signal, this);
  }

  override _read(): void {
    this.#pieces.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: Error) => this.destroy(error),
    );
  }

  // oxlint-disable promise/no-promise-in-callback, promise/no-callback-in-promise -- Node asks for a callback here
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // Not awaited: it waits for a piece that is on its way, which closing the object may be what ends.
    void this.#pieces.return?.().then(undefined, () => {});
    void this.#close(error).then(callback);
  }
  // oxlint-enable promise/no-promise-in-callback, promise/no-callback-in-promise

  /** The first error counts. */
  async #close(error: Error | null): Promise<Error | null> {
    try {
      await this.#object.close();
      return error;
    } catch (closing) {
      return error ?? (closing as Error);
    }
  }
}
