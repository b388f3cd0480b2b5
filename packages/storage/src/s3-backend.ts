// Objects in a bucket: the body is the object, the envelope its user metadata, so that both change at once.
import { StorageError, type ErrorCode } from "@fieldseal/crypto";
import type { ObjectBackend, ReplaceRequest, StoredObject, WriteRequest } from "./backend.ts";
import type { CopyOptions, GcOptions, GcReport, ListedObject, ListOptions } from "./contract.ts";
import { S3Body, READ_AHEAD_BYTES } from "./s3-body.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { copyObject, S3_COPY_LIMITS, type CopyLimits, type CopyRequest } from "./s3-copy.ts";
import { changed, exists, foreign } from "./object-errors.ts";
import { s3Error, statusOf } from "./s3-errors.ts";
import { collectUploads, listObjects } from "./s3-listing.ts";
import {
  encodeTags,
  ENVELOPE_NAME,
  envelopeText,
  MAX_S3_ENVELOPE_BYTES,
  STORED_CONTENT_TYPE,
  versionOf,
  withEnvelope,
  type S3Object,
} from "./s3-object.ts";
import { haveSamePublic, readTags, settleTags, writeTags } from "./s3-tags.ts";
import { partBytesFor, StoreFailure, upload, type Uploaded } from "./s3-upload.ts";
import type { Tags } from "./tags.ts";

export class S3Backend implements ObjectBackend {
  readonly maxEnvelopeBytes: number = MAX_S3_ENVELOPE_BYTES;
  /** S3 limits each of them: tags.ts. */
  readonly maxTagBytes: number = Infinity;
  readonly #bucket: S3Bucket;
  readonly #copyLimits: CopyLimits;

  constructor(bucket: S3Bucket, copyLimits: CopyLimits = S3_COPY_LIMITS) {
    this.#bucket = bucket;
    this.#copyLimits = copyLimits;
  }

  async write(key: string, request: WriteRequest): Promise<StoredObject> {
    const { envelope, bodyBytes, tags } = request;
    const replaced = await this.#checkTarget(key, request, { isUpload: false });
    let sentBytes = 0;
    async function* counted(): AsyncGenerator<Buffer> {
      for await (const piece of request.body) {
        sentBytes += piece.length;
        yield piece;
      }
    }
    const { etag, inParts } = await this.#upload(key, request, counted(), replaced);
    if (inParts) await this.#settleTags(key, tags, envelopeText(envelope));
    return {
      envelope,
      bodyBytes: bodyBytes ?? sentBytes,
      version: versionOf(etag, envelopeText(envelope)),
      // The store tells only those who read.
      modifiedAt: new Date(),
      foreign: undefined,
    };
  }

