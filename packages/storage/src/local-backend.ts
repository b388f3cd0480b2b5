// Objects as files: written beside their place and renamed into it, so that a key always names a whole object.
import { constants } from "node:fs";
import { copyFile, link, lstat, open, rename, rm, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { ObjectBackend, ReplaceRequest, StoredObject, WriteRequest } from "./backend.ts";
import { attempt, backendError } from "./backend-error.ts";
import type { CopyOptions, GcOptions, GcReport, ListedObject, ListOptions } from "./contract.ts";
import { withFileLock, withFileLocks } from "./file-lock.ts";
import { areOneFile, isAbsent, LocalFile, openFile } from "./local-file.ts";
import { isDescription, ownSidecar } from "./local-descriptions.ts";
import { LocalFolder, syncFolder, temporaryBeside } from "./local-folder.ts";
import { collectGarbage, listFiles } from "./local-listing.ts";
import {
  encodeSlot,
  MAX_LOCAL_ENVELOPE_BYTES,
  MAX_LOCAL_TAG_BYTES,
  SLOT_BYTES,
} from "./local-slots.ts";
import { changed, describes, exists, foreign, notFound } from "./object-errors.ts";
import { append, FILE_MODE, writeFile } from "./local-writer.ts";
import type { Tags } from "./tags.ts";

export interface LocalBackendOptions {
  readonly path: string;
  readonly durability: "full" | "none";
}

export class LocalBackend implements ObjectBackend {
  readonly maxEnvelopeBytes: number = MAX_LOCAL_ENVELOPE_BYTES;
  readonly maxTagBytes: number = MAX_LOCAL_TAG_BYTES;
  readonly #folder: LocalFolder;
  readonly #isDurable: boolean;

  constructor(options: LocalBackendOptions) {
    this.#isDurable = options.durability === "full";
    this.#folder = new LocalFolder(options.path, this.#isDurable);
  }

  async write(key: string, request: WriteRequest): Promise<StoredObject> {
    const path = await this.#pathToWrite(key);
    const temporary = temporaryBeside(path);
    try {
      const isDurable = this.#isDurable;
      const stored = await writeFile(temporary, key, { ...request, isDurable });
      await attempt("writing", key, () =>
        withFileLock(path, () => this.#place(temporary, path, key, request)),
      );
      return stored;
    } catch (error) {
      await discard(temporary);
      throw error;
    }
  }

  async open(key: string): Promise<LocalFile> {
    const path = await attempt("opening", key, () => this.#folder.pathOf(key));
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

  async copy(from: string, to: string, request: CopyOptions): Promise<void> {
    const [source, target] = await this.#pathsOf(from, to);
    const temporary = temporaryBeside(target);
    try {
      await attempt("copying", from, async () => {
        // A reflink where the file system has them: no bytes are moved.
        await copyFile(source, temporary, constants.COPYFILE_FICLONE).catch((error: unknown) => {
          throw isAbsent(error) ? notFound(from) : error;
        });
        await withFile(temporary, "r", async (handle) => {
          // copyFile copies the mode too, which others may have changed.
          await handle.chmod(FILE_MODE);
          if (this.#isDurable) await handle.sync();
        });
      });
      request.signal?.throwIfAborted();
      await attempt("copying", from, () =>
        withFileLock(target, () => this.#place(temporary, target, to, request)),
      );
    } catch (error) {
      await discard(temporary);
      throw error;
    }
  }

  async move(from: string, to: string, request: CopyOptions): Promise<void> {
    const [source, target] = await this.#pathsOf(from, to);
    request.signal?.throwIfAborted();
    try {
      // The source too: what a put brings there while both names stand would go with the old one.
      await withFileLocks(source, target, async () => {
        // A migration that was killed may have left it: it describes nothing any more.
        const left = await ownSidecar(source);
        // A move that was killed leaves two names of one file, and so would rename(); but they may be one name, where
        // case makes no difference.
        const isOne = !request.ifAbsent && (await areOneFile(source, target));
        const complete = isOne ? temporaryBeside(source) : source;
        if (isOne) await rename(source, complete);
        await this.#rename(complete, target, to, request);
        if (isOne) await discard(complete);
        if (left !== undefined) await rm(left, { force: true });
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EXDEV")
        throw code === "ENOENT" ? notFound(from) : backendError(error, "moving", from);
      await this.#moveToOtherDisk(from, to, source, request);
    }
    if (this.#isDurable) await attempt("moving", from, () => syncFolder(dirname(source)));
  }

  async delete(key: string): Promise<boolean> {
    const path = await this.#folder.pathOf(key);
    return attempt("deleting", key, async () => {
      const found = await lstat(path).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      });
      if (found === undefined || found.isDirectory() || (await isDescription(path))) return false;
      const isDeleted = await withFileLock(path, () => removeFile(path));
      if (this.#isDurable) await syncFolder(dirname(path));
      return isDeleted;
    });
  }

  gc({ olderThanMs }: Required<GcOptions>): Promise<GcReport> {
    return attempt("collecting garbage in", "", () => collectGarbage(this.#folder, olderThanMs));
  }

  /** A folder of the store may be one. */
  async #moveToOtherDisk(
    from: string,
    to: string,
    source: string,
    request: CopyOptions,
  ): Promise<void> {
    const version = await this.#versionAt(source, from);
    await this.copy(from, to, request);
    await attempt("moving", from, () =>
      withFileLock(source, async () => {
        // What was put there meanwhile must not be deleted unread.
        if ((await this.#versionAt(source, from)) !== version) throw changed(from);
        await removeFile(source);
      }),
    );
  }

  /** Puts a complete file under its name. */
  async #place(
    complete: string,
    path: string,
    key: string,
    {
      ifAbsent = false,
      ifVersion,
    }: { readonly ifAbsent?: boolean; readonly ifVersion?: string | undefined },
  ): Promise<void> {
    if (ifVersion !== undefined && (await this.#versionAt(path, key)) !== ifVersion)
      throw changed(key);
    await this.#rename(complete, path, key, { ifAbsent });
  }

  async #rename(
    complete: string,
    path: string,
    key: string,
    { ifAbsent }: CopyOptions,
  ): Promise<void> {
    // What described the file that is replaced here describes nothing any more.
    const sidecar = await ownSidecar(path);
    if (ifAbsent) {
      // link() fails if the name is taken, rename() would replace it.
      await link(complete, path).catch((error: NodeJS.ErrnoException) => {
        throw error.code === "EEXIST" ? exists(key) : error;
      });
      await unlink(complete);
    } else {
      await rename(complete, path);
    }
    if (sidecar !== undefined) await rm(sidecar, { force: true });
    if (this.#isDurable) await syncFolder(dirname(path));
  }

  /** Writes the idle slot first and then the other one, so that at any time one of them is whole. */
  async #change(
    key: string,
    decide: (file: LocalFile) => { readonly envelope: Buffer; readonly tags: Tags },
  ): Promise<void> {
    const path = await this.#folder.pathOf(key);
    const change = async (): Promise<void> => {
      const handle = await openFile(path, constants.O_RDWR, key);
      const file = await LocalFile.read(handle, path, key);
      try {
        const { envelope, tags } = decide(file);
        if (file.prefix === undefined) throw foreign(key);
        const { generation, idleSlot } = file.prefix;
        const slot = encodeSlot({ generation: generation + 1n, envelope, tags });
        // The second one too: the key that wrapped the old envelope must not open the object any more.
        for (const index of [idleSlot, 1 - idleSlot]) {
          await append(handle, key, slot, index * SLOT_BYTES);
          await handle.datasync();
        }
      } finally {
        await file.close();
      }
    };
    await attempt("writing", key, () => withFileLock(path, change));
  }

  async #pathsOf(from: string, to: string): Promise<[string, string]> {
    const file = await this.open(from);
    await file.close();
    if (file.prefix === undefined) throw foreign(from);
    const source = await this.#folder.pathOf(from);
    return [source, await this.#pathToWrite(to)];
  }

  #pathToWrite(key: string): Promise<string> {
    return attempt("writing", key, async () => {
      const path = await this.#folder.pathToWrite(key);
      if (await isDescription(path)) throw describes(key);
      return path;
    });
  }

  async #versionAt(path: string, key: string): Promise<string> {
    const file = await LocalFile.read(await openFile(path, constants.O_RDONLY, key), path, key);
    await file.close();
    return file.object.version;
  }
}

/** False if another process was faster. */
async function removeFile(path: string): Promise<boolean> {
  const sidecar = await ownSidecar(path);
  try {
    await unlink(path);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
  if (sidecar !== undefined) await rm(sidecar, { force: true });
  return true;
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
