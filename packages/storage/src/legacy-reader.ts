// The legacy layout: IV | AES-256-CBC with PKCS#7 of the whole object, under the raw root key. Nothing of it is
// authenticated: whoever can write to the store can change it unseen. CBC opens from any block, so ranges work.
import { createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { KeyError, StorageError, type Keyring } from "@fieldseal/crypto";
import { exportRootKey } from "@fieldseal/crypto/unsafe";
import type { OpenBody } from "./backend.ts";
import type { ContentReader } from "./content-reader.ts";
import { release } from "./release.ts";

const BLOCK_BYTES = 16;
/** Plaintext that is read and decrypted at once. */
const STEP_BYTES: number = 1024 * 1024;

export class LegacyReader implements ContentReader {
  readonly size: number;
  readonly #body: OpenBody;
  readonly #key: KeyObject;
  readonly #objectKey: string;

  private constructor(parts: {
    readonly body: OpenBody;
    readonly key: KeyObject;
    readonly size: number;
    readonly objectKey: string;
  }) {
    this.#body = parts.body;
    this.#key = parts.key;
    this.#objectKey = parts.objectKey;
    this.size = parts.size;
  }

  /**
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED`, or `ERR_STORAGE_WRONG_KEY` when the padding is impossible
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
   */
  static async open(
    body: OpenBody,
    keyring: Keyring,
    keyId: string,
    objectKey: string,
  ): Promise<LegacyReader> {
    const { bodyBytes } = body.object;
    if (bodyBytes < 2 * BLOCK_BYTES || bodyBytes % BLOCK_BYTES !== 0) {
      throw legacyError("ERR_STORAGE_TRUNCATED", objectKey, "is no whole number of blocks");
    }
    const bytes = legacyKey(keyring, keyId);
    const key = createSecretKey(bytes);
    bytes.fill(0);
    const reader = new LegacyReader({ body, key, size: bodyBytes, objectKey });
    const last = await reader.#blocks(bodyBytes - 2 * BLOCK_BYTES, bodyBytes);
    const padBytes = last[BLOCK_BYTES - 1] as number;
    const isPadded =
      padBytes >= 1 &&
      padBytes <= BLOCK_BYTES &&
      last.subarray(BLOCK_BYTES - padBytes).every((byte) => byte === padBytes);
    if (!isPadded) {
      throw legacyError("ERR_STORAGE_WRONG_KEY", objectKey, `does not open with the key ${keyId}`);
    }
    return new LegacyReader({ body, key, size: bodyBytes - BLOCK_BYTES - padBytes, objectKey });
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    const end = start + target.length;
    for (let at = start; at < end; at += STEP_BYTES) {
      const bytes = await this.#read(at, Math.min(end, at + STEP_BYTES));
      target.set(bytes, at - start);
    }
  }

  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    for (let at = start; at < end; at += STEP_BYTES) {
      yield await this.#read(at, Math.min(end, at + STEP_BYTES));
    }
  }

  async #read(start: number, end: number): Promise<Buffer> {
    const from = start - (start % BLOCK_BYTES);
    const to = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
    // The block before is the IV of the first one; at the beginning that is the object's IV.
    const plaintext = await this.#blocks(from, to + BLOCK_BYTES);
    return plaintext.subarray(start - from, end - from);
  }

  /** The plaintext of the blocks after the one at `from`, up to `to` in the body. */
  async #blocks(from: number, to: number): Promise<Buffer> {
    const bytes = await this.#body.read(from, to - from);
    if (bytes.length !== to - from)
      throw legacyError("ERR_STORAGE_TRUNCATED", this.#objectKey, "ends before its end");
    const iv = bytes.subarray(0, BLOCK_BYTES);
    const decipher = createDecipheriv("aes-256-cbc", this.#key, iv).setAutoPadding(false);
    const plaintext = decipher.update(bytes.subarray(BLOCK_BYTES));
    release(bytes);
    return plaintext;
  }
}

function legacyKey(keyring: Keyring, keyId: string): Buffer {
  const status = keyring.get(keyId)?.status;
  const material = status === "disabled" ? undefined : exportRootKey(keyring, keyId);
  if (material !== undefined) return material;
  const message = `Objects in the legacy layout need the key ${keyId}, which is ${status ?? "not in the keyring"}.`;
  if (status === undefined) throw new KeyError("ERR_KEY_UNKNOWN", message, { keyId });
  if (status === "disabled") throw new KeyError("ERR_KEY_DISABLED", message, { keyId });
  throw new KeyError("ERR_KEY_DESTROYED", message, { keyId });
}

function legacyError(
  code: "ERR_STORAGE_TRUNCATED" | "ERR_STORAGE_WRONG_KEY",
  objectKey: string,
  finding: string,
): StorageError {
  return new StorageError(code, `The object "${objectKey}", in the legacy layout, ${finding}.`, {
    objectKey,
  });
}