  open(key: string, signal?: AbortSignal): Promise<S3Body> {
    return S3Body.open(this.#bucket, key, { startBytes: READ_AHEAD_BYTES, signal });
  }

  async replaceEnvelope(key: string, { envelope, tags, ifVersion }: ReplaceRequest): Promise<void> {
    const found = await this.#look(key);
    if (found.version !== ifVersion) throw changed(key);
    const metadata = withEnvelope(envelope, found.metadata);
    await this.#copy({ from: key, found, to: key, metadata, tags, ifAbsent: false });
  }

  readTags(key: string): Promise<Tags> {
    return readTags(this.#bucket, key);
  }

  writeTags(key: string, tags: Tags): Promise<void> {
    return writeTags(this.#bucket, key, tags);
  }

  list(options: ListOptions): AsyncIterable<ListedObject> {
    return listObjects(this.#bucket, options);
  }

  async copy(from: string, to: string, request: CopyOptions): Promise<void> {
    await this.#copyTo(from, to, request);
  }

  async move(from: string, to: string, request: CopyOptions): Promise<void> {
    const { version, etag } = await this.#copyTo(from, to, request);
    // What was put there meanwhile must not be deleted unread.
    if ((await this.#look(from)).version !== version) throw changed(from);
    await this.#bucket.run(
      { action: "deleting", key: from },
      ({ client, sdk, isCustomEndpoint }) => {
        const condition = isCustomEndpoint ? {} : { IfMatch: etag };
        return client.send(new sdk.DeleteObjectCommand({ ...this.#bucket.at(from), ...condition }));
      },
    );
  }

  async delete(key: string): Promise<boolean> {
    if ((await this.#lookIfAny(key)) === undefined) return false;
    await this.#bucket.run({ action: "deleting", key }, ({ client, sdk }) =>
      client.send(new sdk.DeleteObjectCommand(this.#bucket.at(key))),
    );
    return true;
  }

  gc({ olderThanMs }: Required<GcOptions>): Promise<GcReport> {
    return collectUploads(this.#bucket, olderThanMs);
  }

  async #upload(
    key: string,
    request: WriteRequest,
    body: AsyncIterable<Buffer>,
    replaced: S3Object | undefined,
  ): Promise<Uploaded> {
    const { envelope, tags, ifAbsent, bodyBytes, signal } = request;
    const s3 = await this.#bucket.connect();
    const params = {
      ...this.#bucket.at(key),
      ContentType: STORED_CONTENT_TYPE,
      Metadata: withEnvelope(envelope),
      Tagging: encodeTags(tags),
      ...(ifAbsent && { IfNoneMatch: "*" }),
      ...(replaced && { IfMatch: replaced.etag, StorageClass: replaced.kept.StorageClass }),
    };
    const beforeCompletion = async (): Promise<void> => {
      await this.#checkTarget(key, request, { isUpload: true });
    };
    const currentEtag = async (): Promise<string> => (await this.#look(key)).etag;
    try {
      return await upload(s3, {
        key,
        params,
        body,
        bodyBytes,
        signal,
        beforeCompletion,
        currentEtag,
      });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const found = await this.#look(key).catch(() => undefined);
      // An answer that was lost, and the SDK's second attempt refused because of the first: it is stored. Envelopes are
      // unique, so that it cannot be another's.
      if (found?.envelope?.equals(envelope) === true) return { etag: found.etag, inParts: true };
      const isTaken = ifAbsent && statusOf(error.cause) === 412;
      throw isTaken ? exists(key) : s3Error(error.cause, "writing", key);
    }
  }

  /**
   * Looks whether the conditions of a write hold, before anything is sent, and again before parts become an object:
   * not every store checks them itself then. Gives the object that is to be replaced.
   */
  async #checkTarget(
    key: string,
    request: WriteRequest,
    { isUpload }: { readonly isUpload: boolean },
  ): Promise<S3Object | undefined> {
    const { ifAbsent, ifVersion, bodyBytes } = request;
    if (ifVersion !== undefined) {
      const found = await this.#look(key);
      const hasSameTags = haveSamePublic(await this.readTags(key), request.tags);
      if (found.version !== ifVersion || !hasSameTags) throw changed(key);
      return found;
    }
    const isLarge = bodyBytes !== undefined && bodyBytes > partBytesFor(bodyBytes);
    if (ifAbsent && (isUpload || isLarge) && (await this.#lookIfAny(key)) !== undefined) {
      throw exists(key);
    }
    return undefined;
  }

  async #copyTo(
    from: string,
    to: string,
    { ifAbsent = false, signal }: CopyOptions,
  ): Promise<S3Object> {
    const found = await this.#look(from);
    if (found.envelope === undefined) throw foreign(from);
    const tags = await this.readTags(from);
    if (ifAbsent && (await this.#lookIfAny(to)) !== undefined) throw exists(to);
    await this.#copy({ from, found, to, metadata: found.metadata, tags, ifAbsent, signal });
    return found;
  }

  async #copy(request: CopyRequest): Promise<void> {
    const { from, to, found, tags, metadata } = request;
    try {
      await copyObject(this.#bucket, request, this.#copyLimits);
    } catch (error) {
      const isTaken = request.ifAbsent && isCode(error, "ERR_STORAGE_CHANGED");
      throw isTaken && (await this.#lookIfAny(to)) !== undefined ? exists(to) : error;
    }
    const copied = await this.#look(to);
    // For stores that check no condition of a copy.
    const isSame = copied.metadata[ENVELOPE_NAME] === metadata[ENVELOPE_NAME];
    if (!isSame || copied.bodyBytes !== found.bodyBytes) throw changed(from);
    await this.#settleTags(to, tags, metadata[ENVELOPE_NAME]);
  }

  async #settleTags(key: string, tags: Tags, envelope: string | undefined): Promise<void> {
    const isStillThere = async (): Promise<boolean> =>
      (await this.#look(key)).metadata[ENVELOPE_NAME] === envelope;
    try {
      await settleTags(this.#bucket, key, tags, isStillThere);
    } catch (error) {
      // It was written, and deleted since.
      if (!isCode(error, "ERR_STORAGE_NOT_FOUND")) throw error;
    }
  }

  async #look(key: string): Promise<S3Object> {
    const body = await S3Body.open(this.#bucket, key, { startBytes: 1 });
    return body.object;
  }

  async #lookIfAny(key: string): Promise<S3Object | undefined> {
    try {
      return await this.#look(key);
    } catch (error) {
      if (isCode(error, "ERR_STORAGE_NOT_FOUND")) return undefined;
      throw error;
    }
  }
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof StorageError && error.code === code;
}
