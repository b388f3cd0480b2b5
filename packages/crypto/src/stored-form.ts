// Between bytes and what a column holds: base64 text, or the bytes themselves.
import { TEXT_PREFIX } from "./envelope.ts";
import { sliceBase64, writeBase64 } from "./fast-buffer.ts";

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

/** An upper bound of the bytes behind a stored value. */
export function decodedBytes(stored: StoredInput | null | undefined): number {
  if (stored === null || stored === undefined) return 0;
  return typeof stored === "string" ? Math.ceil(stored.length / 4) * 3 : stored.byteLength;
}

/** Copies the bytes behind a stored value into the buffer; returns where they end. */
export function decodeInto(buffer: Buffer, at: number, stored: StoredInput): number {
  if (typeof stored === "string") return at + decodeBase64Into(buffer, at, stored);
  buffer.set(stored, at);
  return at + stored.byteLength;
}

/** Bytes written; 0 unless the text is canonical base64, checked by encoding it again (about 90 ns), of an envelope. */
export function decodeBase64Into(buffer: Buffer, at: number, text: string): number {
  // Decoding plaintext for nothing would double the time that a migration takes to read.
  if (!text.startsWith(TEXT_PREFIX)) return 0;
  const lengthBytes = writeBase64(buffer, text, at);
  return sliceBase64(buffer, at, at + lengthBytes) === text ? lengthBytes : 0;
}
