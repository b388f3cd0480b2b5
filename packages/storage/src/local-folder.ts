// From keys to paths below one folder, and nowhere else: no symbolic link is followed out of it.
import { randomBytes } from "node:crypto";
import { mkdir, open, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { StorageError } from "@fieldseal/crypto";
import { backendError } from "./backend-error.ts";
import { isAbsent } from "./local-file.ts";

const FOLDER_MODE = 0o700;
/** What {@link temporaryBeside} makes; a key's part cannot start with a dot. */
export const TEMPORARY_NAME: RegExp = /^\..+\.[0-9a-f]{12}\.tmp$/;

export class LocalFolder {
  readonly #path: string;
  readonly #isDurable: boolean;
  #root: Promise<string> | undefined;

  constructor(path: string, isDurable: boolean) {
    this.#path = resolve(path);
    this.#isDurable = isDurable;
  }

  /**
   * The folder itself, without links; made with mode 0700 if missing.
   * @throws {@link StorageError} `ERR_STORAGE_BACKEND` when it cannot be made or is none
   */
  root(): Promise<string> {
    return (this.#root ??= this.#open().catch((error: unknown) => {
      // A disk that comes later, or a right that is given, must not need a new process.
      this.#root = undefined;
      throw folderError(error, this.#path);
    }));
  }

  /**
   * The path of a key. Its folder may not exist.
   * @throws {@link StorageError} `ERR_STORAGE_KEY` if a link leads out
   */
  async pathOf(key: string): Promise<string> {
    const path = join(await this.root(), key);
    await this.#refuseEscape(dirname(path), key);
    return path;
  }

  /** The same, and its folder is there. */
  async pathToWrite(key: string): Promise<string> {
    const path = await this.pathOf(key);
    await this.#makeFolder(dirname(path));
    return path;
  }

  async #open(): Promise<string> {
    await this.#makeFolder(this.#path);
    return realpath(this.#path);
  }

  /** Of the nearest folder that exists: what is missing below it is made by us, without links. */
  async #refuseEscape(folder: string, key: string): Promise<void> {
    const root = await this.root();
    if (folder === root) return;
    const real = await realpath(folder).catch((error: NodeJS.ErrnoException) => {
      if (isAbsent(error)) return undefined;
      throw backendError(error, "opening the folder of", key);
    });
    if (real === undefined) return this.#refuseEscape(dirname(folder), key);
    if (real !== root && !real.startsWith(root + sep)) {
      throw new StorageError(
        "ERR_STORAGE_KEY",
        `The key "${key}" leads out of the storage by a link.`,
        {
          objectKey: key,
        },
      );
    }
  }

  /** mkdir's mode is cut by the umask only towards stricter, so 0700 holds under any. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    if (first === undefined || !this.#isDurable) return;
    // The name of each new folder stands in the one above it.
    for (let path = folder; path !== dirname(first);) {
      path = dirname(path);
      await syncFolder(path).catch((error: NodeJS.ErrnoException) => {
        // A folder above the store may be one to write to, but not to open.
        if (error.code !== "EACCES") throw error;
      });
    }
  }
}

function folderError(error: unknown, path: string): StorageError {
  const { code = "unknown reason" } = error as NodeJS.ErrnoException;
  return new StorageError(
    "ERR_STORAGE_BACKEND",
    `The folder of the storage, "${path}", cannot be used: ${code}. Check STORAGE_PATH or option path, and the rights to it.`,
  );
}

/** In the same folder, so that a rename puts it in place at once. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
}

/** Makes a rename or an unlink in this folder last over a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders for that.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
