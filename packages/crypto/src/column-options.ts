// The options of an encrypted column, the same in both adapters, and their check at definition.
import type { BlindIndexOptions } from "./blind-index.ts";
import type { ContextInput } from "./context.ts";
import { SUITE_NAMES, type SuiteName } from "./envelope.ts";
import { ConfigError } from "./errors.ts";
import type { KeyringInput } from "./keyring.ts";
import { checkPad, type PadOption } from "./padding.ts";

export interface EncryptionOptions {
  /** Defaults to the adapter's keyring, then to the process default. */
  readonly keyring?: KeyringInput | undefined;
  /**
   * What values are bound to, as `"table.column"`. Defaults to the table and column name at declaration. Set it
   * to the old names when renaming either, or stored values no longer open.
   */
  readonly context?: ContextInput | undefined;
  /**
   * Suite of new values; all suites are read. `"aes-256-cbc"` writes the unauthenticated legacy layout and
   * needs `legacy`. Defaults to `"A256CBC-HS256"`, with `deterministic` to `"A256SIV"`.
   */
  readonly suite?: SuiteName | "aes-256-cbc" | undefined;
  /** Equal values are stored equal, so that they can be searched, joined and UNIQUE. Defaults to false. */
  readonly deterministic?: boolean | undefined;
  /** Keeps a search token in a companion column. Defaults to none. */
  readonly blindIndex?: BlindIndexOptions | undefined;
  /** Base64 text or raw bytes. Defaults to `"binary"` for binary columns, `"text"` for all others. */
  readonly storage?: "text" | "binary" | undefined;
  /** Hides lengths: a step in bytes, or `"padme"`. Defaults to none (AES-CBC rounds up to 16 bytes). */
  readonly pad?: PadOption | undefined;
  /** `"accept"` also reads values that are no envelope, as plaintext: for the time of a migration. Defaults to `"reject"`. */
  readonly plaintext?: "reject" | "accept" | undefined;
  /**
   * Also reads the unauthenticated `base64(IV || ciphertext)` of older systems: for the time of a migration. The
   * layout names no key: the object form says which one; the short form is refused where the keyring has several.
   * Defaults to off.
   */
  readonly legacy?: "aes-256-cbc" | LegacyOptions | undefined;
  /**
   * What a write does when encryption is impossible (no key, say). `"insecure-store-plaintext"` stores the
   * value unprotected and says so on `fieldseal:insecure`; it needs `plaintext: "accept"`. Defaults to `"throw"`.
   */
  readonly onEncryptFailure?: "throw" | "insecure-store-plaintext" | undefined;
}

export interface LegacyOptions {
  readonly suite: "aes-256-cbc";
  /** Id (eight hex digits) of the root key that the old values were encrypted with. Defaults to the only one of the keyring. */
  readonly keyId?: string;
}

const ALLOWED: { readonly [Option in keyof EncryptionOptions]?: readonly unknown[] } = {
  suite: [...SUITE_NAMES, "aes-256-cbc"],
  deterministic: [true, false],
  storage: ["text", "binary"],
  plaintext: ["reject", "accept"],
  onEncryptFailure: ["throw", "insecure-store-plaintext"],
};

const OPTION_NAMES = new Set([
  ...Object.keys(ALLOWED),
  "keyring",
  "context",
  "blindIndex",
  "pad",
  "legacy",
]);

/**
 * @param where names model and field in messages, e.g. `"User.email"`
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` for an unknown option, an unknown value, or options that
 * contradict each other
 */
export function checkOptions(options: EncryptionOptions, where: string): void {
  if (!isOptions(options))
    fail(where, "the type takes options, not a type: { deterministic: true }");
  for (const [name, value] of Object.entries(options)) {
    if (!OPTION_NAMES.has(name)) {
      fail(where, `unknown option "${name}". Known: ${[...OPTION_NAMES].join(", ")}`);
    }
    const allowed = ALLOWED[name as keyof EncryptionOptions];
    if (allowed && value !== undefined && !allowed.includes(value)) {
      fail(where, `${name} must be one of ${allowed.join(", ")}`);
    }
  }
  checkPad(options.pad, where);
  checkLegacy(options.legacy, where);
  checkCombination(options, where);
}

function checkLegacy(legacy: unknown, where: string): void {
  if (legacy === undefined || legacy === "aes-256-cbc") return;
  const { suite, keyId, ...unknown } = (legacy ?? {}) as Partial<
    Record<keyof LegacyOptions, unknown>
  >;
  const isKeyId = keyId === undefined || (typeof keyId === "string" && /^[0-9a-f]{8}$/.test(keyId));
  if (suite !== "aes-256-cbc" || !isKeyId || Object.keys(unknown).length > 0) {
    fail(
      where,
      'legacy must be "aes-256-cbc" or { suite: "aes-256-cbc", keyId: eight hex digits }',
    );
  }
}

function checkCombination(options: EncryptionOptions, where: string): void {
  const { suite, deterministic, legacy, plaintext, onEncryptFailure, blindIndex } = options;
  if (deterministic === true && suite !== undefined && suite !== "A256SIV") {
    fail(where, 'deterministic: true needs the suite "A256SIV"; leave suite out');
  }
  if (deterministic !== true && suite === "A256SIV") {
    fail(where, 'suite "A256SIV" shows which values are equal; say so with deterministic: true');
  }
  if (suite === "aes-256-cbc" && legacy === undefined) {
    fail(
      where,
      'suite "aes-256-cbc" stores unauthenticated values; it needs legacy: "aes-256-cbc" too',
    );
  }
  if (legacy !== undefined && plaintext === "accept") {
    fail(
      where,
      'legacy and plaintext: "accept" together leave open what a stored value is; migrate one after the other',
    );
  }
  if (onEncryptFailure === "insecure-store-plaintext" && plaintext !== "accept") {
    fail(
      where,
      'onEncryptFailure: "insecure-store-plaintext" needs plaintext: "accept" to read it back',
    );
  }
  if (deterministic === true && blindIndex !== undefined) {
    fail(where, "deterministic columns are searched directly; leave blindIndex out");
  }
}

/** What JavaScript code may give instead: a type, as one that stands for what is encrypted. */
function isOptions(given: unknown): boolean {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return false;
  const prototype: unknown = Object.getPrototypeOf(given);
  return (
    prototype === Object.prototype || Object.keys(given).every((name) => OPTION_NAMES.has(name))
  );
}

function fail(where: string, problem: string): never {
  throw new ConfigError("ERR_CONFIG_OPTION", `${where}: ${problem}.`);
}
