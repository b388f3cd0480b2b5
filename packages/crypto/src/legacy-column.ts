// The legacy layout in a column: which key, which stored form, which inner bytes.
import type { Encoded, ValueCodec } from "./codecs/codec.ts";
import { legacyCbc } from "./column-keys.ts";
import type { LegacyOptions } from "./column-options.ts";
import { decodeCanonicalBase64 } from "./envelope.ts";
import { KeyError } from "./errors.ts";
import type { Key } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import {
  asBuffer,
  toStored,
  type StorageForm,
  type Stored,
  type StoredInput,
} from "./stored-form.ts";
import type { LegacyCbc } from "./suites/legacy-cbc.ts";

/** The key of legacy values: the one named, else the primary. */
export function legacyKey(keyring: Keyring, legacy: "aes-256-cbc" | LegacyOptions): Key {
  const keyId = typeof legacy === "string" ? undefined : legacy.keyId;
  if (keyId === undefined) return keyring.primary;
  const key = keyring.get(keyId);
  if (key === undefined) {
    throw new KeyError(
      "ERR_KEY_UNKNOWN",
      `legacy.keyId names key ${keyId}, which the keyring does not have.`,
      { keyId },
    );
  }
  return key;
}

export class LegacyColumn<T> {
  readonly #cbc: LegacyCbc;
  readonly #codec: ValueCodec<T>;
  readonly #storage: StorageForm;

  constructor(key: Key, codec: ValueCodec<T>, storage: StorageForm) {
    this.#cbc = legacyCbc(key);
    this.#codec = codec;
    this.#storage = storage;
  }

  seal(value: Encoded): Stored {
    const plaintext = Buffer.from(value as string);
    const buffer = Buffer.alloc(plaintext.length + this.#cbc.overheadBytes);
    buffer.set(plaintext, this.#cbc.plaintextAt);
    return toStored(buffer, 0, this.#cbc.seal(buffer, plaintext.length), this.#storage);
  }

  /** Undefined when the value cannot be of this layout and type. */
  open(stored: StoredInput): T | undefined {
    const bytes = typeof stored === "string" ? decodeCanonicalBase64(stored) : asBuffer(stored);
    return bytes && this.#cbc.open(bytes, this.#codec.readLegacy);
  }
}
