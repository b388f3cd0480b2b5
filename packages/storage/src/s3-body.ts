// One version of one body in S3, read in ranges under its ETag.
import { IncomingMessage } from "node:http";
import { addAbortSignal, type Readable } from "node:stream";
import type { GetObjectOutput } from "@aws-sdk/client-s3";
import type { OpenBody } from "./backend.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { release } from "./release.ts";
import { changed } from "./object-errors.ts";
import { isArchived, misbehaving, s3Error, statusOf } from "./s3-errors.ts";
import { describeObject, type S3Object } from "./s3-object.ts";

/** The header and the first segment of a body of ours: what is not longer needs no second request. */
export const READ_AHEAD_BYTES: number = 74 + 65_536;
/** Broken connections in a row, without a byte between them, that a stream survives. */
const MAX_RESUMES = 3;

export class S3Body implements OpenBody {
  readonly object: S3Object;
  readonly refillsMemory = false;
  readonly #bucket: S3Bucket;
  readonly #key: string;
  /** The first bytes of the body, which came with its description. */
  readonly #start: Buffer;
  readonly #closing: AbortController = new AbortController();
  readonly #signal: AbortSignal;

  private constructor(
    bucket: S3Bucket,
    key: string,
    found: {
      readonly object: S3Object;
      readonly start: Buffer;
      readonly signal: AbortSignal | undefined;
    },
  ) {
    this.#bucket = bucket;
    this.#key = key;
    this.object = found.object;
    this.#start = found.start;
    const { signal } = this.#closing;
    this.#signal = found.signal === undefined ? signal : AbortSignal.any([signal, found.signal]);
  }

  /** Asks for the first `startBytes` of the body, at least one: the answer describes the object as HEAD would. */
  static async open(
    bucket: S3Bucket,
    key: string,
    {
      startBytes,
      signal,
    }: { readonly startBytes: number; readonly signal?: AbortSignal | undefined },
  ): Promise<S3Body> {
    const attempt = { action: "opening", key, signal };
    const found = await bucket.run(attempt, async ({ client, sdk }) => {
      const options = signal === undefined ? {} : { abortSignal: signal };
      try {
        const range = { ...bucket.at(key), Range: `bytes=0-${startBytes - 1}` };
        const output = await client.send(new sdk.GetObjectCommand(range), options);
        const { total } = rangeOf(output, key);
        const start = await gather(output, Math.min(startBytes, total), signal);
        return { object: describeObject(output, total), start, signal };
      } catch (error) {
        // An empty object has no first byte, an archived one none that can be read.
        if (statusOf(error) !== 416 && !isArchived(error)) throw error;
        const output = await client.send(new sdk.HeadObjectCommand(bucket.at(key)), options);
        const object = describeObject(output, output.ContentLength ?? 0);
        return { object, start: Buffer.alloc(0), signal };
      }
    });
    return new S3Body(bucket, key, found);
  }

  async read(offset: number, length: number, memory?: Buffer): Promise<Buffer> {
    const end = Math.min(offset + length, this.object.bodyBytes);
    const lengthBytes = Math.max(0, end - offset);
    const buffer = memory?.subarray(0, lengthBytes) ?? Buffer.allocUnsafeSlow(lengthBytes);
    let at = 0;
    for await (const piece of this.stream(offset, end)) at += piece.copy(buffer, at);
    return buffer;
  }

  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    let at = start;
    if (at < this.#start.length && at < end) {
      const known = this.#start.subarray(at, Math.min(end, this.#start.length));
      at += known.length;
      yield known;
    }
    for (let failures = 0; at < end;) {
      const from = at;
      try {
        for await (const piece of await this.#request(at, end)) {
          at += piece.length;
          yield piece;
        }
      } catch (error) {
        if (!isBroken(error) || this.#signal.aborted) throw this.#report(error);
      }
      failures = at > from ? 0 : failures + 1;
      if (failures > MAX_RESUMES)
        throw misbehaving(this.#key, "the connection broke again and again");
    }
  }

  close(): Promise<void> {
    this.#closing.abort(misbehaving(this.#key, "it was closed while it was read"));
    return Promise.resolve();
  }

  /** What the store sends of these bytes; a connection that breaks ends it like one that is complete, or throws. */
  async #request(start: number, end: number): Promise<AsyncIterable<Buffer>> {
    const { etag } = this.object;
    const output = await this.#bucket.run(
      { action: "reading", key: this.#key, signal: this.#signal },
      ({ client, sdk }) => {
        const range = { Range: `bytes=${start}-${end - 1}`, IfMatch: etag };
        const command = new sdk.GetObjectCommand({ ...this.#bucket.at(this.#key), ...range });
        return client.send(command, { abortSignal: this.#signal });
      },
    );
    const given = rangeOf(output, this.#key);
    const body = bodyOf(output, this.#signal);
    if (output.ETag !== etag) {
      body.destroy();
      throw changed(this.#key);
    }
    if (given.start !== start || given.end !== end) {
      body.destroy();
      throw misbehaving(this.#key, "it answered with another range than the one asked for");
    }
    return atMost(body, end - start);
  }

  #report(error: unknown): Error {
    return this.#signal.aborted
      ? (this.#signal.reason as Error)
      : s3Error(error, "reading", this.#key);
  }
}

/** `end` is not included. */
function rangeOf(
  { ContentRange = "" }: GetObjectOutput,
  key: string,
): { readonly start: number; readonly end: number; readonly total: number } {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange) ?? [];
  if (total === undefined) throw misbehaving(key, "it does not answer requests for a range");
  return { start: Number(first), end: Number(last) + 1, total: Number(total) };
}

function bodyOf({ Body }: GetObjectOutput, signal: AbortSignal | undefined): Readable {
  const body = Body as Readable;
  return signal === undefined ? body : addAbortSignal(signal, body);
}

async function gather(
  output: GetObjectOutput,
  lengthBytes: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(lengthBytes);
  let at = 0;
  for await (const piece of atMost(bodyOf(output, signal), lengthBytes))
    at += piece.copy(buffer, at);
  return buffer.subarray(0, at);
}

/** A piece is valid until the next is asked for. */
async function* atMost(
  body: Readable,
  lengthBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  // What Node made for this answer and nobody else has; a client of the user's may give anything.
  const isOwn = body instanceof IncomingMessage;
  let missing = lengthBytes;
  for await (const chunk of body) {
    const piece = (chunk as Buffer).subarray(0, missing);
    missing -= piece.length;
    if (piece.length > 0) yield piece;
    if (isOwn) release(piece);
  }
}

/** What a connection reports that ended before its time. */
function isBroken(error: unknown): boolean {
  const { code, name, message } = error as NodeJS.ErrnoException;
  return (
    /ECONNRESET|EPIPE|ETIMEDOUT|ERR_STREAM_PREMATURE_CLOSE/.test(String(code)) ||
    name === "TimeoutError" ||
    message === "aborted"
  );
}
