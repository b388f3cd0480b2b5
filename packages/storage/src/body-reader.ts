// Random access to a body: which segments a range of plaintext needs, and only authenticated bytes out of them.
import type { OpenBody } from "./backend.ts";
import type { Floe } from "./floe.ts";
import { hintCollector, LARGE_PILE_BYTES, PILE_BYTES } from "./collection-hint.ts";
import { release } from "./release.ts";

/**
 * A read of less takes one request of the backend, into memory that is used again: new memory costs a read of 64 KiB some
 * 15 % of its time. More comes as a stream, so that the store works while segments are decrypted.
 */
const SMALL_BYTES: number = 256 * 1024;
const MAX_SPARE = 4;
const spare: Buffer[] = [];

/**
 * Plaintext that is handed out as one piece, where so much has come at once: the memory of single segments is used again
 * then, and a stream has fewer pieces to pass on.
 */
const RUN_BYTES: number = 1024 * 1024;

export class BodyReader {
  /** Plaintext bytes, as far as the length of the body tells: see {@link BodyReader.checkEnd}. */
  readonly size: number;
  readonly #floe: Floe;
  readonly #body: OpenBody;
  readonly #bodyBytes: number;
  readonly #lastSegment: number;

  /** @throws {@link StorageError} `ERR_STORAGE_TRUNCATED` */
  constructor(floe: Floe, body: OpenBody) {
    this.#floe = floe;
    this.#body = body;
    this.#bodyBytes = body.object.bodyBytes;
    this.size = floe.plaintextBytes(this.#bodyBytes);
    this.#lastSegment = floe.layout.segmentsIn(this.#bodyBytes) - 1;
  }

  /**
   * Opens the last segment as the last: a body that was cut at the end of a segment has none.
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED`, `ERR_STORAGE_TAMPERED`
   */
  async checkEnd(): Promise<void> {
    await this.#eachSegment(this.#lastSegment, this.#lastSegment, () => {});
  }

  /** Bytes of segments that come after one that is not intact are not written. */
  async readInto(target: Uint8Array, start: number): Promise<void> {
    if (target.length === 0) return;
    const { layout } = this.#floe;
    const first = layout.segmentAt(start);
    const last = layout.segmentAt(start + target.length - 1);
    let at = first * layout.plainBytes - start;
    await this.#eachSegment(first, last, (plaintext) => {
      const from = Math.max(0, -at);
      target.set(plaintext.subarray(from, target.length - at), at + from);
      at += plaintext.length;
    });
  }

  /** A few segments at a time. */
  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    if (end <= start) return;
    const { layout } = this.#floe;
    const first = layout.segmentAt(start);
    const pileBytes = this.#body.refillsMemory ? LARGE_PILE_BYTES : PILE_BYTES;
    let at = first * layout.plainBytes;
    for await (const { number, bytes } of this.#runs(first, layout.segmentAt(end - 1))) {
      const { plaintext, error } = this.#openRun(number, bytes);
      if (plaintext.length > 0) {
        hintCollector(plaintext.length, pileBytes);
        yield plaintext.subarray(Math.max(0, start - at), end - at);
      }
      if (error !== undefined) throw error as Error;
      at += plaintext.length;
    }
  }

  /** Of segments that stand together; the plaintext is gone after the visit. */
  async #eachSegment(
    first: number,
    last: number,
    visit: (plaintext: Buffer) => void,
  ): Promise<void> {
    const offset = this.#floe.layout.offsetOf(first);
    const length = this.#endOf(last) - offset;
    if (length > SMALL_BYTES) {
      for await (const { number, bytes } of this.#runs(first, last))
        this.#openEach(number, bytes, visit);
      return;
    }
    const memory = spare.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    try {
      this.#openEach(first, await this.#body.read(offset, length, memory), visit, last);
    } finally {
      // Also after a failure: a backend that has rejected writes no more.
      if (spare.length < MAX_SPARE) spare.push(memory);
      else release(memory);
    }
  }

  /**
   * Ciphertext of these segments, as many at a time as come together. Valid until the next is asked for.
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED` when it ends early: that must not look like the end of the object
   */
  async *#runs(
    first: number,
    last: number,
  ): AsyncGenerator<{ readonly number: number; readonly bytes: Buffer }, void, undefined> {
    const { layout } = this.#floe;
    const ciphertext = this.#body.stream(layout.offsetOf(first), this.#endOf(last));
    let number = first;
    for await (const bytes of inRuns(ciphertext, layout.segmentBytes)) {
      yield { number, bytes };
      number += Math.ceil(bytes.length / layout.segmentBytes);
    }
    if (number <= last) this.#open(number, Buffer.alloc(0));
  }

  #openEach(
    first: number,
    bytes: Buffer,
    visit: (plaintext: Buffer) => void,
    last: number = first + Math.ceil(bytes.length / this.#floe.layout.segmentBytes) - 1,
  ): void {
    const { segmentBytes } = this.#floe.layout;
    for (let number = first; number <= last; number++) {
      const at = (number - first) * segmentBytes;
      const plaintext = this.#open(number, bytes.subarray(at, at + segmentBytes));
      visit(plaintext);
      release(plaintext);
    }
  }

  /** As one piece, as far as they are intact. */
  #openRun(first: number, bytes: Buffer): { readonly plaintext: Buffer; readonly error?: unknown } {
    const { segmentBytes, plainBytes } = this.#floe.layout;
    if (bytes.length <= segmentBytes) return { plaintext: this.#open(first, bytes) };
    const joined = Buffer.allocUnsafeSlow(Math.ceil(bytes.length / segmentBytes) * plainBytes);
    let end = 0;
    try {
      this.#openEach(first, bytes, (plaintext) => {
        joined.set(plaintext, end);
        end += plaintext.length;
      });
    } catch (error) {
      return { plaintext: joined.subarray(0, end), error };
    }
    return { plaintext: joined.subarray(0, end) };
  }

  #open(number: number, bytes: Buffer): Buffer {
    return this.#floe.open({ number, isLast: number === this.#lastSegment }, bytes);
  }

  #endOf(segment: number): number {
    return Math.min(this.#bodyBytes, this.#floe.layout.offsetOf(segment + 1));
  }
}

/**
 * The same bytes in whole segments, the last one maybe shorter: as many as come together, up to a few. A piece is only
 * valid until the next.
 */
async function* inRuns(
  source: AsyncIterable<Buffer>,
  segmentBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const runBytes = segmentBytes * Math.max(1, Math.floor(RUN_BYTES / segmentBytes));
  const carry = Buffer.allocUnsafeSlow(segmentBytes);
  let carried = 0;
  for await (const chunk of source) {
    let at = 0;
    if (carried > 0) {
      at = chunk.copy(carry, carried);
      carried += at;
      if (carried < segmentBytes) continue;
      yield carry;
      carried = 0;
    }
    while (chunk.length - at >= segmentBytes) {
      const whole = Math.min(runBytes, chunk.length - at);
      const length = whole - (whole % segmentBytes);
      yield chunk.subarray(at, at + length);
      at += length;
    }
    carried += chunk.copy(carry, carried, at);
  }
  if (carried > 0) yield carry.subarray(0, carried);
  release(carry);
}
