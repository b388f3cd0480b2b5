// One object written through lib-storage's Upload: in one request, or in parts that appear as one object.
import { Readable } from "node:stream";
import type { PutObjectCommandInput, S3Client } from "@aws-sdk/client-s3";
import { StorageError } from "@fieldseal/crypto";
import { abortable } from "./put-source.ts";
import type { S3 } from "./s3-bucket.ts";
import { statusOf } from "./s3-errors.ts";

const MIB: number = 1024 * 1024;
/** Also the largest object that is written in one request. */
const PART_BYTES: number = 8 * MIB;
/** Of S3. */
const MAX_PARTS = 10_000;
/** Parts on their way at once; memory is about three times as much. */
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
  const run = new RunningUpload(s3, request);
  try {
    return await run.done();
  } catch (error) {
    await run.abandon();
    throw run.causeOf(error);
  }
}

/** What Upload lacks: it goes on with the other parts when one failed, and cannot be interrupted in a request. */
class RunningUpload {
  readonly #s3: S3;
  readonly #request: UploadRequest;
  readonly #partBytes: number;
  /** Aborts when a part or the source has failed; its reason is the first failure. */
  readonly #failing: AbortController = new AbortController();
  readonly #stop: AbortSignal;
  #uploadId: string | undefined;

  constructor(s3: S3, request: UploadRequest) {
    this.#s3 = s3;
    this.#request = request;
    this.#partBytes = partBytesFor(request.bodyBytes);
    const { signal } = this.#failing;
    this.#stop = request.signal === undefined ? signal : AbortSignal.any([signal, request.signal]);
  }

  async done(): Promise<Uploaded> {
    const { lib } = this.#s3;
    // Of high-water mark 1: a piece is taken when it is needed, as it is.
    const Body = Readable.from(this.#pieces(), { highWaterMark: 1 });
    const uploading = new lib.Upload({
      client: this.#interruptible(),
      params: { ...this.#request.params, Body },
      partSize: this.#partBytes,
      queueSize: PARTS_AT_ONCE,
      // It does not say whether it could abort; abandon() does it.
      leavePartsOnError: true,
    });
    const { ETag: etag = "" } = await uploading.done();
    return { etag, inParts: this.#uploadId !== undefined };
  }

  /** Removes the parts. Their failure must not hide why there is something to remove. */
  async abandon(): Promise<void> {
    if (this.#uploadId === undefined) return;
    const { client, sdk } = this.#s3;
    const upload = { Bucket: this.#request.params.Bucket, Key: this.#request.params.Key };
    const command = new sdk.AbortMultipartUploadCommand({ ...upload, UploadId: this.#uploadId });
    await client.send(command).catch(() => {});
  }

  /** What came first: an abort, else the failure that made all others stop. */
  causeOf(error: unknown): unknown {
    const { signal } = this.#request;
    if (signal?.aborted === true) return signal.reason;
    return this.#failing.signal.aborted ? this.#failing.signal.reason : error;
  }

  async *#pieces(): AsyncGenerator<Buffer, void, undefined> {
    let bytes = 0;
    try {
      for await (const piece of abortable(this.#request.body, this.#stop)) {
        bytes += piece.length;
        if (bytes > this.#partBytes * MAX_PARTS) throw this.#tooLong();
        yield Buffer.from(piece);
      }
    } catch (error) {
      this.#failing.abort(error);
      throw error;
    }
  }

  /** The client, which remembers the upload and stops all parts when one fails. */
  #interruptible(): S3Client {
    const { client } = this.#s3;
    const send = async (command: Parameters<S3Client["send"]>[0]): Promise<unknown> => {
      const { signal, beforeCompletion } = this.#request;
      if ("MultipartUpload" in command.input) await beforeCompletion();
      signal?.throwIfAborted();
      try {
        // Not the requests that make an object appear: whether they did could not be told afterwards.
        const isPart = "PartNumber" in command.input;
        const output = await this.#send(command, isPart ? this.#stop : undefined);
        if ("UploadId" in output && typeof output.UploadId === "string")
          this.#uploadId ??= output.UploadId;
        return output;
      } catch (error) {
        this.#failing.abort(new StoreFailure(error));
        throw error;
      }
    };
    return Object.create(client, { send: { value: send } }) as S3Client;
  }

  /** Ceph 16 compares the ETag of If-Match without the quotes that belong to it (RFC 9110 section 13.1.1). */
  async #send(
    command: Parameters<S3Client["send"]>[0],
    abortSignal: AbortSignal | undefined,
  ): Promise<object> {
    const { client } = this.#s3;
    const input = command.input as { IfMatch?: string };
    try {
      return await client.send(command, { ...(abortSignal && { abortSignal }) });
    } catch (error) {
      const quoted = input.IfMatch;
      if (quoted === undefined || statusOf(error) !== 412) throw error;
      if ((await this.#request.currentEtag()) !== quoted) throw error;
      input.IfMatch = quoted.replaceAll('"', "");
      return client.send(command);
    }
  }

  #tooLong(): StorageError {
    const { key } = this.#request;
    const gibibytes = Math.floor((this.#partBytes * MAX_PARTS) / (1024 * MIB));
    return new StorageError(
      "ERR_STORAGE_SOURCE",
      `put of "${key}" got more than ${gibibytes} GiB from a source of unknown length. Announce its size.`,
      { objectKey: key },
    );
  }
}
