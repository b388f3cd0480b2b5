// Bodies in memory, and what tests do with streams and errors.
import { createCipheriv, randomBytes } from "node:crypto";
import type { OpenBody } from "../../src/backend.ts";
import type { ContentReader } from "../../src/content-reader.ts";

/** As the older system stored it: IV, then AES-256-CBC under the raw root key. */
export function legacyBody(plaintext: Buffer, rootKey: string): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", Buffer.from(rootKey, "hex"), iv);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
}

export async function* inChunks(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  // The piece may be overwritten when the next is asked for.
  for await (const piece of source) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Bytes from `start` up to, not including, `end`. */
export async function readFrom(reader: ContentReader, start: number, end: number): Promise<Buffer> {
  const target = Buffer.alloc(end - start);
  await reader.readInto(target, start);
  return target;
}

/** These bytes as a backend gives them. */
export function bodyOf(
  bytes: Buffer,
  chunkBytes: number = bytes.length + 1,
  { streamEndsAt = bytes.length }: { readonly streamEndsAt?: number } = {},
): OpenBody {
  return {
    object: {
      envelope: undefined,
      bodyBytes: bytes.length,
      version: "1",
      modifiedAt: new Date(0),
      foreign: undefined,
    },
    read: (offset, length) => Promise.resolve(Buffer.from(bytes.subarray(offset, offset + length))),
    stream: (start, end) =>
      inChunks(bytes.subarray(start, Math.min(end, streamEndsAt)), chunkBytes),
    refillsMemory: false,
    close: () => Promise.resolve(),
  };
}

export async function thrownBy(action: () => unknown): Promise<Error> {
  try {
    await action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("It did not throw.");
}

/** Its `code`. */
export async function thrownCode(action: () => unknown): Promise<unknown> {
  return ((await thrownBy(action)) as { code?: unknown }).code;
}

export function codeOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return "none";
}
