// The bytes of one new file: both slots, and the body behind them.
import { open, type FileHandle } from "node:fs/promises";
import type { StoredObject, WriteRequest } from "./backend.ts";
import { attempt } from "./backend-error.ts";
import { encodeSlot, PREFIX_BYTES, versionOf } from "./local-slots.ts";

export const FILE_MODE = 0o600;

/** Describes what is written from the file itself: by the time it has its name, it may be replaced. */
export async function writeFile(
  path: string,
  key: string,
  { isDurable, ...request }: WriteRequest & { readonly isDurable: boolean },
): Promise<StoredObject> {
  const handle = await attempt("writing", key, () => open(path, "wx", FILE_MODE));
  try {
    const slot = encodeSlot({ generation: 1n, envelope: request.envelope, tags: request.tags });
    await append(handle, key, Buffer.concat([slot, slot]));
    await appendAll(handle, key, request.body);
    request.signal?.throwIfAborted();
    if (isDurable) await attempt("writing", key, () => handle.sync());
    const { size, mtime } = await attempt("writing", key, () => handle.stat());
    const { envelope } = request;
    const bodyBytes = size - PREFIX_BYTES;
    return {
      envelope,
      bodyBytes,
      version: versionOf(request),
      modifiedAt: mtime,
      foreign: undefined,
    };
  } finally {
    await handle.close();
  }
}

/** While one piece is written, the next is encrypted. */
async function appendAll(
  handle: FileHandle,
  key: string,
  pieces: AsyncIterable<Buffer>,
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const piece of pieces) {
      await writing;
      writing = append(handle, key, piece);
      // Awaited above or below; until then a failure must not count as unhandled.
      writing.catch(() => {});
    }
  } finally {
    // The file must not be closed under a write, also when the source failed.
    await writing.catch(() => {});
  }
  await writing;
}

/** A single write may take fewer bytes. */
export async function append(
  handle: FileHandle,
  key: string,
  bytes: Buffer,
  position?: number,
): Promise<void> {
  await attempt("writing", key, async () => {
    for (let at = 0; at < bytes.length;) {
      const place = position === undefined ? null : position + at;
      at += (await handle.write(bytes, at, bytes.length - at, place)).bytesWritten;
    }
  });
}
