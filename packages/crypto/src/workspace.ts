// The memory in which envelopes are built and taken apart. Calls are synchronous and never nest, so one shared
// buffer serves all; it ends up holding ciphertext, because every seal overwrites the plaintext in place.
import { HEADER_BYTES } from "./envelope.ts";

const SHARED_BYTES = 64 * 1024;
const shared: Buffer = Buffer.allocUnsafeSlow(SHARED_BYTES);
const MAX_KEPT_VIEW_BYTES = 1024;
/** Views of the shared buffer that start behind the header, by length. */
const views: (Buffer | undefined)[] = [];

/** At least this many bytes, with anything in them, until the next call of this function. */
export function workspace(lengthBytes: number): Buffer {
  return lengthBytes <= SHARED_BYTES ? shared : Buffer.allocUnsafeSlow(lengthBytes);
}

/** `buffer.subarray(start, end)`, kept for short bodies in the workspace: making a view costs 60 to 100 ns. */
export function bodyView(buffer: Buffer, start: number, end: number): Buffer {
  const lengthBytes = end - start;
  if (buffer !== shared || start !== HEADER_BYTES || lengthBytes > MAX_KEPT_VIEW_BYTES) {
    return buffer.subarray(start, end);
  }
  return (views[lengthBytes] ??= buffer.subarray(start, end));
}
