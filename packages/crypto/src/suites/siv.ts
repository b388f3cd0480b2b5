// Suite 0x04: AES-SIV with two 256-bit keys, deterministic. Body: synthetic IV[16] | ciphertext.
// @see RFC 5297; S2V takes the associated data as its one component before the plaintext
import { createSecretKey } from "node:crypto";
import { OneByOneAead, type BodyRange, type PlaintextReader } from "./aead.ts";
import { Cmac, doubleInPlace, xorInto } from "./cmac.ts";
import { counterKeystream, type Keystream } from "./ctr.ts";

const BLOCK_BYTES = 16;
export const SIV_KEY_BYTES = 64;

export class Siv extends OneByOneAead {
  readonly plaintextAt = BLOCK_BYTES;
  readonly overheadBytes: number = BLOCK_BYTES;
  readonly #cmac: Cmac;
  readonly #keystream: Keystream;
  #associatedData: readonly Buffer[] | Buffer | undefined;
  /** S2V's D after the associated data: the same for every value of a column. */
  #prefix: Buffer = Buffer.alloc(BLOCK_BYTES);

  /** @param keyBytes 64 bytes: S2V (CMAC) key, then CTR key (RFC 5297 section 2.6). */
  constructor(keyBytes: Buffer) {
    super();
    this.#cmac = new Cmac(createSecretKey(keyBytes.subarray(0, 32)));
    this.#keystream = counterKeystream(createSecretKey(keyBytes.subarray(32, 64)));
  }

  /** Several components of associated data exist for the published vectors; columns have one. */
  seal(
    buffer: Buffer,
    start: number,
    plaintextBytes: number,
    ad: Buffer | readonly Buffer[],
  ): number {
    const from = start + BLOCK_BYTES;
    const plaintext = buffer.subarray(from, from + plaintextBytes);
    const syntheticIv = this.#s2v(ad, plaintext);
    xorInto(plaintext, this.#keystream(syntheticIv, plaintextBytes));
    buffer.set(syntheticIv, start);
    return BLOCK_BYTES + plaintextBytes;
  }

  open<T>(
    buffer: Buffer,
    body: BodyRange,
    ad: Buffer | readonly Buffer[],
    read: PlaintextReader<T>,
  ): T | undefined {
    const from = body.start + BLOCK_BYTES;
    const syntheticIv = buffer.subarray(body.start, from);
    // Not from Node's pool, where unverified plaintext could be reached through a neighbour's `.buffer`.
    const plaintext = Buffer.allocUnsafeSlow(body.lengthBytes - BLOCK_BYTES);
    buffer.copy(plaintext, 0, from);
    xorInto(plaintext, this.#keystream(syntheticIv, plaintext.length));
    const isIntact = isEqual(this.#s2v(ad, plaintext), syntheticIv);
    const value = isIntact ? read(plaintext, 0, plaintext.length) : undefined;
    plaintext.fill(0);
    return value;
  }

  /** RFC 5297 section 2.4 */
  #s2v(ad: Buffer | readonly Buffer[], plaintext: Buffer): Buffer {
    if (ad !== this.#associatedData) this.#bind(ad);
    if (plaintext.length >= BLOCK_BYTES) return this.#cmac.digest(plaintext, this.#prefix);
    const last = Buffer.alloc(BLOCK_BYTES); // dbl(D) xor pad(plaintext)
    last.set(plaintext);
    last[plaintext.length] = 0x80;
    const doubled = Buffer.from(this.#prefix);
    doubleInPlace(doubled);
    xorInto(last, doubled);
    return this.#cmac.digest(last);
  }

  #bind(ad: Buffer | readonly Buffer[]): void {
    const prefix = this.#cmac.digest(Buffer.alloc(BLOCK_BYTES));
    for (const component of Buffer.isBuffer(ad) ? [ad] : ad) {
      doubleInPlace(prefix);
      xorInto(prefix, this.#cmac.digest(component));
    }
    this.#prefix = prefix;
    this.#associatedData = ad;
  }
}

function isEqual(a: Buffer, b: Buffer): boolean {
  let difference = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
