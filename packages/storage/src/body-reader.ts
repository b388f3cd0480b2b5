// Random access to a body: which segments a range of plaintext needs, and only authenticated bytes out of them.
import type { OpenBody } from "./backend.ts";
import type { Floe } from "./floe.ts";
import { hintCollector } from "./collection-hint.ts";
import { release } from "./release.ts";

/** Above this a read goes in several steps, so that it never holds ciphertext of more than this. */
const STEP_BYTES: number = 4 * 1024 * 1024;

/** Ciphertext of small reads goes into memory that is used again: new memory costs a read of 64 KiB some 15 % of its time. */
const SMALL_BYTES: number = 256 * 1024;
const MAX_SPARE = 4;
const spare: Buffer[] = [];

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
    const perStep = Math.max(1, Math.floor(STEP_BYTES / layout.segmentBytes));
    let at = first * layout.plainBytes - start;
    for (let number = first; number <= last; number += perStep) {
      await this.#eachSegment(number, Math.min(last, number + perStep - 1), (plaintext) => {
        const from = Math.max(0, -at);
        target.set(plaintext.subarray(from, target.length - at), at + from);
        at += plaintext.length;
      });
    }
  }

  /** Segment by segment. */
  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    if (end <= start) return;
    const { layout } = this.#floe;
    const first = layout.segmentAt(start);
    const last = layout.segmentAt(end - 1);
    const ciphertext = this.#body.stream(layout.offsetOf(first), this.#endOf(last));
    let number = first;
    for await (const bytes of inPieces(ciphertext, layout.segmentBytes)) {
      const plaintext = this.#open(number, bytes);
      const from = number * layout.plainBytes;
      hintCollector(plaintext.length);
      yield plaintext.subarray(Math.max(0, start - from), end - from);
      number++;
    }
    // A stream that ends early must not look like the end of the object.
    if (number <= last) this.#open(number, Buffer.alloc(0));
  }

  /** One read of the backend for segments that stand together. The plaintext is gone after the visit. */
  async #eachSegment(
    first: number,
    last: number,
    visit: (plaintext: Buffer) => void,
  ): Promise<void> {
    const { segmentBytes } = this.#floe.layout;
    const offset = this.#floe.layout.offsetOf(first);
    const length = this.#endOf(last) - offset;
    const memory = takeMemory(length);
    try {
      const bytes = await this.#body.read(offset, length, memory);
      for (let number = first; number <= last; number++) {
        const at = (number - first) * segmentBytes;
        const plaintext = this.#open(number, bytes.subarray(at, at + segmentBytes));
        visit(plaintext);
        release(plaintext);
      }
    } finally {
      giveBack(memory);
    }
  }

  #open(number: number, bytes: Buffer): Buffer {
    return this.#floe.open({ number, isLast: number === this.#lastSegment }, bytes);
  }

  #endOf(segment: number): number {
    return Math.min(this.#bodyBytes, this.#floe.layout.offsetOf(segment + 1));
  }
}

function takeMemory(lengthBytes: number): Buffer {
  const fits = lengthBytes <= SMALL_BYTES;
  return (fits && spare.pop()) || Buffer.allocUnsafeSlow(fits ? SMALL_BYTES : lengthBytes);
}

/** Also after a failure: a backend that has rejected writes no more. */
function giveBack(memory: Buffer): void {
  if (memory.length === SMALL_BYTES && spare.length < MAX_SPARE) spare.push(memory);
  else release(memory);
}

/** The same bytes in pieces of one length, the last one shorter. A piece is only valid until the next. */
async function* inPieces(
  source: AsyncIterable<Buffer>,
  lengthBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const carry = Buffer.allocUnsafeSlow(lengthBytes);
  let carried = 0;
  for await (const chunk of source) {
    let at = 0;
    if (carried > 0) {
      at = chunk.copy(carry, carried);
      carried += at;
      if (carried < lengthBytes) continue;
      yield carry;
      carried = 0;
    }
    for (; chunk.length - at >= lengthBytes; at += lengthBytes) {
      yield chunk.subarray(at, at + lengthBytes);
    }
    carried += chunk.copy(carry, carried, at);
  }
  if (carried > 0) yield carry.subarray(0, carried);
  release(carry);
}
