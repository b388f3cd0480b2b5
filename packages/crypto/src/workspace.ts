// The memory in which envelopes are built and taken apart. Calls are synchronous and never nest, so one shared
// buffer serves all; it ends up holding ciphertext, because every seal overwrites the plaintext in place.
const SHARED_BYTES = 64 * 1024;
const shared: Buffer = Buffer.allocUnsafeSlow(SHARED_BYTES);

/** At least this many bytes, with anything in them, until the next call of this function. */
export function workspace(lengthBytes: number): Buffer {
  return lengthBytes <= SHARED_BYTES ? shared : Buffer.allocUnsafeSlow(lengthBytes);
}
