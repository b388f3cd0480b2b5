// The legacy layout in a column: which key, which stored form, which inner bytes.
import type { Encoded, ValueCodec } from "./codecs/codec.ts";
import { legacyCbc } from "./column-keys.ts";
import type { LegacyOptions } from "./column-options.ts";
import { decodeCanonicalBase64 } from "./envelope.ts";
import { ConfigError, KeyError } from "./errors.ts";
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

/**
 * The key of legacy values: the one named, else the only one.
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` when several could be meant: under a wrong key one value in 256 has a
 * possible padding and would be read as garbage
 * @throws {@link KeyError} `ERR_KEY_UNKNOWN`
 */
export function legacyKey(
  keyring: Keyring,
  legacy: "aes-256-cbc" | LegacyOptions,
  where: string,
): Key {
  const keyId = typeof legacy === "string" ? undefined : legacy.keyId;
  if (keyId === undefined) {
    const candidates = keyring.keys.filter(({ status }) => status !== "destroyed");
    if (candidates.length === 1) return keyring.primary;
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${where}: legacy values name no key, and the keyring has ${candidates.length}. ` +
        'Name it: legacy: { suite: "aes-256-cbc", keyId: "…" }; `fieldseal keys list` shows the ids.',
    );
  }
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
  readonly #key: Key;
  readonly #cbc: LegacyCbc;
  readonly #codec: ValueCodec<T>;
  readonly #storage: StorageForm;

  constructor(key: Key, codec: ValueCodec<T>, storage: StorageForm) {
    this.#key = key;
    this.#cbc = legacyCbc(key);
    this.#codec = codec;
    this.#storage = storage;
  }

  /** @throws {@link KeyError} `ERR_KEY_STATUS` when the key only decrypts */
  seal(value: Encoded): Stored {
    const { id, status } = this.#key;
    if (status !== "primary" && status !== "enabled") {
      throw new KeyError(
        "ERR_KEY_STATUS",
        `Key ${id} is ${status}, so the legacy layout cannot be written with it. Set it to enabled, or drop suite: "aes-256-cbc".`,
        { keyId: id },
      );
    }
    const { overheadBytes, plaintextAt } = this.#cbc;
    const lengthBytes = Buffer.byteLength(value);
    const buffer = Buffer.alloc(lengthBytes + overheadBytes);
    if (typeof value === "string") buffer.write(value, plaintextAt);
    else buffer.set(value, plaintextAt);
    return toStored(buffer, 0, this.#cbc.seal(buffer, lengthBytes), this.#storage);
  }

  /** Undefined when the value cannot be of this layout and type. */
  open(stored: StoredInput): T | undefined {
    const bytes = typeof stored === "string" ? decodeCanonicalBase64(stored) : asBuffer(stored);
    return bytes && this.#cbc.open(bytes, this.#codec.readLegacy);
  }
}
