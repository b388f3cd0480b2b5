// Objects as files: written beside their place and renamed into it, so that a key always names a whole object.
import { constants } from "node:fs";
import { copyFile, link, open, rename, rm, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { StorageError } from "@fieldseal/crypto";
import type { ObjectBackend, ReplaceRequest, StoredObject, WriteRequest } from "./backend.ts";
import { backendError } from "./backend-error.ts";
import type { GcOptions, GcReport, ListedObject, ListOptions } from "./contract.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { LocalFile, notFound, openFile, readSidecar, sidecarOf } from "./local-file.ts";
import { LocalFolder, syncFolder, temporaryBeside } from "./local-folder.ts";
import { collectGarbage, listFiles } from "./local-listing.ts";
import { encodeSlot, MAX_LOCAL_ENVELOPE_BYTES, SLOT_BYTES } from "./local-slots.ts";
import type { Tags } from "./tags.ts";

const FILE_MODE = 0o600;

export interface LocalBackendOptions {
  readonly path: string;
  readonly durability: "full" | "none";
}

export class LocalBackend implements ObjectBackend {
  readonly maxEnvelopeBytes: number = MAX_LOCAL_ENVELOPE_BYTES;
  readonly #folder: LocalFolder;
  readonly #isDurable: boolean;
  /** Of this process: what looks first and writes then must not be interleaved with itself. */
  readonly #lock: KeyedLock = new KeyedLock();

  constructor(options: LocalBackendOptions) {
    this.#folder = new LocalFolder(options.path);
    this.#isDurable = options.durability === "full";
  }

  async write(key: string, request: WriteRequest): Promise<StoredObject> {
    const path = await this.#attempt("writing", key, () => this.#folder.pathToWrite(key));
    const temporary = temporaryBeside(path);
    try {
      await this.#fill(temporary, key, request);
      await this.#lock.run(key, () => this.#place(temporary, path, key, request));
    } catch (error) {
      await discard(temporary);
      throw error;
    }
    const file = await this.open(key);
    await file.close();
    return file.object;
  }

  async open(key: string): Promise<LocalFile> {
    const path = await this.#attempt("opening", key, () => this.#folder.pathOf(key));
    return LocalFile.read(await openFile(path, constants.O_RDONLY, key), path, key);
  }

  async replaceEnvelope(key: string, request: ReplaceRequest): Promise<void> {
    await this.#change(key, (file) => {
      if (file.object.version !== request.ifVersion) throw changed(key);
      return request;
    });
  }

  async readTags(key: string): Promise<Tags> {
    const file = await this.open(key);
    await file.close();
    return file.prefix?.tags ?? {};
  }

  async writeTags(key: string, tags: Tags): Promise<void> {
    await this.#change(key, ({ object }) => {
      if (object.envelope === undefined) throw foreign(key);
      return { envelope: object.envelope, tags };
    });
  }

  list(options: ListOptions): AsyncIterable<ListedObject> {
    return listFiles(this.#folder, options);
  }

  async copy(from: string, to: string, request: { readonly ifAbsent: boolean }): Promise<void> {
    const [source, target] = await this.#pathsOf(from, to);
    const temporary = temporaryBeside(target);
    try {
      await this.#attempt("copying", from, async () => {
        // A reflink where the file system has them: no bytes are moved.
        await copyFile(source, temporary, constants.COPYFILE_FICLONE);
        if (this.#isDurable) await withFile(temporary, "r", (handle) => handle.sync());
      });
      await this.#place(temporary, target, to, request);
    } catch (error) {
      await discard(temporary);
      throw error;
    }
  }

  async move(from: string, to: string, request: { readonly ifAbsent: boolean }): Promise<void> {
    const [source, target] = await this.#pathsOf(from, to);
    await this.#place(source, target, to, request);
    if (this.#isDurable) await syncFolder(dirname(source));
  }

  async delete(key: string): Promise<boolean> {
    const path = await this.#folder.pathOf(key);
    try {
      await unlink(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw backendError(error, "deleting", key);
    }
    await this.#dropSidecar(path);
    if (this.#isDurable) await syncFolder(dirname(path));
    return true;
  }

  gc({ olderThanMs }: Required<GcOptions>): Promise<GcReport> {
    return this.#attempt("collecting garbage in", "", () =>
      collectGarbage(this.#folder, olderThanMs),
    );
  }

  async #fill(temporary: string, key: string, request: WriteRequest): Promise<void> {
    const handle = await this.#attempt("writing", key, () => open(temporary, "wx", FILE_MODE));
    try {
      const slot = encodeSlot({ generation: 1n, envelope: request.envelope, tags: request.tags });
      await this.#append(handle, key, Buffer.concat([slot, slot]));
      await this.#appendAll(handle, key, request.body);
      request.signal?.throwIfAborted();
      if (this.#isDurable) await this.#attempt("writing", key, () => handle.sync());
    } finally {
      await handle.close();
    }
  }

  /** While one piece is written, the next is encrypted. */
  async #appendAll(handle: FileHandle, key: string, pieces: AsyncIterable<Buffer>): Promise<void> {
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const piece of pieces) {
        await writing;
        writing = this.#append(handle, key, piece);
        // Awaited above or below; until then a failure must not count as unhandled.
        writing.catch(() => {});
      }
    } finally {
      // The file must not be closed under a write, also when the source failed.
      await writing.catch(() => {});
    }
    await writing;
  }

  async #append(handle: FileHandle, key: string, bytes: Buffer): Promise<void> {
    await this.#attempt("writing", key, async () => {
      for (let at = 0; at < bytes.length;) {
        at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
      }
    });
  }

  /** Puts a complete file under its name. */
  async #place(
    complete: string,
    path: string,
    key: string,
    {
      ifAbsent,
      ifVersion,
    }: { readonly ifAbsent: boolean; readonly ifVersion?: string | undefined },
  ): Promise<void> {
    if (ifVersion !== undefined && (await this.#versionAt(path, key)) !== ifVersion)
      throw changed(key);
    await this.#attempt("writing", key, async () => {
      if (ifAbsent) {
        // link() fails if the name is taken, rename() would replace it.
        await link(complete, path).catch((error: NodeJS.ErrnoException) => {
          throw error.code === "EEXIST" ? exists(key) : error;
        });
        await unlink(complete);
      } else {
        await rename(complete, path);
      }
      if (ifVersion !== undefined) await this.#dropSidecar(path);
      if (this.#isDurable) await syncFolder(dirname(path));
    });
  }

  /** Writes the idle slot first and then the other one, so that at any time one of them is whole. */
  async #change(
    key: string,
    decide: (file: LocalFile) => { readonly envelope: Buffer; readonly tags: Tags },
  ): Promise<void> {
    const path = await this.#folder.pathOf(key);
    await this.#lock.run(key, async () => {
      const handle = await openFile(path, constants.O_RDWR, key);
      const file = await LocalFile.read(handle, path, key);
      try {
        const { envelope, tags } = decide(file);
        if (file.prefix === undefined) throw foreign(key);
        const { generation, idleSlot } = file.prefix;
        const slot = encodeSlot({ generation: generation + 1n, envelope, tags });
        await this.#attempt("writing", key, async () => {
          // The second one too: the key that wrapped the old envelope must not open the object any more.
          for (const index of [idleSlot, 1 - idleSlot]) {
            await handle.write(slot, 0, SLOT_BYTES, index * SLOT_BYTES);
            await handle.datasync();
          }
        });
      } finally {
        await file.close();
      }
    });
  }

  async #pathsOf(from: string, to: string): Promise<[string, string]> {
    const file = await this.open(from);
    await file.close();
    if (file.prefix === undefined) throw foreign(from);
    const source = await this.#folder.pathOf(from);
    return [source, await this.#attempt("writing", to, () => this.#folder.pathToWrite(to))];
  }

  async #versionAt(path: string, key: string): Promise<string> {
    const file = await LocalFile.read(await openFile(path, constants.O_RDONLY, key), path, key);
    await file.close();
    return file.object.version;
  }

  async #dropSidecar(path: string): Promise<void> {
    if ((await readSidecar(path)) !== undefined)
      await rm(sidecarOf(path) as string, { force: true });
  }

  async #attempt<T>(action: string, key: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && action === "copying") throw notFound(key);
      throw backendError(error, action, key);
    }
  }
}

/** What cannot be removed now is left for gc; the error that led here matters more. */
async function discard(temporary: string): Promise<void> {
  await rm(temporary, { force: true }).catch(() => {});
}

async function withFile<T>(
  path: string,
  flags: string,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(path, flags);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

function exists(key: string): StorageError {
  return new StorageError("ERR_STORAGE_EXISTS", `There is an object "${key}" already.`, {
    objectKey: key,
  });
}

function changed(key: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_CHANGED",
    `The object "${key}" was replaced meanwhile. Nothing was written.`,
    { objectKey: key, retryable: true },
  );
}

function foreign(key: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_UNPROTECTED",
    `The object "${key}" is not encrypted by this package yet. Run reencrypt on it first.`,
    { objectKey: key },
  );
}
