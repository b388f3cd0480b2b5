// Seals and opens the values of one column: what both adapters, the engine and the functions of api.ts run on.
import { BlindIndex } from "./blind-index.ts";
import { BoundColumn } from "./bound-column.ts";
import type { ValueCodec } from "./codecs/codec.ts";
import { ColumnEvents } from "./column-events.ts";
import { checkOptions, type EncryptionOptions } from "./column-options.ts";
import { parseContext, type ColumnContext } from "./context.ts";
import type { SuiteName } from "./envelope.ts";
import { NOT_AN_ENVELOPE } from "./envelope-opener.ts";
import { ConfigError, DecryptError, ValueRangeError, ValueTypeError } from "./errors.ts";
import type { KeyringInput } from "./keyring.ts";
import { readStoredPlaintext, toStoredPlaintext } from "./plaintext-column.ts";
import { resolveKeyring } from "./process-default.ts";
import { asBuffer, type StorageForm, type Stored, type StoredInput } from "./stored-form.ts";

export interface ColumnDefinition<T> {
  readonly codec: ValueCodec<T>;
  /** Names model and field in errors, e.g. `"User.email"`. */
  readonly label: string;
  readonly options?: EncryptionOptions | undefined;
  /** The binding when `options.context` is unset: table and column name at declaration. */
  readonly defaultContext: ColumnContext;
  /** The keyring when `options.keyring` is unset. Defaults to the process default. */
  readonly defaultKeyring?: KeyringInput | undefined;
}

/**
 * Encrypts and decrypts the values of one column, singly or many at a time, and makes its search tokens: what every
 * adapter and the re-encryption engine work with. Keys are read at the first use, not when it is made.
 *
 * @example
 * ```ts
 * const email = new ColumnCipher({
 *   codec: textCodec,
 *   label: "User.email",
 *   defaultContext: { table: "users", column: "email" },
 * });
 * const stored = email.seal("ada@example.org");
 * email.open(stored); // "ada@example.org"
 * ```
 */
export class ColumnCipher<T> {
  readonly label: string;
  readonly context: ColumnContext;
  readonly codec: ValueCodec<T>;
  readonly options: EncryptionOptions;
  readonly storage: StorageForm;
  readonly suite: SuiteName | "aes-256-cbc";
  readonly blindIndex: BlindIndex | undefined;
  readonly #keyring: KeyringInput | undefined;
  readonly #events: ColumnEvents;
  #bound: BoundColumn<T> | undefined;

  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(definition: ColumnDefinition<T>) {
    const { codec, label, options = {}, defaultContext, defaultKeyring } = definition;
    checkOptions(options, label);
    this.label = label;
    this.codec = codec;
    this.options = Object.freeze({ ...options });
    this.context = options.context === undefined ? defaultContext : parseContext(options.context);
    this.storage = options.storage ?? codec.storage;
    this.suite = options.suite ?? (options.deterministic === true ? "A256SIV" : "A256CBC-HS256");
    this.blindIndex = options.blindIndex && new BlindIndex(options.blindIndex, this.context, label);
    this.#keyring = options.keyring ?? defaultKeyring;
    this.#events = new ColumnEvents(this.context);
  }

  /**
   * Id of the key that new values are encrypted with.
   * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY`
   */
  get primaryKeyId(): string {
    return this.#bind().keyring.primary.id;
  }

  get isDeterministic(): boolean {
    return this.suite === "A256SIV";
  }

