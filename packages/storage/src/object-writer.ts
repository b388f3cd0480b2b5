// From a source to a stored object: data key, envelope, encrypted body.
import { randomBytes } from "node:crypto";
import { channels, StorageError } from "@fieldseal/crypto";
import type { ObjectBackend, StoredObject } from "./backend.ts";
import { sealBody } from "./body-writer.ts";
import type { ObjectInfo, PutOptions, PutSource, StorageOptions } from "./contract.ts";
import { wrappingKeyId, type DataKeys } from "./data-key.ts";
import { Floe } from "./floe.ts";
import { encodeObjectEnvelope, type ObjectEnvelope } from "./object-envelope.ts";
import { checkMetadata, encodeMetadata, type ObjectMetadata } from "./object-metadata.ts";
import { DEFAULT_CONTEXT } from "./object-opener.ts";
import { checkSource } from "./put-source.ts";
import { checkTagBytes, checkTags, ownTags, type Tags } from "./tags.ts";

/** What is to be written, apart from where the bytes come from. */
interface Target {
  readonly objectId: Buffer;
  readonly metadata: ObjectMetadata;
  readonly tags: Tags;
  readonly ifAbsent: boolean;
  readonly ifVersion?: string;
  /** Where `onEncryptFailure` says so: what a put brings, never what is encrypted already. */
  readonly mayBePlaintext?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** An envelope, and how the body that belongs to it is made from plaintext. */
interface Sealing {
  readonly envelope: ObjectEnvelope;
  readonly body: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Buffer>;
  readonly bodyBytes: number | undefined;
}

export class ObjectWriter {
  readonly #backend: ObjectBackend;
  readonly #keys: DataKeys;
  readonly #options: StorageOptions;

  constructor(backend: ObjectBackend, keys: DataKeys, options: StorageOptions) {
    this.#backend = backend;
    this.#keys = keys;
    this.#options = options;
  }

  async put(key: string, source: PutSource, options: PutOptions): Promise<ObjectInfo> {
    options.signal?.throwIfAborted();
    const { size, bytesTaken, chunks } = checkSource(source, options, key);
    const metadata = checkMetadata(options, size, key);
    const confidential = [metadata.fileName ?? "", ...Object.values(metadata.custom)];
    const target: Target = {
      objectId: randomBytes(16),
      metadata,
      tags: checkTags(options.tags ?? {}, confidential, key),
      ifAbsent: options.ifAbsent === true,
      mayBePlaintext: this.#options.onEncryptFailure === "insecure-store-plaintext",
      signal: options.signal,
    };
    const { stored, envelope } = await this.write(key, chunks, target);
    const objectId = target.objectId.toString("hex");
    return {
      key,
      objectId,
      etag: `"${objectId}"`,
      size: bytesTaken(),
      contentType: metadata.contentType,
      fileName: metadata.fileName,
      metadata: metadata.custom,
      keyId: wrappingKeyId(envelope.wrappedKey),
      protection: envelope.protection,
      modifiedAt: stored.modifiedAt,
    };
  }

  /** Under a new data key. */
  async write(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    target: Target,
  ): Promise<{ readonly stored: StoredObject; readonly envelope: ObjectEnvelope }> {
    const { tags, ifAbsent, ifVersion, signal } = target;
    const { envelope, body, bodyBytes } = this.#seal(key, target);
    const keyId = wrappingKeyId(envelope.wrappedKey);
    const stored = await this.#backend.write(key, {
      envelope: this.encode(envelope, key),
      tags: checkTagBytes({ ...tags, ...ownTags(keyId) }, this.#backend.maxTagBytes, key),
      body: body(chunks),
      bodyBytes,
      ifAbsent,
      ifVersion,
      signal,
    });
    return { stored, envelope };
  }

  /** @throws {@link StorageError} `ERR_STORAGE_METADATA` when the store cannot keep that much */
  encode(envelope: ObjectEnvelope, key: string): Buffer {
    const bytes = encodeObjectEnvelope(envelope);
    const { maxEnvelopeBytes } = this.#backend;
    if (bytes.length > maxEnvelopeBytes) {
      const excess = bytes.length - maxEnvelopeBytes;
      throw new StorageError(
        "ERR_STORAGE_METADATA",
        `fileName, contentType and metadata of "${key}" are about ${excess} bytes more than the store can keep.`,
        { objectKey: key },
      );
    }
    return bytes;
  }

  #seal(objectKey: string, { objectId, metadata, mayBePlaintext = false }: Target): Sealing {
    try {
      const { dataKey, wrapped } = this.#keys.create(objectId);
      const { associatedData } = dataKey;
      const floe = Floe.create({ key: dataKey.bodyKey(), associatedData, objectKey });
      const sealed = dataKey.sealMetadata(encodeMetadata(metadata));
      return {
        envelope: { protection: "encrypted", objectId, wrappedKey: wrapped, metadata: sealed },
        body: (chunks) => this.#sealed(floe, chunks, { wrapped, objectId, objectKey }),
        bodyBytes: metadata.size === undefined ? undefined : floe.layout.bodyBytes(metadata.size),
      };
    } catch (error) {
      if (!mayBePlaintext) throw error;
      return this.#plaintext(objectId, metadata);
    }
  }

  /**
   * A source may take hours, and its key be retired meanwhile, because nothing seems to be under it: then nothing is stored,
   * rather than an object that never opens.
   */
  async *#sealed(
    floe: Floe,
    chunks: AsyncIterable<Uint8Array>,
    {
      wrapped,
      objectId,
      objectKey,
    }: { readonly wrapped: Buffer; readonly objectId: Buffer; readonly objectKey: string },
  ): AsyncGenerator<Buffer, void, undefined> {
    yield* sealBody(floe, chunks);
    this.#keys.unwrap(wrapped, objectId, objectKey);
  }

  #plaintext(objectId: Buffer, metadata: ObjectMetadata): Sealing {
    const { context = DEFAULT_CONTEXT } = this.#options;
    channels.insecure.publish({
      table: "fieldseal.storage",
      column: context,
      reason: "plaintext-stored",
      count: 1,
    });
    const wrappedKey = Buffer.alloc(0);
    return {
      envelope: {
        protection: "plaintext",
        objectId,
        wrappedKey,
        metadata: encodeMetadata(metadata),
      },
      body: asBuffers,
      bodyBytes: metadata.size,
    };
  }
}

/** Copies, because the source may use its buffer again. */
async function* asBuffers(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}
