// One object written: in one request, or in parts that appear as one object. Not with lib-storage's Upload, for the
// reasons in docs/explanation/decisions/0009-own-multipart-upload.md.
import type {
  CompletedPart,
  CompleteMultipartUploadCommandOutput,
  PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import { StorageError } from "@fieldseal/crypto";
import { abortable } from "./put-source.ts";
import type { S3 } from "./s3-bucket.ts";
import { statusOf } from "./s3-errors.ts";

const MIB: number = 1024 * 1024;
/** Also the largest object that is written in one request. S3 takes no parts below 5 MiB. */
const PART_BYTES: number = 8 * MIB;
/** Of S3. */
const MAX_PARTS = 10_000;
/** Parts on their way at once. Memory is as much, because their buffers are used again. */
const PARTS_AT_ONCE = 3;

export interface UploadRequest {
  readonly key: string;
  readonly params: Omit<PutObjectCommandInput, "Body"> & {
    readonly Bucket: string;
    readonly Key: string;
  };
  /** A piece may be overwritten when the one after the next is asked for. */
  readonly body: AsyncIterable<Buffer>;
  readonly bodyBytes: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Is called before parts become an object; what it throws keeps them from it. */
  readonly beforeCompletion: () => Promise<void>;
  /** The ETag of what lies under the key now. */
  readonly currentEtag: () => Promise<string>;
}

export interface Uploaded {
  readonly etag: string;
  readonly inParts: boolean;
}

/** That it was the store which failed, not the source. `cause` is what the SDK threw. */
export class StoreFailure extends Error {
  constructor(cause: unknown) {
    super("The store failed.", { cause });
  }
}

/** All parts but the last have one length, which some stores demand. */
export function partBytesFor(bodyBytes: number | undefined): number {
  return Math.max(PART_BYTES, Math.ceil((bodyBytes ?? 0) / MAX_PARTS));
}

/**
 * Whole or not at all: what fails or is aborted leaves neither object nor parts, unless the store cannot be reached
 * any more; then gc removes the parts.
 * @throws {@link StoreFailure}, what the source threw, or the reason of the signal
 * @throws {@link StorageError} `ERR_STORAGE_SOURCE` when a source without a `size` is longer than 10 000 parts
 */
export async function upload(s3: S3, request: UploadRequest): Promise<Uploaded> {
  const { body, bodyBytes, signal } = request;
  const failing = new AbortController();
  const stop = signal === undefined ? failing.signal : AbortSignal.any([failing.signal, signal]);
  const filler = new PartFiller(abortable(body, stop));
  const partBytes = partBytesFor(bodyBytes);
  try {
    const first = Buffer.allocUnsafeSlow(Math.min(partBytes, bodyBytes ?? partBytes));
    const length = await filler.fill(first);
    if (await filler.isAtEnd()) return await putWhole(s3, request, first.subarray(0, length));
    return await new PartsUpload(s3, request, { filler, failing, stop }).run(first);
  } finally {
    await filler.leave();
  }
}

async function putWhole(s3: S3, request: UploadRequest, Body: Buffer): Promise<Uploaded> {
  request.signal?.throwIfAborted();
  const input = { ...request.params, Body };
  const { ETag: etag = "" } = await sendConditional(request, input.IfMatch, (IfMatch) =>
    s3.client.send(new s3.sdk.PutObjectCommand({ ...input, ...(IfMatch && { IfMatch }) })),
  );
  return { etag, inParts: false };
}

/**
 * The requests that make an object appear; they are not interrupted, because whether they did could not be told
 * afterwards. Ceph 16 compares the ETag of If-Match without the quotes that belong to it (RFC 9110 section 13.1.1).
 */
async function sendConditional<Output>(
  { currentEtag }: UploadRequest,
  etag: string | undefined,
  send: (etag: string | undefined) => Promise<Output>,
): Promise<Output> {
  try {
    try {
      return await send(etag);
    } catch (error) {
      if (etag === undefined || statusOf(error) !== 412) throw error;
      if ((await currentEtag()) !== etag) throw error;
      return await send(etag.replaceAll('"', ""));
    }
  } catch (error) {
    throw new StoreFailure(error);
  }
}

interface UploadControl {
  readonly filler: PartFiller;
  /** Aborted when a part has failed, with that as its reason. */
  readonly failing: AbortController;
  /** That, or the caller's signal. */
  readonly stop: AbortSignal;
}

class PartsUpload {
  readonly #s3: S3;
  readonly #request: UploadRequest;
  readonly #control: UploadControl;
  readonly #target: { readonly Bucket: string; readonly Key: string };
  readonly #parts: CompletedPart[] = [];
  readonly #free: Buffer[] = [];
  readonly #sending: Set<Promise<void>> = new Set();
  #uploadId: string | undefined;

  constructor(s3: S3, request: UploadRequest, control: UploadControl) {
    this.#s3 = s3;
    this.#request = request;
    this.#control = control;
    const { Bucket, Key } = request.params;
    this.#target = { Bucket, Key };
  }

  /** The first part comes filled. */
  async run(first: Buffer): Promise<Uploaded> {
    const { stop } = this.#control;
    try {
      await this.#create();
      await this.#sendAll(first);
      await this.#request.beforeCompletion();
      stop.throwIfAborted();
      return { etag: (await this.#complete()).ETag ?? "", inParts: true };
    } catch (error) {
      // What came first: a part that failed, or an abort, made everything else stop.
      const cause: unknown = stop.aborted ? stop.reason : error;
      await this.#abandon(cause);
      throw cause;
    }
  }

  async #create(): Promise<void> {
    const { client, sdk } = this.#s3;
    // S3 refuses parts with checksums, which the SDK adds where it is not told otherwise, unless they were announced.
    const calculation = await client.config.requestChecksumCalculation();
    const { IfMatch: _, IfNoneMatch: __, ...described } = this.#request.params;
    const announced = calculation === "WHEN_SUPPORTED" && { ChecksumAlgorithm: "CRC32" as const };
    const command = new sdk.CreateMultipartUploadCommand({ ...described, ...announced });
    this.#uploadId = (await this.#store(() => client.send(command))).UploadId;
  }

  async #sendAll(first: Buffer): Promise<void> {
    const { filler, stop } = this.#control;
    let part = first;
    for (let number = 1; ; number++) {
      if (number > MAX_PARTS) throw this.#tooLong(first.length);
      const sending = this.#sendPart(number, part).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
      if (await filler.isAtEnd()) break;
      if (this.#sending.size === PARTS_AT_ONCE) await Promise.race(this.#sending);
      const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(first.length);
      part = buffer.subarray(0, await filler.fill(buffer));
    }
    await Promise.all(this.#sending);
    stop.throwIfAborted();
  }

  /** Does not reject: a failure stops everything, the source too. */
  async #sendPart(PartNumber: number, Body: Buffer): Promise<void> {
    const { client, sdk } = this.#s3;
    const { stop, failing } = this.#control;
    const part = { ...this.#target, UploadId: this.#uploadId, PartNumber, Body };
    try {
      const output = await client.send(new sdk.UploadPartCommand(part), { abortSignal: stop });
      const { ETag, ChecksumCRC32 } = output;
      this.#parts.push({ PartNumber, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) });
      this.#free.push(Buffer.from(Body.buffer));
    } catch (error) {
      failing.abort(new StoreFailure(error));
    }
  }

  async #complete(): Promise<CompleteMultipartUploadCommandOutput> {
    const { client, sdk } = this.#s3;
    const { IfMatch: etag, IfNoneMatch } = this.#request.params;
    const input = {
      ...this.#target,
      ...(IfNoneMatch && { IfNoneMatch }),
      UploadId: this.#uploadId,
      MultipartUpload: {
        Parts: this.#parts.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0)),
      },
    };
    return sendConditional(this.#request, etag, (IfMatch) =>
      client.send(
        new sdk.CompleteMultipartUploadCommand({ ...input, ...(IfMatch && { IfMatch }) }),
      ),
    );
  }

  /** Removes the parts. Their failure must not hide why there is something to remove. */
  async #abandon(cause: unknown): Promise<void> {
    const { client, sdk } = this.#s3;
    this.#control.failing.abort(cause);
    // A part that arrives after them would stay.
    await Promise.all(this.#sending);
    if (this.#uploadId === undefined) return;
    const upload = { ...this.#target, UploadId: this.#uploadId };
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => {});
  }

  async #store<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw new StoreFailure(error);
    }
  }

  #tooLong(partBytes: number): StorageError {
    const { key } = this.#request;
    const gibibytes = Math.floor((partBytes * MAX_PARTS) / (1024 * MIB));
    return new StorageError(
      "ERR_STORAGE_SOURCE",
      `put of "${key}" got more than ${gibibytes} GiB from a source of unknown length. Announce its size.`,
      { objectKey: key },
    );
  }
}

/** Puts pieces of any length into buffers. */
class PartFiller {
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
