// What is given to put, as one stream of bytes that is counted, checked and can be aborted.
import { IncomingMessage } from "node:http";
import { isErrored, isReadable, Readable } from "node:stream";
import { StorageError } from "@fieldseal/crypto";
import type { PutOptions, PutSource } from "./contract.ts";

export interface CheckedSource {
  /** If known before the first byte is read. */
  readonly size: number | undefined;
  /** Of the bytes taken so far. */
  readonly bytesTaken: () => number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** @throws {@link StorageError} `ERR_STORAGE_SOURCE` */
export function checkSource(
  source: PutSource,
  options: PutOptions,
  objectKey: string,
): CheckedSource {
  const iterable = asIterable(source);
  if (iterable === undefined) {
    throw sourceError(objectKey, "takes bytes, a Blob, or a stream of bytes");
  }
  if (isUsedUp(source))
    throw sourceError(objectKey, "got a stream that was read to its end before");
  const own = source instanceof Uint8Array ? source.length : (source as Blob).size;
  const size = typeof own === "number" ? own : options.size;
  const isAnnounced = options.size !== undefined;
  if (isAnnounced && (!Number.isSafeInteger(options.size) || options.size !== size || size < 0)) {
    throw sourceError(objectKey, "was announced with another size than the source has");
  }
  let taken = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of abortable(iterable!, options.signal)) {
      if (!(chunk instanceof Uint8Array))
        throw sourceError(objectKey, "got a chunk that is no bytes");
      taken += chunk.length;
      if (size !== undefined && taken > size) break;
      options.onProgress?.({ bytes: taken });
      yield chunk;
    }
    if (size !== undefined && taken !== size) {
      throw sourceError(objectKey, `got ${taken > size ? "more" : "fewer"} bytes than announced`);
    }
  }
  return { size, bytesTaken: () => taken, chunks: chunks() };
}

/**
 * Takes a stream over while it is put: what it reports before it is read from would end the process, and if the put fails
 * it would stay open.
 */
export async function holding<T>(
  source: PutSource,
  put: (source: PutSource) => Promise<T>,
): Promise<T> {
  const stream = isStream(source) ? source : undefined;
  stream?.on("error", () => {});
  // A web stream's own iterator cannot leave it while a read waits.
  const isWeb = source instanceof ReadableStream && !source.locked && !isUsedUp(source);
  const reader = isWeb ? (source.getReader() as ReadableStreamDefaultReader<never>) : undefined;
  const next = reader?.read.bind(reader) as AsyncIterator<Uint8Array>["next"];
  try {
    return await put(reader ? { [Symbol.asyncIterator]: () => ({ next }) } : source);
  } catch (error) {
    // A request has the connection of its answer.
    if (!(source instanceof IncomingMessage)) stream?.destroy();
    reader?.cancel(error).catch(() => {});
    throw error;
  } finally {
    reader?.releaseLock();
  }
}

/** By its shape: packages bring streams of their own. */
function isStream(source: unknown): source is Readable {
  const { on, destroy } = (source ?? {}) as Partial<Readable>;
  return typeof on === "function" && typeof destroy === "function";
}

/** What comes of it would be an empty object. A stream that failed tells so itself, and a part may be left of one. */
function isUsedUp(source: unknown): boolean {
  const stream = source as Readable;
  return Readable.isDisturbed(stream) && !isReadable(stream) && !isErrored(stream);
}

function asIterable(source: unknown): AsyncIterable<unknown> | undefined {
  if (source instanceof Uint8Array) return once(source);
  if (source instanceof Blob) return source.stream();
  const isIterable =
    typeof source === "object" && source !== null && Symbol.asyncIterator in source;
  return isIterable ? (source as AsyncIterable<unknown>) : undefined;
}

// oxlint-disable-next-line require-await -- an asynchronous iterable of one
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** Also a source that never gives another chunk is left when the signal says so. */
export async function* abortable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) return yield* source;
  const iterator = source[Symbol.asyncIterator]();
  const waiting: { interrupt?: (reason: unknown) => void } = {};
  const stop = (): void => waiting.interrupt?.(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      // Aborted while its last chunk was used up.
      signal.throwIfAborted();
      // One promise per chunk: a race with a promise that lasts would keep every chunk alive until that one settles.
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        waiting.interrupt = reject;
        iterator.next().then(resolve, reject);
      });
      signal.throwIfAborted();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // Not awaited: the source may be stuck in the very read that was aborted.
    void iterator.return?.().then(undefined, () => {});
  }
}

function sourceError(objectKey: string, what: string): StorageError {
  return new StorageError("ERR_STORAGE_SOURCE", `put of "${objectKey}" ${what}.`, { objectKey });
}
