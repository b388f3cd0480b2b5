// One file, held open: what LocalBackend hands out as a body.
import { constants } from "node:fs";
import { lstat, open, type FileHandle } from "node:fs/promises";
import { createHash } from "node:crypto";
import { StorageError } from "@fieldseal/crypto";
import type { OpenBody, StoredObject } from "./backend.ts";
import { backendError } from "./backend-error.ts";
import { readSidecar } from "./local-sidecar.ts";
import { notFound } from "./object-errors.ts";
import { release } from "./release.ts";
import { decodePrefix, PREFIX_BYTES, versionOf, type Prefix } from "./local-slots.ts";

/** Enough for the prefix and the header of a body. */
const FIRST_READ_BYTES: number = PREFIX_BYTES + 128;
const STREAM_BYTES: number = 1024 * 1024;

/** Opens without following a link at the last part of the path, and without waiting for the writer of a named pipe. */
export async function openFile(path: string, flags: number, key: string): Promise<FileHandle> {
  try {
    // oxlint-disable-next-line no-bitwise -- POSIX open(2) takes its flags combined by OR
    return await open(path, flags | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw openError(error, key);
  }
}

function openError(error: unknown, key: string): StorageError {
  const { code } = error as NodeJS.ErrnoException;
  if (isAbsent(error)) return notFound(key);
  if (code === "ELOOP") {
    return new StorageError(
      "ERR_STORAGE_KEY",
      `The key "${key}" is a symbolic link in the store.`,
      {
        objectKey: key,
      },
    );
  }
  return backendError(error, "opening", key);
}

/** No object has this name: nothing is there, a folder is, or a file where a folder would have to be. */
export function isAbsent(error: unknown): boolean {
  return /^(ENOENT|ENOTDIR|EISDIR|ENXIO)$/.test(String((error as NodeJS.ErrnoException).code));
}

/** Whether this package wrote a file. */
export async function isOurs(path: string): Promise<boolean> {
  try {
    const handle = await openFile(path, constants.O_RDONLY, "");
    const file = await LocalFile.read(handle, path, "");
    await file.close();
    return file.prefix !== undefined;
  } catch {
    return false;
  }
}

export async function areOneFile(path: string, other: string): Promise<boolean> {
  const [one, another] = await Promise.all([lstat(path), lstat(other)]).catch(() => []);
  return one !== undefined && one.dev === another?.dev && one.ino === another.ino;
}

export class LocalFile implements OpenBody {
  readonly object: StoredObject;
  readonly refillsMemory = true;
  /** Undefined for a file that another program wrote. */
  readonly prefix: Prefix | undefined;
  readonly #handle: FileHandle;
  readonly #key: string;
  /** The first bytes of the body, which came with the prefix. */
  readonly #start: Buffer;
  readonly #bodyAt: number;

  private constructor(
    handle: FileHandle,
    key: string,
    parts: { object: StoredObject; prefix: Prefix | undefined; start: Buffer },
  ) {
    this.#handle = handle;
    this.#key = key;
    this.object = parts.object;
    this.prefix = parts.prefix;
    this.#start = parts.start;
    this.#bodyAt = parts.prefix === undefined ? 0 : PREFIX_BYTES;
  }

  /** Takes over the handle, and closes it when it throws. */
  static async read(handle: FileHandle, path: string, key: string): Promise<LocalFile> {
    try {
      const stat = await handle.stat({ bigint: true });
      if (!stat.isFile()) throw notFound(key);
      const { bytesRead, buffer } = await handle.read(
        Buffer.allocUnsafeSlow(FIRST_READ_BYTES),
        0,
        FIRST_READ_BYTES,
        0,
      );
      const bytes = buffer.subarray(0, bytesRead);
      const prefix = decodePrefix(bytes, key);
      const modifiedAt = new Date(Number(stat.mtimeMs));
      const object: StoredObject = prefix
        ? {
            envelope: prefix.envelope,
            isUneven: prefix.isUneven,
            bodyBytes: Number(stat.size) - PREFIX_BYTES,
            version: versionOf(prefix),
            modifiedAt,
            foreign: undefined,
          }
        : {
            envelope: undefined,
            bodyBytes: Number(stat.size),
            version: foreignVersion(stat.ino, stat.size, stat.mtimeNs),
            modifiedAt,
            foreign: (await readSidecar(path)) ?? {},
          };
      const start = prefix === undefined ? bytes : bytes.subarray(PREFIX_BYTES);
      return new LocalFile(handle, key, { object, prefix, start });
    } catch (error) {
      await handle.close();
      throw backendError(error, "opening", key);
    }
  }

  async read(offset: number, length: number, memory?: Buffer): Promise<Buffer> {
    if (offset + length <= this.#start.length) {
      return Buffer.from(this.#start.subarray(offset, offset + length));
    }
    const buffer = memory ?? Buffer.allocUnsafeSlow(length);
    return buffer.subarray(0, await this.#readInto(buffer, offset, length));
  }

  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    // Two buffers: while the caller works on one, the disk fills the other.
    let filled = Buffer.allocUnsafeSlow(Math.min(STREAM_BYTES, end - start));
    let spare = Buffer.allocUnsafeSlow(Math.min(STREAM_BYTES, end - start - filled.length));
    let next = this.#fill(filled, start, end);
    try {
      for (let at = start; at < end;) {
        const length = await next;
        if (length === 0) return;
        const bytes = filled.subarray(0, length);
        at += length;
        [filled, spare] = [spare, filled];
        next = at < end ? this.#fill(filled, at, end) : Promise.resolve(0);
        // If the caller leaves during the yield, nobody awaits this read.
        next.catch(() => {});
        yield bytes;
      }
    } finally {
      // Not under a read that still writes into one of them.
      await next.catch(() => {});
      release(filled);
      release(spare);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #fill(buffer: Buffer, at: number, end: number): Promise<number> {
    return this.#readInto(buffer, at, Math.min(buffer.length, end - at));
  }

  /** As many bytes as there are: a single read may give fewer. */
  async #readInto(buffer: Buffer, offset: number, length: number): Promise<number> {
    let total = 0;
    try {
      while (total < length) {
        const position = this.#bodyAt + offset + total;
        const { bytesRead } = await this.#handle.read(buffer, total, length - total, position);
        if (bytesRead === 0) break;
        total += bytesRead;
      }
    } catch (error) {
      throw backendError(error, "reading", this.#key);
    }
    return total;
  }
}

function foreignVersion(...facts: readonly bigint[]): string {
  return createHash("sha256").update(facts.join(" ")).digest("base64url");
}
