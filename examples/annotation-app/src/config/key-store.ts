// The keys in force, and the one place that changes them. They come from the environment (then only the operator
// changes them) or from the private .env, which the first start writes.
import { existsSync, unwatchFile, watchFile } from "node:fs";
import {
  generateRootKey,
  Keyring,
  keyringFromEnvironment,
  type KeyringInput,
} from "@fieldseal/crypto";
import { ConfigurationError, type Environment } from "./configuration.ts";
import type { EnvFile } from "./env-file.ts";

const KEY_VARIABLES = [
  "ENCRYPTION_KEY",
  "ENCRYPTION_PREVIOUS_KEYS",
  "ENCRYPTION_KEY_FILE",
  "ENCRYPTION_KEYSET_FILE",
] as const;

/** How soon another process that shares the file takes a new key up; a change waits longer before it is used. */
const WATCH_MS = 250;

export class KeyStore {
  readonly #environment: Environment;
  readonly #file: EnvFile;
  #keyring: Keyring;

  /** Given as a function, so that every cipher follows a change at its next use. */
  readonly keyring: KeyringInput = () => this.#keyring;

  constructor(environment: Environment, file: EnvFile) {
    this.#environment = pickKeys(environment);
    this.#file = file;
    this.#keyring = this.#read();
    if (!this.isFixed && existsSync(file.path)) {
      watchFile(file.path, { interval: WATCH_MS, persistent: false }, this.#follow);
    }
  }

  get current(): Keyring {
    return this.#keyring;
  }

  /** Keys of the environment, or of a key or keyset file, are the operator's to change. */
  get isFixed(): boolean {
    const inFile = pickKeys(this.#file.read());
    const isFromEnvironment = Object.keys(this.#environment).length > 0;
    return isFromEnvironment || inFile.ENCRYPTION_KEY === undefined;
  }

  /** Makes a key and writes with it from now on; the primary so far goes on decrypting. */
  async add(): Promise<void> {
    const added = generateRootKey();
    const { primary, previous } = this.#texts();
    // Every process that shares the file must know the key before the first value under it is stored.
    this.#write(primary, [...previous, added]);
    await new Promise((resolve) => setTimeout(resolve, 3 * WATCH_MS));
    this.#write(added, [primary, ...previous]);
  }

  /** Forgets a previous key for good. */
  retire(id: string): void {
    const { primary, previous } = this.#texts();
    this.#write(
      primary,
      previous.filter((text) => Keyring.fromKey(text).primary.id !== id),
    );
  }

  close(): void {
    unwatchFile(this.#file.path, this.#follow);
  }

  readonly #follow = (): void => {
    this.#keyring = this.#read();
  };

  #read(): Keyring {
    const keys = { ...pickKeys(this.#file.read()), ...this.#environment };
    return keyringFromEnvironment(keys);
  }

  #texts(): { primary: string; previous: string[] } {
    const { ENCRYPTION_KEY: primary = "", ENCRYPTION_PREVIOUS_KEYS: previous = "" } =
      this.#file.read();
    return { primary, previous: previous.split(",").filter((text) => text !== "") };
  }

  #write(primary: string, previous: readonly string[]): void {
    this.#file.set({
      ENCRYPTION_KEY: primary,
      ENCRYPTION_PREVIOUS_KEYS: previous.join(","),
    });
    this.#keyring = this.#read();
  }
}

/**
 * Writes a key to the private .env when none is configured anywhere.
 * @returns the id of the key that was made; undefined when there was one
 * @throws {@link ConfigurationError} in production, where a key that nobody has a copy of must not come to be
 */
export function ensureKey(
  environment: Environment,
  file: EnvFile,
  isProduction: boolean,
): string | undefined {
  const configured = { ...pickKeys(file.read()), ...pickKeys(environment) };
  if (Object.keys(configured).some((name) => name !== "ENCRYPTION_PREVIOUS_KEYS")) return undefined;
  if (isProduction) {
    throw new ConfigurationError(
      "No encryption key is set, and in production none is made by itself. Set ENCRYPTION_KEY_FILE or ENCRYPTION_KEY.",
    );
  }
  const key = generateRootKey();
  file.set({ ENCRYPTION_KEY: key });
  return Keyring.fromKey(key).primary.id;
}

/** So that no child process, as the database server, inherits keys. */
export function dropKeysFrom(environment: NodeJS.ProcessEnv): void {
  for (const name of KEY_VARIABLES) delete environment[name];
}

function pickKeys(environment: Environment): Record<string, string | undefined> {
  return Object.fromEntries(
    KEY_VARIABLES.filter((name) => environment[name]).map((name) => [name, environment[name]]),
  );
}
