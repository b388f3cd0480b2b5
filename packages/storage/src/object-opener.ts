// From a key to an open object: envelope, data key, metadata, and a size that is proven before it is told.
import { createHash } from "node:crypto";
import { channels, StorageError, type Keyring } from "@fieldseal/crypto";
import type { ObjectBackend, OpenBody } from "./backend.ts";
import { BodyReader } from "./body-reader.ts";
import type { ContentReader } from "./content-reader.ts";
import type { ObjectInfo, OpenOptions, StorageOptions } from "./contract.ts";
import { wrappingKeyId, type DataKeys } from "./data-key.ts";
import { FLOE_HEADER_BYTES } from "./floe-layout.ts";
import { Floe } from "./floe.ts";
import { describeForeign } from "./foreign-object.ts";
import { LegacyEvidence } from "./legacy-evidence.ts";
import { LegacyReader } from "./legacy-reader.ts";
import { decodeObjectEnvelope, type ObjectEnvelope } from "./object-envelope.ts";
import { decodeMetadata, type ObjectMetadata } from "./object-metadata.ts";
import { PlainReader } from "./plain-reader.ts";

/** Before it is an {@link OpenObject} for users. */
export interface Opened {
  readonly info: ObjectInfo;
  readonly reader: ContentReader;
  readonly body: OpenBody;
  /** Undefined for what this package did not write. */
  readonly envelope: ObjectEnvelope | undefined;
  readonly metadata: ObjectMetadata;
}

interface Content {
  readonly reader: ContentReader;
  readonly metadata: ObjectMetadata;
  readonly protection: ObjectInfo["protection"];
  readonly keyId: string | undefined;
}

export class ObjectOpener {
  readonly legacyEvidence: LegacyEvidence = new LegacyEvidence();
  readonly #backend: ObjectBackend;
  readonly #keys: DataKeys;
  readonly #keyring: () => Keyring;
  readonly #options: StorageOptions;

  constructor(
    backend: ObjectBackend,
    keys: DataKeys,
    keyring: () => Keyring,
    options: StorageOptions,
  ) {
    this.#backend = backend;
    this.#keys = keys;
    this.#keyring = keyring;
    this.#options = options;
  }

  async open(key: string, { expectedObjectId, signal }: OpenOptions = {}): Promise<Opened> {
    const body = await this.#backend.open(key, signal);
    try {
      const stored = body.object.envelope;
      const envelope = stored && decodeObjectEnvelope(stored, key);
      const objectId = envelope?.objectId.toString("hex") ?? "";
      if (expectedObjectId !== undefined && objectId !== expectedObjectId) throw mismatch(key);
      // Without authentication an id says no more than whoever wrote it.
      if (expectedObjectId !== undefined && envelope?.protection !== "encrypted")
        throw mismatch(key);
      const content = await this.#content(key, body, envelope);
      const { metadata, protection, keyId, reader } = content;
      const info: ObjectInfo = {
        key,
        objectId,
        etag: `"${objectId === "" ? foreignTag(body.object.version) : objectId}"`,
        size: reader.size,
        contentType: metadata.contentType,
        fileName: metadata.fileName,
        metadata: metadata.custom,
        keyId,
        protection,
        modifiedAt: body.object.modifiedAt,
      };
      return { info, reader, body, envelope, metadata };
    } catch (error) {
      await body.close();
      throw error;
    }
  }

