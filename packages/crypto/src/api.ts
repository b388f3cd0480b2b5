// The four functions for code without an ORM. Columns use ColumnCipher, which these share keys and format with.
import { bytesCodec } from "./codecs/bytes.ts";
import type { ValueCodec } from "./codecs/codec.ts";
import { textCodec } from "./codecs/text.ts";
import { ColumnCipher } from "./column-cipher.ts";
import { NO_CONTEXT, parseContext, type ColumnContext, type ContextInput } from "./context.ts";
import type { SuiteName } from "./envelope.ts";
import type { Keyring } from "./keyring.ts";
import { defaultKeyring } from "./process-default.ts";

export interface CryptOptions {
  /** Defaults to the process default: `configure()`, else the environment. */
  readonly keyring?: Keyring;
  /** What the value is bound to; opening needs the same. Defaults to nothing, so that any such value opens. */
  readonly context?: ContextInput;
}

export interface EncryptOptions extends CryptOptions {
  /** Defaults to `"A256CBC-HS256"`. */
  readonly suite?: SuiteName;
}

/**
 * Encrypts bytes into an envelope (docs/reference/format.md).
 *
 * @example
 * ```ts
 * const envelope = encryptBytes(photo, { context: "frames.thumbnail" });
 * ```
 * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY` when no key is configured
 * @throws {@link ValueTypeError} `ERR_VALUE_TYPE` when the value is no Uint8Array
 */
export function encryptBytes(plaintext: Uint8Array, options: EncryptOptions = {}): Buffer {
  const { cipher, row } = cipherFor(bytesCodec, options);
  return cipher.seal(plaintext as Buffer, row) as Buffer;
}

/**
 * Decrypts what {@link encryptBytes} returned.
 *
 * @throws {@link DecryptError} `ERR_DECRYPT_FAILED`, `ERR_DECRYPT_CONTENT`
 * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
 */
export function decryptBytes(envelope: Uint8Array, options: CryptOptions = {}): Buffer {
  const { cipher, row } = cipherFor(bytesCodec, options);
  return cipher.open(envelope, row);
}

/**
 * Encrypts text into a base64 envelope.
 *
 * @example
 * ```ts
 * const stored = encryptString("ada@example.org", { context: "users.email" });
 * decryptString(stored, { context: "users.email" }); // "ada@example.org"
 * ```
 * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY` when no key is configured
 * @throws {@link ValueTypeError} `ERR_VALUE_TYPE`, `ERR_VALUE_ENCODING` for a lone surrogate
 */
export function encryptString(plaintext: string, options: EncryptOptions = {}): string {
  const { cipher, row } = cipherFor(textCodec, options);
  return cipher.seal(plaintext, row) as string;
}

/**
 * Decrypts what {@link encryptString} returned.
 *
 * @throws {@link DecryptError} `ERR_DECRYPT_FAILED`, `ERR_DECRYPT_CONTENT`
 * @throws {@link KeyError} `ERR_KEY_UNKNOWN`, `ERR_KEY_DISABLED`, `ERR_KEY_DESTROYED`
 */
export function decryptString(envelope: string, options: CryptOptions = {}): string {
  const { cipher, row } = cipherFor(textCodec, options);
  return cipher.open(envelope, row);
}

/** Deriving keys costs several times what a short value does: ciphers are kept, the oldest dropped. */
const MAX_KEPT_CIPHERS = 256;
const kept = new WeakMap<Keyring, Map<string, ColumnCipher<never>>>();

function cipherFor<T>(
  codec: ValueCodec<T>,
  options: EncryptOptions,
): { readonly cipher: ColumnCipher<T>; readonly row: string | undefined } {
  const keyring = options.keyring ?? defaultKeyring();
  const context = options.context === undefined ? NO_CONTEXT : parseContext(options.context);
  let ciphers = kept.get(keyring);
  if (ciphers === undefined) kept.set(keyring, (ciphers = new Map()));
  const name = JSON.stringify([codec.content, options.suite, context.table, context.column]);
  let cipher = ciphers.get(name) as ColumnCipher<T> | undefined;
  if (cipher === undefined) {
    cipher = newCipher(codec, options.suite, context, keyring);
    if (ciphers.size >= MAX_KEPT_CIPHERS) ciphers.delete(ciphers.keys().next().value as string);
    ciphers.set(name, cipher as ColumnCipher<never>);
  }
  return { cipher, row: context.row };
}

function newCipher<T>(
  codec: ValueCodec<T>,
  suite: SuiteName | undefined,
  { table, column }: ColumnContext,
  keyring: Keyring,
): ColumnCipher<T> {
  const options = suite === "A256SIV" ? { deterministic: true } : { suite };
  return new ColumnCipher({
    codec,
    label: column === "" ? "the value" : `${table}.${column}`,
    options,
    defaultContext: { table, column },
    defaultKeyring: keyring,
  });
}
