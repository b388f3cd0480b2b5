// Where keyrings come from: the environment, key files, and the asynchronous port for KMS and vaults.
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { publishKeys } from "./channels.ts";
import { ConfigError, KeyError } from "./errors.ts";
import { keyFromBytes } from "./key.ts";
import { Keyring } from "./keyring.ts";
import {
  keyringFromKeyset,
  keySourceError,
  openWrappedKeyset,
  parseKeyset,
  type KeyWrapper,
} from "./keyset.ts";
import { parseRootKey } from "./root-key.ts";

/**
 * The port for key management services: loads the keyring once, asynchronously; everything after that is
 * synchronous. An implementer's mistake would be to fall back to some other key when the service is down.
 */
export interface KeySource {
  /** Names the source in errors, e.g. "AWS KMS". */
  readonly name: string;
  load(): Promise<Keyring>;
}

/**
 * Loads the keyring of a source and announces it on the channel `fieldseal:key`: once at start, or again to renew it.
 *
 * @throws {@link KeyError} `ERR_KEY_SOURCE` (retryable) when the source fails for a reason of its own
 */
export async function loadKeyring(source: KeySource): Promise<Keyring> {
  try {
    const keyring: Keyring | undefined = await source.load();
    // Handed on to configure(), it would mean the key of the environment.
    if (keyring === undefined) throw new TypeError("The source gave no keyring.");
    publishKeys("loaded", keyring);
    return keyring;
  } catch (error) {
    if (error instanceof KeyError || error instanceof ConfigError) throw error;
    throw keySourceError(`${source.name} did not give a keyring`, error);
  }
}

/** A keyset whose root keys are wrapped by an external service: `path` of the file, or its `json` text. */
export type WrappedKeysetOptions = { readonly wrapper: KeyWrapper } & (
  | { readonly path: string }
  | { readonly json: string }
);

/**
 * A {@link KeySource} that reads a keyset and has each root key unwrapped by a KMS, a vault or an HSM.
 *
 * @example
 * ```ts
 * const keyring = await loadKeyring(wrappedKeysetSource({ path: "keyset.json", wrapper }));
 * ```
 * @throws {@link ConfigError} on `load`, `ERR_CONFIG_KEY_FILE` when the file cannot be read
 * @throws {@link KeyError} on `load`, `ERR_KEY_SOURCE` when the service does not unwrap
 */
export function wrappedKeysetSource(options: WrappedKeysetOptions): KeySource {
  const name = "path" in options ? options.path : "wrapped keyset";
  return {
    name,
    async load() {
      // Wrapped keys are no secret by themselves, so the file's mode does not matter.
      const text = "path" in options ? readKeyText(options.path, name) : options.json;
      return openWrappedKeyset(parseKeyset(text, name), options.wrapper, name);
    },
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads `ENCRYPTION_KEY` and `ENCRYPTION_PREVIOUS_KEYS`, or `ENCRYPTION_KEY_FILE` in place of the first, or
 * `ENCRYPTION_KEYSET_FILE` in place of all.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY` when none is set, `ERR_CONFIG_KEY_CONFLICT` when two sources
 * of one thing are, `ERR_CONFIG_KEY_FILE` when a file is missing or others may read it
 * @throws {@link KeyError} `ERR_KEY_FORMAT`, `ERR_KEY_WEAK`, `ERR_KEY_DUPLICATE`, `ERR_KEY_STATUS`
 */
export function keyringFromEnvironment(environment: Environment = process.env): Keyring {
  const keysetFile = read(environment, "ENCRYPTION_KEYSET_FILE");
  const keyFile = read(environment, "ENCRYPTION_KEY_FILE");
  const primary = read(environment, "ENCRYPTION_KEY");
  const previous = read(environment, "ENCRYPTION_PREVIOUS_KEYS");
  refuseTwo({ ENCRYPTION_KEYSET_FILE: keysetFile, ENCRYPTION_KEY_FILE: keyFile });
  refuseTwo({ ENCRYPTION_KEYSET_FILE: keysetFile, ENCRYPTION_KEY: primary });
  refuseTwo({ ENCRYPTION_KEYSET_FILE: keysetFile, ENCRYPTION_PREVIOUS_KEYS: previous });
  refuseTwo({ ENCRYPTION_KEY_FILE: keyFile, ENCRYPTION_KEY: primary });

  if (keysetFile !== undefined) return keyringFromKeysetFile(keysetFile);
  const [text, source] =
    keyFile === undefined
      ? [primary, "ENCRYPTION_KEY"]
      : [readPrivateFile(keyFile, "ENCRYPTION_KEY_FILE"), `ENCRYPTION_KEY_FILE (${keyFile})`];
  if (text === undefined) {
    throw new ConfigError(
      "ERR_CONFIG_NO_KEY",
      "No encryption key is configured. Set ENCRYPTION_KEY (or ENCRYPTION_KEY_FILE, ENCRYPTION_KEYSET_FILE), " +
        "or call configure({ keyring }). Make a key with `npx fieldseal keygen` or `openssl rand -hex 32`.",
    );
  }
  const keys = [keyFromBytes(parseRootKey(text, source), "primary")];
  (previous?.split(",") ?? []).forEach((item, i) => {
    const where = `ENCRYPTION_PREVIOUS_KEYS, entry ${i + 1},`;
    keys.push(keyFromBytes(parseRootKey(item, where), "decrypt-only"));
  });
  return new Keyring(keys);
}

/** A variable set to nothing but white space is not set: that is how `.env` files write "none". */
function read(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || undefined;
}

function refuseTwo(sources: Record<string, string | undefined>): void {
  if (!Object.values(sources).every((value) => value !== undefined)) return;
  throw new ConfigError(
    "ERR_CONFIG_KEY_CONFLICT",
    `${Object.keys(sources).join(" and ")} are both set, but only one of them can hold. Unset one.`,
  );
}

/**
 * The keyring of a keyset file (keys in the clear, mode 0600 or stricter).
 * @throws {@link ConfigError} `ERR_CONFIG_KEY_FILE`
 * @throws {@link KeyError} as {@link keyringFromEnvironment}
 */
export function keyringFromKeysetFile(path: string): Keyring {
  const text = readPrivateFile(path, "The keyset file");
  return keyringFromKeyset(parseKeyset(text, path), path);
}

const OTHERS_MAY_ACCESS = 0o077;

/** Mode and content are taken from one open file, so that it cannot be exchanged between check and read. */
function readPrivateFile(path: string, source: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw unreadable(path, source, error);
  }
  try {
    const stat = fstatSync(descriptor);
    // Windows has no such mode bits.
    if (process.platform !== "win32" && (stat.mode & OTHERS_MAY_ACCESS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
      throw new ConfigError(
        "ERR_CONFIG_KEY_FILE",
        `${source} (${path}) has mode ${mode}: others may access it. Run: chmod 600 ${path}`,
      );
    }
    return readFileSync(descriptor, "utf8");
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(path, source, error);
  } finally {
    closeSync(descriptor);
  }
}

function readKeyText(path: string, source: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, source, error);
  }
}

function unreadable(path: string, source: string, error: unknown): ConfigError {
  const reason = (error as NodeJS.ErrnoException).code ?? "unknown reason";
  return new ConfigError("ERR_CONFIG_KEY_FILE", `${source} (${path}) cannot be read: ${reason}.`);
}
