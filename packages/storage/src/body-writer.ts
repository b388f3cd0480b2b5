// From plaintext in pieces of any length to the body's bytes in pieces of about 1 MiB.
import { FLOE_HEADER_BYTES } from "./floe-layout.ts";
import type { Floe } from "./floe.ts";

/** Fewer, larger writes: at 1 MiB the cost of a write no longer shows beside that of encrypting. */
const BATCH_BYTES: number = 1024 * 1024;

/**
 * The header and all segments. A piece is valid until the one after the next is asked for, because two buffers serve
 * all; the pieces of `source` are used up before the next one is asked for.
 */
export async function* sealBody(
  floe: Floe,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, undefined> {
  const writer = new SegmentWriter(floe);
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      at += writer.take(chunk, at);
      if (writer.isFull) yield writer.flush();
    }
  }
  if (writer.isFull) yield writer.flush();
  writer.finish();
  yield writer.flush();
}

/** Holds back up to one segment, because only what comes after it tells whether it is the last. */
class SegmentWriter {
  readonly #floe: Floe;
  readonly #plainBytes: number;
  readonly #segmentBytes: number;
  #batch: Buffer;
  #otherBatch: Buffer | undefined;
  readonly #pending: Buffer;
  #batchEnd: number;
  #pendingBytes = 0;
  #number = 0;

  constructor(floe: Floe) {
    this.#floe = floe;
    ({ plainBytes: this.#plainBytes, segmentBytes: this.#segmentBytes } = floe.layout);
    this.#batch = this.#allocate();
    this.#pending = Buffer.allocUnsafeSlow(this.#plainBytes);
    this.#batchEnd = floe.header.copy(this.#batch);
  }

  /** There is no room for another segment. */
  get isFull(): boolean {
    return this.#batchEnd + this.#segmentBytes > this.#batch.length;
  }

  /** Takes bytes of `chunk` from `at`; returns how many. At most one segment is written. */
  take(chunk: Uint8Array, at: number): number {
    const missing = this.#plainBytes - this.#pendingBytes;
    const taken = Math.min(missing, chunk.length - at);
    if (chunk.length - at <= missing) {
      this.#pending.set(chunk.subarray(at), this.#pendingBytes);
      this.#pendingBytes += taken;
    } else {
      // More follows, so this segment is whole and not the last: it is encrypted from where its parts are.
      this.#seal(false, chunk.subarray(at, at + taken));
    }
    return taken;
  }

  finish(): void {
    this.#seal(true);
    this.#pending.fill(0);
  }

  flush(): Buffer {
    const bytes = this.#batch.subarray(0, this.#batchEnd);
    [this.#batch, this.#otherBatch] = [this.#otherBatch ?? this.#allocate(), this.#batch];
    this.#batchEnd = 0;
    return bytes;
  }

  #allocate(): Buffer {
    return Buffer.allocUnsafeSlow(FLOE_HEADER_BYTES + Math.max(BATCH_BYTES, this.#segmentBytes));
  }

  #seal(isLast: boolean, rest?: Uint8Array): void {
    const held = this.#pending.subarray(0, this.#pendingBytes);
    const pieces = rest === undefined ? [held] : held.length === 0 ? [rest] : [held, rest];
    const place = { number: this.#number++, isLast };
    this.#batchEnd = this.#floe.seal(place, pieces, this.#batch, this.#batchEnd);
    this.#pendingBytes = 0;
  }
}
