// The random key of one object: wrapped by the keyring, and what is derived from it.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from "node:crypto";
import {
  bytesCodec,
  ColumnCipher,
  DecryptError,
  formatKeyId,
  parseEnvelope,
  StorageError,
  type KeyringInput,
} from "@fieldseal/crypto";

const DATA_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NO_SALT: Buffer = Buffer.alloc(0);

export interface WrappedKey {
  readonly dataKey: DataKey;
  readonly wrapped: Buffer;
}

/** Wraps data keys as values of a column `fieldseal.storage`.context, row object id: nothing of that is stored. */
export class DataKeys {
  readonly #context: string;
  readonly #cipher: ColumnCipher<Buffer>;

  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(context: string, keyring: KeyringInput | undefined) {
    this.#context = context;
    this.#cipher = new ColumnCipher({
      codec: bytesCodec,
      label: `storage context "${context}"`,
      options: { context: { table: "fieldseal.storage", column: context } },
      defaultContext: { table: "fieldseal.storage", column: context },
      defaultKeyring: keyring,
    });
  }

  /** @throws {@link ConfigError} `ERR_CONFIG_NO_KEY` */
  get primaryKeyId(): string {
    return this.#cipher.primaryKeyId;
  }

  create(objectId: Buffer): WrappedKey {
    const bytes = randomBytes(DATA_KEY_BYTES);
    const wrapped = this.#cipher.seal(bytes, objectId.toString("hex")) as Buffer;
    return { dataKey: new DataKey(bytes, this.#context, objectId), wrapped };
  }

  /**
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
   * @throws {@link StorageError} `ERR_STORAGE_WRONG_KEY`
   */
  unwrap(wrapped: Buffer, objectId: Buffer, objectKey: string): DataKey {
    return new DataKey(this.#open(wrapped, objectId, objectKey), this.#context, objectId);
  }

  /** The same data key under the primary key. */
  rewrap(wrapped: Buffer, objectId: Buffer, objectKey: string): Buffer {
    const bytes = this.#open(wrapped, objectId, objectKey);
    try {
      return this.#cipher.seal(bytes, objectId.toString("hex")) as Buffer;
    } finally {
      bytes.fill(0);
    }
  }

  #open(wrapped: Buffer, objectId: Buffer, objectKey: string): Buffer {
    try {
      return this.#cipher.open(wrapped, objectId.toString("hex"));
    } catch (error) {
      throw error instanceof DecryptError ? wrongKey(objectKey) : error;
    }
  }
}

/** The id of the key that a data key is wrapped with; undefined when it is not. Not authenticated. */
export function wrappingKeyId(wrapped: Buffer): string | undefined {
  const keyId = wrapped.length === 0 ? undefined : parseEnvelope(wrapped)?.header.keyId;
  return keyId === undefined ? undefined : formatKeyId(keyId);
}

export class DataKey {
  readonly #material: KeyObject;
  /** What body and metadata are bound to: format, context, object. Not the key in the store, which may change. */
  readonly associatedData: Buffer;

  /** Zeroes the bytes. */
  constructor(bytes: Buffer, context: string, objectId: Buffer) {
    this.#material = createSecretKey(bytes);
    bytes.fill(0);
    this.associatedData = Buffer.concat([
      Buffer.from("fieldseal/v1/storage"),
      objectId,
      Buffer.from(context),
    ]);
  }

  /** For FLOE. */
  bodyKey(): Buffer {
    return this.#derive("body");
  }

  sealMetadata(plaintext: Buffer): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#derive("metadata"), nonce);
    cipher.setAAD(this.associatedData);
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
  }

  /** @throws {@link StorageError} `ERR_STORAGE_WRONG_KEY` */
  openMetadata(sealed: Buffer, objectKey: string): Buffer {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw wrongKey(objectKey);
    const tagAt = sealed.length - TAG_BYTES;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", this.#derive("metadata"), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(this.associatedData);
    decipher.setAuthTag(sealed.subarray(tagAt));
    const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
    try {
      decipher.final();
    } catch {
      throw wrongKey(objectKey);
    }
    return plaintext;
  }

  #derive(purpose: "body" | "metadata"): Buffer {
    const info = `fieldseal/v1/storage-${purpose}`;
    return Buffer.from(hkdfSync("sha256", this.#material, NO_SALT, info, DATA_KEY_BYTES));
  }
}

function wrongKey(objectKey: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_WRONG_KEY",
    `The envelope of "${objectKey}" does not open with this keyring and context.`,
    { objectKey },
  );
}