  async #content(
    key: string,
    body: OpenBody,
    envelope: ObjectEnvelope | undefined,
  ): Promise<Content> {
    if (envelope === undefined) return this.#foreign(key, body);
    if (envelope.protection === "encrypted") return this.#encrypted(key, body, envelope);
    this.#acceptPlaintext(key);
    const metadata = decodeMetadata(envelope.metadata, key);
    return {
      reader: new PlainReader(body, key, metadata.size),
      metadata,
      protection: "plaintext",
      keyId: undefined,
    };
  }

  async #encrypted(key: string, body: OpenBody, envelope: ObjectEnvelope): Promise<Content> {
    const { wrappedKey, objectId } = envelope;
    const dataKey = this.#keys.unwrap(wrappedKey, objectId, key);
    const metadata = decodeMetadata(dataKey.openMetadata(envelope.metadata, key), key);
    const floe = Floe.open(await body.read(0, FLOE_HEADER_BYTES), {
      key: dataKey.bodyKey(),
      associatedData: dataKey.associatedData,
      objectKey: key,
    });
    const reader = new BodyReader(floe, body);
    // The store tells a body's length, and may lie. What was known at the start of the put is proof; else the last
    // segment is, which only the end of the body has.
    if (metadata.size !== undefined && metadata.size !== reader.size) {
      throw new StorageError(
        "ERR_STORAGE_TRUNCATED",
        `The object "${key}" cannot be read: it has not the length that it was put with.`,
        { objectKey: key },
      );
    }
    // Of an empty object no read opens its segment.
    if (metadata.size === undefined || reader.size === 0) await reader.checkEnd();
    return { reader, metadata, protection: "encrypted", keyId: wrappingKeyId(wrappedKey) };
  }

  async #foreign(key: string, body: OpenBody): Promise<Content> {
    const { protection, metadata } = describeForeign(body.object.foreign ?? {});
    const { legacy } = this.#options;
    if (protection === "plaintext") {
      this.#acceptPlaintext(key);
      return { reader: new PlainReader(body, key), metadata, protection, keyId: undefined };
    }
    if (protection === undefined) {
      throw new StorageError(
        "ERR_STORAGE_FORMAT",
        `The object "${key}" was not written by this package, and nothing says how it is stored.`,
        { objectKey: key },
      );
    }
    if (legacy === undefined)
      throw unprotected(key, 'is in the legacy layout, and `legacy: "aes-256-cbc"` is not set');
    const keyring = this.#keyring();
    const keyId = typeof legacy === "string" ? keyring.primary.id : legacy.keyId;
    const reader = await this.#legacy(key, body, { keyring, keyId });
    this.#publish("legacy-read");
    return { reader, metadata, protection, keyId };
  }

  async #legacy(
    key: string,
    body: OpenBody,
    { keyring, keyId }: { readonly keyring: Keyring; readonly keyId: string },
  ): Promise<LegacyReader> {
    try {
      const reader = await LegacyReader.open(body, keyring, keyId, key);
      this.legacyEvidence.note(key, { keyId, opens: true });
      return reader;
    } catch (error) {
      const isWrongKey = error instanceof StorageError && error.code === "ERR_STORAGE_WRONG_KEY";
      if (isWrongKey) this.legacyEvidence.note(key, { keyId, opens: false });
      throw error;
    }
  }

  #acceptPlaintext(key: string): void {
    const { plaintext = "reject" } = this.#options;
    if (plaintext !== "accept")
      throw unprotected(key, 'is stored in plaintext, and `plaintext: "accept"` is not set');
    this.#publish("plaintext-read");
  }

  #publish(reason: "legacy-read" | "plaintext-read"): void {
    if (!channels.insecure.hasSubscribers) return;
    const { context = DEFAULT_CONTEXT } = this.#options;
    channels.insecure.publish({ table: "fieldseal.storage", column: context, reason, count: 1 });
  }
}

export const DEFAULT_CONTEXT = "default";

function foreignTag(version: string): string {
  return createHash("sha256").update(version).digest("hex").slice(0, 32);
}

function mismatch(key: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_MISMATCH",
    `Under "${key}" stands another object than the one expected: replaced, swapped or rolled back.`,
    { objectKey: key },
  );
}

function unprotected(key: string, what: string): StorageError {
  return new StorageError("ERR_STORAGE_UNPROTECTED", `The object "${key}" ${what}.`, {
    objectKey: key,
  });
}
