// Between bytes and what a column holds: base64 text, or the bytes themselves.
import { sliceBase64 } from "./fast-buffer.ts";

/** A string in a text column, bytes in a binary one. */
export type Stored = string | Buffer;
/** What drivers give back for either. */
export type StoredInput = string | Uint8Array;
export type StorageForm = "text" | "binary";

/** Copies `buffer[start..end)` into the stored form. */
export function toStored(buffer: Buffer, start: number, end: number, form: StorageForm): Stored {
  if (form === "text") return sliceBase64(buffer, start, end);
  const copy = Buffer.allocUnsafeSlow(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