  /** Whether both columns store equal values equal, so that they can be compared and joined with one another. */
  isJoinableWith(other: ColumnCipher<unknown>): boolean {
    return (
      this.isDeterministic &&
      other.isDeterministic &&
      this.codec.content === other.codec.content &&
      this.storage === other.storage &&
      this.options.pad === other.options.pad &&
      this.context.table === other.context.table &&
      this.context.column === other.context.column &&
      isSameKeyring(this.#keyring, other.#keyring)
    );
  }

  /**
   * Encrypts one value into the form that the column stores.
   * @throws {@link ValueTypeError} `ERR_VALUE_TYPE`, `ERR_VALUE_ENCODING`
   * @throws {@link ValueRangeError} `ERR_VALUE_TOO_LARGE`
   * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY`
   */
  seal(value: T, row?: string): Stored {
    if (this.suite === "aes-256-cbc") return this.#sealLegacy(value);
    const encoded = this.codec.encode(value, this.label);
    try {
      const bound = this.#bind();
      const stored = bound.sealer.seal(encoded, row);
      this.#events.encrypted(bound.keyring.primary.id, 1);
      return stored;
    } catch (error) {
      return this.#onEncryptFailure(error, value);
    }
  }

  /** {@link ColumnCipher.seal} for a whole column: fewer cipher calls. null and undefined give null. */
  sealMany(values: readonly (T | null | undefined)[]): (Stored | null)[] {
    const present = values.filter((value) => value !== null && value !== undefined);
    const sealed = this.#sealPresent(present);
    let next = 0;
    return values.map((value) =>
      value === null || value === undefined ? null : (sealed[next++] as Stored),
    );
  }

  /**
   * Decrypts a stored value.
   * @throws {@link DecryptError} `ERR_DECRYPT_FAILED` for every cryptographic cause, `ERR_DECRYPT_CONTENT` for an
   * authentic value of another type
   * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
   */
  open(stored: StoredInput, row?: string): T {
    try {
      const { opener } = this.#bind();
      const value = opener.open(stored, row);
      if (value === NOT_AN_ENVELOPE) return this.#openOther(stored);
      this.#events.decrypted(opener.lastKeyId, 1);
      return value;
    } catch (error) {
      this.#events.failed("decrypt", error);
      throw error;
    }
  }

  /** {@link ColumnCipher.open} for a whole column: fewer cipher calls. Errors carry the `position`. */
  openMany(stored: readonly (StoredInput | null | undefined)[]): (T | null)[] {
    const out = stored.map((): T | null => null);
    if (stored.every((value) => value === null || value === undefined)) return out;
    try {
      const counts = this.#bind().opener.openMany(stored, (position, value) => {
        const isOther = value === NOT_AN_ENVELOPE;
        out[position] = isOther
          ? this.#openOther(stored[position] as StoredInput, position)
          : value;
      });
      for (const [keyId, count] of counts) this.#events.decrypted(keyId, count);
      return out;
    } catch (error) {
      this.#events.failed("decrypt", error);
      throw error;
    }
  }

  /**
   * The value of a stored plaintext, whatever the column's options accept: for migrations.
   * @throws {@link DecryptError} `ERR_DECRYPT_CONTENT` when it is no plaintext of this column's type
   */
  readPlaintext(stored: StoredInput): T {
    const value = readStoredPlaintext(stored, this.codec);
    if (value !== undefined) return value;
    const { content } = this.codec;
    const message = `${this.label} is declared as ${content}, but a stored plaintext is no ${content}.`;
    throw new DecryptError(this.context, "ERR_DECRYPT_CONTENT", message);
  }

  /**
   * The stored forms under which a deterministic column may hold this value, one per live key, primary first.
   * @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` unless the column is deterministic
   */
  searchTerms(value: T): Stored[] {
    if (!this.isDeterministic) {
      throw new ConfigError(
        "ERR_CONFIG_UNSUPPORTED",
        `${this.label} is not deterministic, so its values cannot be looked up.`,
      );
    }
    const encoded = this.codec.encode(value, this.label);
    const bound = this.#bind();
    return bound.keyring.live.map((key) => bound.sealerFor(key).seal(encoded));
  }

  /**
   * What a condition compares with, one per live key: stored forms, or tokens where the column has a blind index.
   * @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` when the column has no search
   */
  searchValues(value: T): Stored[] {
    return this.blindIndex ? this.indexTokens(value) : this.searchTerms(value);
  }

  /** The blind-index token to store with this value. */
  indexToken(value: T): string {
    const index = this.#requireIndex();
    return index.token(this.codec.encode(value, this.label), this.#bind().keyring.primary);
  }

  /** The tokens under which this value may be indexed, one per live key, primary first. */
  indexTokens(value: T): string[] {
    const index = this.#requireIndex();
    const encoded = this.codec.encode(value, this.label);
    return this.#bind().keyring.live.map((key) => index.token(encoded, key));
  }

  /** Whether the blind index treats two values as one: filters the false positives of short tokens. */
  indexMatches(a: T, b: T): boolean {
    return this.indexForm(a) === this.indexForm(b);
  }

  /** What the blind index makes of a value before it is hashed; the same text for values that it treats as one. */
  indexForm(value: T): string {
    const form = this.#requireIndex().normalize(this.codec.encode(value, this.label));
    return typeof form === "string" ? form : asBuffer(form).toString("latin1");
  }

  #requireIndex(): BlindIndex {
    if (this.blindIndex) return this.blindIndex;
    throw new ConfigError("ERR_CONFIG_UNSUPPORTED", `${this.label} has no blindIndex.`);
  }

  #bind(): BoundColumn<T> {
    const keyring = resolveKeyring(this.#keyring);
    if (this.#bound?.keyring !== keyring) this.#bound = new BoundColumn(keyring, this);
    return this.#bound;
  }

  #sealPresent(values: readonly T[]): Stored[] {
    const { onEncryptFailure } = this.options;
    if (this.suite === "aes-256-cbc" || onEncryptFailure === "insecure-store-plaintext") {
      return values.map((value) => this.seal(value));
    }
    const encoded = values.map((value) => this.codec.encode(value, this.label));
    if (encoded.length === 0) return [];
    try {
      const bound = this.#bind();
      const sealed = bound.sealer.sealMany(encoded);
      this.#events.encrypted(bound.keyring.primary.id, sealed.length);
      return sealed;
    } catch (error) {
      this.#events.failed("encrypt", error);
      throw error;
    }
  }

  #sealLegacy(value: T): Stored {
    const stored = this.#bind().legacy.seal(this.codec.encodeLegacy(value, this.label));
    this.#events.insecure("legacy-stored");
    return stored;
  }

  /** Values that are no envelope: legacy or plaintext where the column's options accept them. */
  #openOther(stored: StoredInput, position?: number): T {
    let value: T | undefined;
    if (this.options.legacy !== undefined) {
      value = this.#bind().legacy.open(stored);
      if (value !== undefined) this.#events.insecure("legacy-read");
    } else if (this.options.plaintext === "accept") {
      value = readStoredPlaintext(stored, this.codec);
      if (value !== undefined) this.#events.insecure("plaintext-read");
    }
    if (value === undefined) throw new DecryptError({ ...this.context, position });
    return value;
  }

  #onEncryptFailure(error: unknown, value: T): Stored {
    this.#events.failed("encrypt", error);
    const isValueFault = error instanceof ValueTypeError || error instanceof ValueRangeError;
    if (this.options.onEncryptFailure !== "insecure-store-plaintext" || isValueFault) throw error;
    const encoded = this.codec.encodeLegacy(value, this.label);
    const stored = toStoredPlaintext(encoded, this.storage, this.label);
    this.#events.insecure("plaintext-stored");
    return stored;
  }
}

/** Told without calling a function, which may have no keyring yet. */
function isSameKeyring(a: KeyringInput | undefined, b: KeyringInput | undefined): boolean {
  if (a === b) return true;
  return typeof a === "object" && typeof b === "object" && a.primary.id === b.primary.id;
}
