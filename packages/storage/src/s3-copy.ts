// Copies within the bucket, also of an object onto itself, which is how S3 changes metadata. No body passes through us.
import type { CopyObjectCommand, CopyObjectCommandInput } from "@aws-sdk/client-s3";
import type { S3, S3Bucket } from "./s3-bucket.ts";
import { changed } from "./object-errors.ts";
import { misbehaving } from "./s3-errors.ts";
import { encodeTags, type S3Object } from "./s3-object.ts";
import type { Tags } from "./tags.ts";

export interface CopyLimits {
  /** What CopyObject takes; more goes in parts. AWS: 5 GiB. */
  readonly wholeBytes: number;
  /** AWS: 5 MiB to 5 GiB, at most 10 000 parts. */
  readonly partBytes: number;
}

const MIB: number = 1024 * 1024;
export const S3_COPY_LIMITS: CopyLimits = { wholeBytes: 5 * 1024 * MIB, partBytes: 512 * MIB };
const MAX_PARTS = 10_000;
const PARTS_AT_ONCE = 4;

export interface CopyRequest {
  readonly from: string;
  /** As it was found at `from`; if another one is there by now, nothing is written. */
  readonly found: S3Object;
  readonly to: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: Tags;
  readonly ifAbsent: boolean;
  /** Interrupts no request: what the store did could not be told. */
  readonly signal?: AbortSignal | undefined;
}

export async function copyObject(
  bucket: S3Bucket,
  request: CopyRequest,
  limits: CopyLimits,
): Promise<void> {
  const attempt = { action: "copying", key: request.from, signal: request.signal };
  await bucket.run(attempt, async (s3) => {
    if (request.found.bodyBytes > limits.wholeBytes)
      await new PartsCopy(s3, bucket, request, limits).run();
    else await copyWhole(s3, bucket, request);
  });
}

/** What the new object has apart from its body. */
function described({
  from,
  to,
  found,
  metadata,
  tags,
}: CopyRequest): Partial<CopyObjectCommandInput> {
  const locks = from === to ? found.locks : {};
  return { ...found.kept, ...locks, Metadata: { ...metadata }, Tagging: encodeTags(tags) };
}

/** The conditions on the target: for a copy onto itself that nobody else has written since. */
function conditions(
  { isCustomEndpoint }: S3,
  request: CopyRequest,
): { IfMatch?: string; IfNoneMatch?: string } {
  if (request.ifAbsent) return { IfNoneMatch: "*" };
  // Unlike the condition on the source, younger than most stores that are not AWS.
  const isSelf = request.from === request.to && !isCustomEndpoint;
  return isSelf ? { IfMatch: request.found.etag } : {};
}

async function copyWhole(s3: S3, bucket: S3Bucket, request: CopyRequest): Promise<void> {
  const { from, to, found } = request;
  const command = new s3.sdk.CopyObjectCommand({
    ...bucket.at(to),
    ...described(request),
    ...conditions(s3, request),
    CopySource: bucket.copySource(from),
    CopySourceIfMatch: found.etag,
    MetadataDirective: "REPLACE",
    TaggingDirective: "REPLACE",
  });
  if (s3.isCustomEndpoint) alsoForCeph(command, found.etag);
  await s3.client.send(command);
}

/**
 * Ceph's gateway reads the condition from a header of another name, and without it would give the old envelope to a body
 * that was put meanwhile (rgw_rest_s3.cc, `HTTP_X_AMZ_COPY_IF_MATCH`; seen in 16.2). Can go when no release does.
 */
function alsoForCeph(command: CopyObjectCommand, etag: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { readonly headers: Record<string, string> };
      headers["x-amz-copy-if-match"] = etag;
      return next(args);
    },
    { step: "build", name: "copyIfMatchForCeph" },
  );
}

class PartsCopy {
  readonly #s3: S3;
  readonly #bucket: S3Bucket;
  readonly #request: CopyRequest;
  readonly #partBytes: number;
  readonly #parts: { PartNumber: number; ETag: string }[] = [];
  #hasFailed = false;
  #uploadId: string | undefined;

  constructor(s3: S3, bucket: S3Bucket, request: CopyRequest, { partBytes }: CopyLimits) {
    this.#s3 = s3;
    this.#bucket = bucket;
    this.#request = request;
    this.#partBytes = Math.max(partBytes, Math.ceil(request.found.bodyBytes / MAX_PARTS));
  }

  async run(): Promise<void> {
    const { client, sdk } = this.#s3;
    const target = this.#bucket.at(this.#request.to);
    const create = new sdk.CreateMultipartUploadCommand({ ...target, ...described(this.#request) });
    this.#uploadId = (await client.send(create)).UploadId;
    try {
      await this.#copyParts();
      await this.#complete();
    } catch (error) {
      const abort = { ...target, UploadId: this.#uploadId };
      // What cannot be removed now is left for gc; the error that led here matters more.
      await client.send(new sdk.AbortMultipartUploadCommand(abort)).catch(() => {});
      throw error;
    }
  }

  /** Ends when no request is running any more: a part that arrives after the abort would stay. */
  async #copyParts(): Promise<void> {
    const count = Math.ceil(this.#request.found.bodyBytes / this.#partBytes);
    const numbers = Array.from({ length: count }, (_, i) => i + 1).values();
    const workers = Array.from({ length: PARTS_AT_ONCE }, () => this.#work(numbers));
    const results = await Promise.allSettled(workers);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #work(numbers: Iterable<number>): Promise<void> {
    for (const number of numbers) {
      if (this.#hasFailed) return;
      try {
        this.#request.signal?.throwIfAborted();
        await this.#copyPart(number);
      } catch (error) {
        this.#hasFailed = true;
        throw error;
      }
    }
  }

  async #copyPart(PartNumber: number): Promise<void> {
    const { client, sdk } = this.#s3;
    const { from, to, found } = this.#request;
    const start = (PartNumber - 1) * this.#partBytes;
    const end = Math.min(found.bodyBytes, start + this.#partBytes);
    const command = new sdk.UploadPartCopyCommand({
      ...this.#bucket.at(to),
      UploadId: this.#uploadId,
      PartNumber,
      CopySource: this.#bucket.copySource(from),
      CopySourceRange: `bytes=${start}-${end - 1}`,
      CopySourceIfMatch: found.etag,
    });
    const { CopyPartResult } = await client.send(command);
    if (CopyPartResult?.ETag === undefined)
      throw misbehaving(from, "it copied a part without saying so");
    this.#parts.push({ PartNumber, ETag: CopyPartResult.ETag });
  }

  async #complete(): Promise<void> {
    const { client, sdk } = this.#s3;
    const { from, to, found, signal } = this.#request;
    // For stores that do not check the condition of each part.
    const source = await client.send(new sdk.HeadObjectCommand(this.#bucket.at(from)));
    signal?.throwIfAborted();
    if (source.ETag !== found.etag) throw changed(from);
    const command = new sdk.CompleteMultipartUploadCommand({
      ...this.#bucket.at(to),
      ...conditions(this.#s3, this.#request),
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: this.#parts.toSorted((a, b) => a.PartNumber - b.PartNumber) },
    });
    await client.send(command);
  }
}
