// The contract of a value codec: between a JavaScript value and the bytes that are encrypted.
import { isUtf8 } from "node:buffer";
import type { ContentType } from "../envelope.ts";
import { sliceUtf8 } from "../fast-buffer.ts";
import type { PlaintextReader } from "../suites/aead.ts";

/** A string stands for its UTF-8 bytes: the cipher writes it into place without a copy. */
export type Encoded = string | Uint8Array;

/**
 * Both directions for one content type. Readers copy what they keep (the buffer is reused) and return
 * undefined for bytes that this codec cannot have written.
 */
export interface ValueCodec<T> {
  readonly content: ContentType;
  readonly storage: "text" | "binary";

  /**
   * The bytes to encrypt. Must refuse what {@link ValueCodec.read} would not give back equal.
   * @throws {@link ValueTypeError} naming `where` and, inside JSON, the path; never the value
   */
  encode(value: unknown, where: string): Encoded;
  readonly read: PlaintextReader<T | undefined>;

  /** The bytes that the legacy layout encrypts; they differ from `encode` only for base64. */
  encodeLegacy(value: unknown, where: string): Encoded;
  readonly readLegacy: PlaintextReader<T | undefined>;

  /** Two values are the same to change detection. */
  isEqual(a: T, b: T): boolean;
}

/** Strict UTF-8; undefined for anything else. */
export function readUtf8(buffer: Buffer, start: number, end: number): string | undefined {
  const text = sliceUtf8(buffer, start, end);
  // Invalid bytes decode to U+FFFD. Looking for it is free in one-byte strings, and rarely true in others.
  return text.includes("\ufffd") && !isUtf8(buffer.subarray(start, end)) ? undefined : text;
}
