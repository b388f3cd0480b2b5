// AES-256-CMAC over a kept CBC object, and the arithmetic of GF(2^128) that it needs.
// @see NIST SP 800-38B section 6; RFC 4493
import { createCipheriv, type KeyObject } from "node:crypto";
import { chainedCbcMac } from "./cbc-handle.ts";

const BLOCK_BYTES = 16;
/** x^128 = x^7 + x^2 + x + 1 (SP 800-38B section 5.3). */
const REDUCTION = 0x87;

export class Cmac {
  readonly #lastCipherBlock: (blocks: Buffer) => Buffer;
  readonly #subkey1: Buffer;
  readonly #subkey2: Buffer;

  constructor(key: KeyObject) {
    this.#lastCipherBlock = chainedCbcMac(key);
    const zero = Buffer.alloc(BLOCK_BYTES);
    this.#subkey1 = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false).update(zero);
    doubleInPlace(this.#subkey1);
    this.#subkey2 = Buffer.from(this.#subkey1);
    doubleInPlace(this.#subkey2);
  }

  /**
   * CMAC of the message, or with `tail` of the message whose last 16 bytes are xored with it (the "xorend" of
   * RFC 5297 section 2.1; the message then has at least 16 bytes). The result is the caller's to change.
   */
  digest(message: Buffer, tail?: Buffer): Buffer {
    const lengthBytes = message.length;
    const isWhole = lengthBytes > 0 && lengthBytes % BLOCK_BYTES === 0;
    const paddedBytes = isWhole
      ? lengthBytes
      : (Math.floor(lengthBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES;
    const blocks = Buffer.alloc(paddedBytes);
    blocks.set(message);
    if (tail) xorInto(blocks, tail, lengthBytes - BLOCK_BYTES);
    if (!isWhole) blocks[lengthBytes] = 0x80;
    xorInto(blocks, isWhole ? this.#subkey1 : this.#subkey2, paddedBytes - BLOCK_BYTES);
    return this.#lastCipherBlock(blocks);
  }
}

/** Multiplies by x. @see RFC 5297 section 2.3 */
export function doubleInPlace(block: Buffer): void {
  let carry = 0;
  for (let i = BLOCK_BYTES - 1; i >= 0; i--) {
    const byte = block[i] as number;
    block[i] = (byte << 1) | carry;
    carry = byte >>> 7;
  }
  // A mask, not a branch: the carry bit is secret.
  block[BLOCK_BYTES - 1] = (block[BLOCK_BYTES - 1] as number) ^ (-carry & REDUCTION);
}

/** Xors the whole of `source` into `target` from `at` on. */
export function xorInto(target: Buffer, source: Buffer, at = 0): void {
  for (let i = 0; i < source.length; i++) {
    target[at + i] = (target[at + i] as number) ^ (source[i] as number);
  }
}
