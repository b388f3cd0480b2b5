// The JSON form of a keyring, for files and vaults: root keys in the clear (for a file with mode 0600, or a
// vault's own encrypted entry) or each wrapped by an external service (envelope encryption).
import { isUint8Array } from "node:util/types";
import { ConfigError, KeyError } from "./errors.ts";
import {
  destroyedKey,
  exportMaterial,
  keyFromBytes,
  KEY_STATUSES,
  type Key,
  type KeyStatus,
} from "./key.ts";
import { Keyring } from "./keyring.ts";
import { parseRootKey } from "./root-key.ts";

export const KEYSET_FORMAT = "fieldseal-keyset/1";

export interface KeysetJson {
  readonly format: typeof KEYSET_FORMAT;
  readonly keys: readonly KeysetEntry[];
}

/** One of `key` and `wrapped`; neither for a destroyed key. */
export interface KeysetEntry {
  readonly id: string;
  readonly status: KeyStatus;
  /** ISO 8601 */
  readonly createdAt?: string;
  /** 32 bytes in base64 */
  readonly key?: string;
  /** What {@link KeyWrapper.wrap} returned, in base64 */
  readonly wrapped?: string;
}

/** The service that wraps root keys: a KMS, a vault's transit engine, an HSM. */
export interface KeyWrapper {
  /** Returns the wrapped form. The wrapper zeroes nothing; the caller does. */
  wrap(rootKey: Uint8Array, info: { readonly keyId: string }): Promise<Uint8Array>;
  /** Returns the 32 bytes that were wrapped. Rejects when the service refuses or does not answer. */
  unwrap(wrapped: Uint8Array, info: { readonly keyId: string }): Promise<Uint8Array>;
}

/**
 * Checks the JSON text of a keyset file. `source` names where it came from, for messages.
 *
 * @throws {@link KeyError} `ERR_KEY_FORMAT` when the text is no keyset; the message holds nothing of it
 */
export function parseKeyset(text: string, source: string): KeysetJson {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw formatError(source, "it is not JSON"); // JSON.parse quotes its input: not passed on
  }
  const keyset = json as Partial<KeysetJson> | null;
  if (typeof keyset !== "object" || keyset?.format !== KEYSET_FORMAT) {
    throw formatError(source, `its "format" must be "${KEYSET_FORMAT}"`);
  }
  if (!Array.isArray(keyset.keys)) throw formatError(source, 'its "keys" must be an array');
  keyset.keys.forEach((entry: unknown, i) => checkEntry(entry, `${source}: keys[${i}]`));
  return keyset as KeysetJson;
}

function checkEntry(entry: unknown, where: string): void {
  const { id, status, createdAt, key, wrapped } = (entry ?? {}) as Partial<
    Record<keyof KeysetEntry, unknown>
  >;
  if (typeof id !== "string" || !/^[0-9a-f]{8}$/.test(id)) {
    throw formatError(where, '"id" must be eight hex digits');
  }
  if (!KEY_STATUSES.includes(status as KeyStatus)) {
    throw formatError(where, `"status" must be one of ${KEY_STATUSES.join(", ")}`);
  }
  if (
    createdAt !== undefined &&
    (typeof createdAt !== "string" || Number.isNaN(Date.parse(createdAt)))
  ) {
    throw formatError(where, '"createdAt" must be an ISO 8601 date');
  }
  const materials = [key, wrapped].filter((material) => material !== undefined);
  if (materials.length !== (status === "destroyed" ? 0 : 1) || materials.some(isNotText)) {
    throw formatError(where, 'needs one of "key" and "wrapped" (none when destroyed), as base64');
  }
}

function isNotText(material: unknown): boolean {
  return typeof material !== "string" || material === "";
}

function formatError(where: string, problem: string): KeyError {
  return new KeyError("ERR_KEY_FORMAT", `${where} is no usable keyset: ${problem}.`);
}

/**
 * The keyring of a keyset whose keys are in the clear.
 * @throws {@link KeyError} `ERR_KEY_FORMAT`, `ERR_KEY_WEAK`, `ERR_KEY_DUPLICATE`, `ERR_KEY_STATUS`
 * @throws {@link ConfigError} `ERR_CONFIG_KEY_FILE` when keys are wrapped: those need {@link openWrappedKeyset}
 */
