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

const OTHER_SECRETS = ["DATABASE_URL", "S3_SECRET_ACCESS_KEY", "S3_SESSION_TOKEN"] as const;

/** How soon another process that shares the file takes a new key up; a change waits longer before it is used. */
const WATCH_MS = 250;

export class KeyStore {
  readonly #environment: Environment;
  readonly #file: EnvFile;
  #keyring: Keyring;
  #changes = 0;

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

  /** Between the request for a change and its end: what the primary key is may be another thing in a moment. */
  get isChanging(): boolean {
    return this.#changes > 0;
  }

  /** Keys of the environment, or of a key or keyset file, are the operator's to change. */
  get isFixed(): boolean {
    const inFile = pickKeys(this.#file.read());
    const isFromEnvironment = Object.keys(this.#environment).length > 0;
    return isFromEnvironment || inFile.ENCRYPTION_KEY === undefined;
  }

  /**
   * Makes a key and writes with it from now on; the primary so far goes on decrypting. Two at once would each write the
   * keys without the other's, and what was stored under that one would never open again: they wait for each other.
   */
  async add(): Promise<void> {
    await this.#change(async () => {
      const added = generateRootKey();
      const { primary, previous } = this.#texts();
      // Every process that shares the file must know the key before the first value under it is stored.
      this.#write(primary, [...previous, added]);
      await new Promise((resolve) => setTimeout(resolve, 3 * WATCH_MS));
      this.#write(added, [primary, ...previous]);
    });
  }

  /**
   * Forgets a previous key for good.
   * @returns whether it is forgotten: not when a change before this one has made it the primary
   */
  async retire(id: string): Promise<boolean> {
    return this.#change(() => {
      const { primary, previous } = this.#texts();
      const isOther = (text: string): boolean => Keyring.fromKey(text).primary.id !== id;
      this.#write(primary, previous.filter(isOther));
      return isOther(primary);
    });
  }

  close(): void {
    unwatchFile(this.#file.path, this.#follow);
  }

  async #change<T>(change: () => T | Promise<T>): Promise<T> {
    this.#changes += 1;
    try {
      return await this.#file.alone(change);
    } finally {
      this.#changes -= 1;
    }
  }

  readonly #follow = (): void => {
    try {
      this.#keyring = this.#read();
    } catch (error) {
      // Somebody is editing the file, or broke it: what is known goes on, and the next start says what is wrong.
      process.emitWarning(`Keys stay as they were: ${(error as Error).message}`);
    }
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

export interface FirstKey {
  readonly isProduction: boolean;
  /** Whether something is stored already, which a new key would not open. */
  readonly hasData: boolean;
}

/**
 * Writes a key to the private .env when none is configured anywhere.
 * @returns the id of the key that was made; undefined when there was one
 * @throws {@link ConfigurationError} where a key must not come to be by itself: in production, and beside older data
 */
export async function ensureKey(
  environment: Environment,
  file: EnvFile,
  { isProduction, hasData }: FirstKey,
): Promise<string | undefined> {
  const isConfigured = (): boolean =>
    Object.keys({ ...pickKeys(file.read()), ...pickKeys(environment) }).some(
      (name) => name !== "ENCRYPTION_PREVIOUS_KEYS",
    );
  if (isConfigured()) return undefined;
  if (isProduction) {
    throw new ConfigurationError(
      "No encryption key is set, and in production none is made by itself. Set ENCRYPTION_KEY_FILE or ENCRYPTION_KEY.",
    );
  }
  if (hasData) {
    throw new ConfigurationError(
      `No encryption key is set, but there is a database from before, and a new key would not open it. ` +
        `Put the key back into ${file.path}, or remove the data directory to begin anew.`,
    );
  }
  // Services that are started at the same moment make one key between them.
  return file.alone(() => {
    if (isConfigured()) return undefined;
    const key = generateRootKey();
    file.set({ ENCRYPTION_KEY: key });
    return Keyring.fromKey(key).primary.id;
  });
}

/** So that no child process, as the database server, inherits keys and passwords. */
export function dropSecretsFrom(environment: NodeJS.ProcessEnv): void {
  for (const name of [...KEY_VARIABLES, ...OTHER_SECRETS]) delete environment[name];
}

function pickKeys(environment: Environment): Record<string, string | undefined> {
  return Object.fromEntries(
    KEY_VARIABLES.filter((name) => environment[name]).map((name) => [name, environment[name]]),
  );
}
