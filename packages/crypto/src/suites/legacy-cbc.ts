// The layout that older systems stored: IV[16] | AES-256-CBC ciphertext with PKCS#7, under the raw root key,
// without header, context or authentication. Whoever can write to the column can change such values unseen:
// it is read (and written) only where a column asks for it, until a migration has replaced it.
import type { KeyObject } from "node:crypto";
import { fillRandom } from "../random-pool.ts";
import type { PlaintextReader } from "./aead.ts";
import { addPkcs7, removePkcs7 } from "./cbc-hmac.ts";
import { cbcHandle, type CbcHandle } from "./cbc-handle.ts";

const BLOCK_BYTES = 16;

export class LegacyCbc {
  readonly plaintextAt = BLOCK_BYTES;
  readonly overheadBytes: number = BLOCK_BYTES + BLOCK_BYTES;
  readonly #cbc: CbcHandle;

  constructor(rootKey: KeyObject) {
    this.#cbc = cbcHandle(rootKey);
  }

  /** Encrypts the plaintext at `buffer[16..]` in place; returns the length of `IV || ciphertext`. */
  seal(buffer: Buffer, plaintextBytes: number): number {
    fillRandom(buffer, 0, BLOCK_BYTES);
    const end = addPkcs7(buffer, BLOCK_BYTES, plaintextBytes);
    buffer.set(this.#cbc.encrypt(buffer.subarray(0, end)));
    return end;
  }

  /** Undefined when the length or the padding is impossible: nothing else can be checked. */
  open<T>(ivThenCiphertext: Buffer, read: PlaintextReader<T | undefined>): T | undefined {
    const { length } = ivThenCiphertext;
    if (length < 2 * BLOCK_BYTES || length % BLOCK_BYTES !== 0) return undefined;
    const padded = this.#cbc.decrypt(ivThenCiphertext);
    const end = removePkcs7(padded, BLOCK_BYTES, length);
    return end < 0 ? undefined : read(padded, BLOCK_BYTES, end);
  }
}
