// AES-256-CTR as AES-SIV uses it, on a kept ECB object: a CTR cipher would have to be created per value.
// ECB here only computes the block cipher on counter blocks; no plaintext ever goes through it.
// @see RFC 5297 section 2.5
import { createCipheriv, type KeyObject } from "node:crypto";
import { keepWhileSound } from "./cbc-handle.ts";

const BLOCK_BYTES = 16;

/** The first `lengthBytes` of the key stream that starts at a synthetic IV. */
export type Keystream = (syntheticIv: Buffer, lengthBytes: number) => Buffer;

export function counterKeystream(key: KeyObject): Keystream {
  const encryptBlocks = keepWhileSound(() =>
    createCipheriv("aes-256-ecb", key, null).setAutoPadding(false),
  );
  return (syntheticIv, lengthBytes) => {
    if (lengthBytes === 0) return Buffer.alloc(0);
    const counters = Buffer.allocUnsafeSlow(Math.ceil(lengthBytes / BLOCK_BYTES) * BLOCK_BYTES);
    writeCounters(counters, syntheticIv);
    return encryptBlocks(counters).subarray(0, lengthBytes);
  };
}

/**
 * The IV with bits 31 and 63 cleared, counted up by one. The cleared bit 31 leaves 2^31 blocks (32 GiB), far
 * above the largest value, before the low word could carry.
 */
function writeCounters(counters: Buffer, syntheticIv: Buffer): void {
  const first = Buffer.from(syntheticIv);
  first[8] = (first[8] as number) & 0x7f;
  first[12] = (first[12] as number) & 0x7f;
  const low = first.readUInt32BE(12);
  for (let block = 0, at = 0; at < counters.length; block++, at += BLOCK_BYTES) {
    counters.set(first, at);
    counters.writeUInt32BE(low + block, at + 12);
  }
}
