// Text into and out of a Buffer. These methods are what Buffer#write and Buffer#toString call after looking up
// the encoding by name; calling them saves 15 to 30 ns each, about 8 % of a short value. Node, Deno and Bun have
// had them for as long as they have had Buffer, but document only the callers: so they are named in this file
// alone, and fast-buffer.test.ts compares each with its documented caller.

interface EncodingMethods {
  utf8Write(text: string, at: number): number;
  latin1Write(text: string, at: number, lengthBytes: number): number;
  base64Write(text: string, at: number): number;
  utf8Slice(start: number, end: number): string;
  base64Slice(start: number, end: number): string;
}

function raw(buffer: Buffer): EncodingMethods {
  return buffer as unknown as EncodingMethods;
}

/** Bytes written at `at`. */
export function writeUtf8(buffer: Buffer, text: string, at: number): number {
  return raw(buffer).utf8Write(text, at);
}

/** One byte a character, `lengthBytes` of them at most. */
export function writeLatin1(buffer: Buffer, text: string, at: number, lengthBytes: number): number {
  return raw(buffer).latin1Write(text, at, lengthBytes);
}

/** Bytes written at `at`; lenient as Buffer is. */
export function writeBase64(buffer: Buffer, text: string, at: number): number {
  return raw(buffer).base64Write(text, at);
}

export function sliceUtf8(buffer: Buffer, start: number, end: number): string {
  return raw(buffer).utf8Slice(start, end);
}

export function sliceBase64(buffer: Buffer, start: number, end: number): string {
  return raw(buffer).base64Slice(start, end);
}