export function keyringFromKeyset(keyset: KeysetJson, source: string): Keyring {
  return new Keyring(
    keyset.keys.map((entry) => {
      if (entry.wrapped !== undefined) {
        throw new ConfigError(
          "ERR_CONFIG_KEY_FILE",
          `${source} holds wrapped keys. Load it once at start-up with loadKeyring(wrappedKeysetSource(...)).`,
        );
      }
      return keyFromEntry(entry, entry.key && parseRootKey(entry.key, sourceOf(entry, source)));
    }),
  );
}

/**
 * The keyring of a keyset whose keys are wrapped: one call of the wrapper per key.
 * @throws {@link KeyError} `ERR_KEY_SOURCE` (retryable) when the wrapper rejects
 */
export async function openWrappedKeyset(
  keyset: KeysetJson,
  wrapper: KeyWrapper,
  source: string,
): Promise<Keyring> {
  const keys = keyset.keys.map(async (entry) => {
    if (entry.wrapped === undefined && entry.status !== "destroyed") {
      throw formatError(source, `key ${entry.id} is not wrapped`);
    }
    const bytes = entry.wrapped && (await unwrapEntry(entry.id, entry.wrapped, wrapper));
    return keyFromEntry(entry, bytes && parseRootKey(bytes, sourceOf(entry, source)));
  });
  return new Keyring(await Promise.all(keys));
}

async function unwrapEntry(id: string, wrapped: string, wrapper: KeyWrapper): Promise<Uint8Array> {
  try {
    const bytes: unknown = await wrapper.unwrap(Buffer.from(wrapped, "base64"), { keyId: id });
    // A service's answer without a key is no answer: only an entry of the keyset says that a key is destroyed.
    if (!isUint8Array(bytes)) throw new TypeError("The wrapper gave no bytes.");
    return bytes;
  } catch (error) {
    throw keySourceError(`The key wrapper did not unwrap key ${id}`, error, id);
  }
}

/** Names the kind of failure only: a service's message may quote its request. */
export function keySourceError(what: string, error: unknown, keyId?: string): KeyError {
  const kind = error instanceof Error ? error.name : typeof error;
  return new KeyError("ERR_KEY_SOURCE", `${what} (${kind}). Nothing was loaded; try again.`, {
    keyId,
    retryable: true,
  });
}

function sourceOf(entry: KeysetEntry, source: string): string {
  return `${source}: key ${entry.id}`;
}

function keyFromEntry(entry: KeysetEntry, bytes: Buffer | "" | undefined): Key {
  const createdAt = entry.createdAt === undefined ? undefined : new Date(entry.createdAt);
  if (!bytes) return destroyedKey(entry.id, createdAt);
  const key = keyFromBytes(bytes, entry.status, createdAt);
  if (key.id !== entry.id) {
    throw new KeyError(
      "ERR_KEY_FORMAT",
      `A keyset entry says id ${entry.id}, but its key has the id ${key.id}: the file was mixed up.`,
      { keyId: entry.id },
    );
  }
  return key;
}

/** The keyset with every root key wrapped; holds no secret by itself. */
export async function wrapKeyset(keyring: Keyring, wrapper: KeyWrapper): Promise<KeysetJson> {
  const entries = keyring.keys.map(async (key): Promise<KeysetEntry> => {
    const bytes = exportMaterial(key)?.export();
    if (bytes === undefined) return entryOf(key);
    try {
      const wrapped = await wrapper.wrap(bytes, { keyId: key.id });
      return { ...entryOf(key), wrapped: Buffer.from(wrapped).toString("base64") };
    } catch (error) {
      throw keySourceError(`The key wrapper did not wrap key ${key.id}`, error, key.id);
    } finally {
      bytes.fill(0);
    }
  });
  return { format: KEYSET_FORMAT, keys: await Promise.all(entries) };
}

/** The keyset with its keys in the clear. Public only as `exportKeyset` of `@fieldseal/crypto/unsafe`. */
export function plainKeyset(keyring: Keyring): KeysetJson {
  const keys = keyring.keys.map((key): KeysetEntry => {
    const bytes = exportMaterial(key)?.export();
    return bytes === undefined ? entryOf(key) : { ...entryOf(key), key: bytes.toString("base64") };
  });
  return { format: KEYSET_FORMAT, keys };
}

function entryOf(key: Key): KeysetEntry {
  const entry = { id: key.id, status: key.status };
  return key.createdAt ? { ...entry, createdAt: key.createdAt.toISOString() } : entry;
}
