// An open object as users hold it.
import { StorageError } from "@fieldseal/crypto";
import { spanOf, type Span } from "./byte-range.ts";
import { hintCollector } from "./collection-hint.ts";
import { ContentStream } from "./content-stream.ts";
import type { ByteRange, GetOptions, GetResult, ObjectInfo, OpenObject } from "./contract.ts";
import type { Opened } from "./object-opener.ts";
import { release } from "./release.ts";

export class OpenedObject implements OpenObject {
  readonly info: ObjectInfo;
  readonly #opened: Opened;

  constructor(opened: Opened) {
    this.info = opened.info;
    this.#opened = opened;
  }

  get size(): number {
    return this.info.size;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    checkNumbers(offset, length);
    const start = Math.min(offset, this.size);
    const bytes = Buffer.allocUnsafeSlow(Math.min(length, this.size - start));
    await this.#opened.reader.readInto(bytes, start);
    hintCollector(bytes.length);
    return bytes;
  }

  async readInto(target: Uint8Array, offset: number): Promise<number> {
    checkNumbers(offset, target.length);
    const start = Math.min(offset, this.size);
    const length = Math.min(target.length, this.size - start);
    await this.#opened.reader.readInto(target.subarray(0, length), start);
    return length;
  }

  stream(range?: ByteRange): AsyncIterable<Buffer> {
    const { start, end } = spanOf(range, this.size, this.info.key);
    return this.#opened.reader.stream(start, end);
  }

  close(): Promise<void> {
    return this.#opened.body.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkNumbers(offset: number, length: number): void {
  const isPossible = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!isPossible || offset < 0 || length < 0) {
    throw new RangeError(`Offset ${offset}, length ${length}: both must be whole numbers from 0.`);
  }
}

/** Closes the object when the stream has ended, failed or been destroyed. */
export function resultOf(object: OpenedObject, { range, ifMatch, signal }: GetOptions): GetResult {
  const { info, size } = object;
  // A stream that begins aborted reports it before anybody listens.
  signal?.throwIfAborted();
  if (ifMatch !== undefined && info.protection !== "encrypted") {
    throw new StorageError(
      "ERR_STORAGE_UNPROTECTED",
      `The object "${info.key}" is not encrypted, so that its etag proves nothing: get it without ifMatch.`,
      { objectKey: info.key },
    );
  }
  if (ifMatch !== undefined && ifMatch !== info.etag) {
    throw new StorageError("ERR_STORAGE_CHANGED", `The object "${info.key}" has another etag.`, {
      objectKey: info.key,
    });
  }
  const { start, end } = spanOf(range, size, info.key);
  const stream = new ContentStream(object, { start, end }, signal);
  return {
    info,
    range: size === 0 ? undefined : { start, end: end - 1 },
    stream,
    bytes: () => allOf(object, stream, { start, end }),
  };
}

/**
 * Into memory of the right length, past the stream if nobody has read from it: `node:stream/consumers` takes three times
 * as much memory.
 */
async function allOf(object: OpenObject, stream: ContentStream, span: Span): Promise<Buffer> {
  const isUntouched = !stream.readableDidRead && !stream.destroyed;
  const { start, end } = span;
  const range = start === end ? undefined : { start, end: end - 1 };
  const pieces: AsyncIterable<Buffer> = isUntouched ? object.stream(range) : stream;
  try {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    let at = 0;
    for await (const piece of pieces) {
      at += piece.copy(bytes, at);
      if (isUntouched) release(piece);
    }
    return bytes.subarray(0, at);
  } catch (error) {
    // An abort closes the object, which would be all that the read knows.
    throw stream.errored ?? error;
  } finally {
    stream.destroy();
  }
}
