// HMAC over `associated data || body || length`, for bodies that follow one after another under one key.
// createHmac costs about 2.1 us per small message; two one-shot crypto.hash calls over prepared pads cost
// 0.65 us. Hash output is asked for as 'latin1' (one byte a character): a Buffer result costs 0.5 us more.
// The price: the MAC key lives in this object's memory, xored with public constants, not in a KeyObject.
import { hash } from "node:crypto";
import { HEADER_BYTES } from "../envelope.ts";
import { writeLatin1 } from "../fast-buffer.ts";

/** @see RFC 2104 section 2 */
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const LENGTH_BYTES = 8;
/** Bodies up to this length, tag not counted, are hashed without an allocation. */
export const SMALL_BODY_BYTES = 1024;
/** What of the digest is kept as the tag, in both hashes. */
export const TAG_BYTES = 32;
const WORD_BYTES = 4;
/** Words that a header in front of a body reaches into. */
const HEADER_WORDS = Math.ceil(HEADER_BYTES / WORD_BYTES);

export interface HmacHash {
  readonly name: "sha256" | "sha512";
  readonly blockBytes: number;
  readonly digestBytes: number;
}

export const SHA256: HmacHash = { name: "sha256", blockBytes: 64, digestBytes: 32 };
export const SHA512: HmacHash = { name: "sha512", blockBytes: 128, digestBytes: 64 };

/** HMAC with the MAC input of RFC 7518 section 5.2.2.1: associated data, body, 64-bit bit length of the former. */
export class BodyHmac {
  readonly #hash: HmacHash;
  /** Inner pad, then the associated data last used, then room for a small body and the length. */
  #inner: Buffer;
  readonly #outer: Buffer;
  #associatedData: Buffer | undefined;
  /** Its length in bits, 64-bit big-endian: RFC 7518 calls it AL. */
  readonly #associatedDataBits: Buffer = Buffer.alloc(LENGTH_BYTES);
  readonly #bitsWords: Int32Array = wordsOf(this.#associatedDataBits);
  /** A copy of the words in front of the body, which a header may overwrite, to mend them with. */
  readonly #mending: Int32Array = new Int32Array(HEADER_WORDS);
  #bodyAt = 0;
  /** `#inner` as 32-bit words, and the one that the body starts at. */
  #words: Int32Array = new Int32Array(0);
  #bodyWord = 0;
  /** The tag that a body should have, and the same as words. */
  readonly #expected: Buffer = Buffer.alloc(TAG_BYTES);
  readonly #expectedWords: Int32Array = wordsOf(this.#expected);
  /** Views of `#inner` by body length / 16: making one costs 60 to 100 ns. */
  #views: (Buffer | undefined)[] = [];
  #bodyViews: (Buffer | undefined)[] = [];

  /** `key` is at most a block long; it is copied. */
  constructor(algorithm: HmacHash, key: Buffer) {
    this.#hash = algorithm;
    this.#inner = Buffer.alloc(algorithm.blockBytes, INNER_PAD);
    this.#outer = Buffer.alloc(algorithm.blockBytes + algorithm.digestBytes, OUTER_PAD);
    for (let i = 0; i < key.length; i++) {
      this.#inner[i] = (key[i] as number) ^ INNER_PAD;
      this.#outer[i] = (key[i] as number) ^ OUTER_PAD;
    }
  }

  /** The full digest, one character a byte (latin1). The body's length is a multiple of 16 bytes. */
  digest(associatedData: Buffer, body: Buffer): string {
    if (associatedData !== this.#associatedData) this.#bind(associatedData);
    return body.length <= SMALL_BODY_BYTES ? this.#digestSmall(body) : this.#digestLarge(body);
  }

  /**
   * The buffer, and where in it, a body of at most {@link SMALL_BODY_BYTES} and its tag can be decoded for
   * {@link BodyHmac.isAuthentic}; what stands before it may be overwritten by an envelope's header.
   */
  bodyTarget(associatedData: Buffer): { readonly buffer: Buffer; readonly at: number } {
    if (associatedData !== this.#associatedData) this.#bind(associatedData);
    // A header decoded in front of the body leaves its end damaged, whatever happens next: bind anew after this.
    this.#associatedData = undefined;
    return { buffer: this.#inner, at: this.#bodyAt };
  }

  /**
   * Whether the tag behind a body that was decoded into place is its own; the tag is overwritten. Constant-time: all of it
   * is compared, by words, at half the cost of characters.
   */
  isAuthentic(lengthBytes: number): boolean {
    const words = this.#words;
    const tagWord = this.#bodyWord + lengthBytes / WORD_BYTES;
    // The length that the MAC covers takes the place of these two.
    const first = words[tagWord] as number;
    const second = words[tagWord + 1] as number;
    const headerWord = this.#bodyWord - HEADER_WORDS;
    for (let i = 0; i < HEADER_WORDS; i++) words[headerWord + i] = this.#mending[i] as number;
    writeLatin1(this.#expected, this.#digestInPlace(lengthBytes), 0, TAG_BYTES);
    const expected = this.#expectedWords;
    let difference = (first ^ (expected[0] as number)) | (second ^ (expected[1] as number));
    for (let i = 2; i < TAG_BYTES / WORD_BYTES; i++) {
      difference |= (words[tagWord + i] as number) ^ (expected[i] as number);
    }
    return difference === 0;
  }

  /** The decoded body; valid until the next one. */
  decodedBody(lengthBytes: number): Buffer {
    return (this.#bodyViews[lengthBytes >>> 4] ??= this.#inner.subarray(
      this.#bodyAt,
      this.#bodyAt + lengthBytes,
    ));
  }

  #digestSmall(body: Buffer): string {
    this.#inner.set(body, this.#bodyAt);
    return this.#digestInPlace(body.length);
  }

  #digestInPlace(lengthBytes: number): string {
    const lengthWord = this.#bodyWord + lengthBytes / WORD_BYTES;
    this.#words[lengthWord] = this.#bitsWords[0] as number;
    this.#words[lengthWord + 1] = this.#bitsWords[1] as number;
    const view = (this.#views[lengthBytes >>> 4] ??= this.#inner.subarray(
      0,
      this.#bodyAt + lengthBytes + LENGTH_BYTES,
    ));
    return this.#finish(hash(this.#hash.name, view, "binary"));
  }

  #digestLarge(body: Buffer): string {
    const lengthAt = this.#bodyAt + body.length;
    const message = Buffer.allocUnsafeSlow(lengthAt + LENGTH_BYTES);
    message.set(this.#inner.subarray(0, this.#bodyAt));
    message.set(body, this.#bodyAt);
    message.set(this.#associatedDataBits, lengthAt);
    const inner = hash(this.#hash.name, message, "binary");
    message.fill(0, 0, this.#hash.blockBytes); // the copy of the inner pad is key material
    return this.#finish(inner);
  }

  #finish(innerDigest: string): string {
    writeLatin1(this.#outer, innerDigest, this.#hash.blockBytes, this.#hash.digestBytes);
    return hash(this.#hash.name, this.#outer, "binary");
  }

  #bind(associatedData: Buffer): void {
    const { blockBytes } = this.#hash;
    const bodyAt = blockBytes + associatedData.length;
    if (bodyAt !== this.#bodyAt) {
      const unusedBytes = -bodyAt & (WORD_BYTES - 1); // in front, so that the body starts at a word
      const endBytes = SMALL_BODY_BYTES + TAG_BYTES + WORD_BYTES;
      const memory = Buffer.alloc(unusedBytes + bodyAt + endBytes);
      const grown = memory.subarray(unusedBytes);
      grown.set(this.#inner.subarray(0, blockBytes));
      this.#inner.fill(0);
      this.#inner = grown;
      this.#words = wordsOf(memory);
      this.#bodyWord = (unusedBytes + bodyAt) / WORD_BYTES;
      this.#views = [];
      this.#bodyViews = [];
      this.#bodyAt = bodyAt;
    }
    this.#inner.set(associatedData, blockBytes);
    this.#associatedDataBits.writeBigUInt64BE(BigInt(associatedData.length) * 8n);
    this.#mending.set(this.#words.subarray(this.#bodyWord - HEADER_WORDS, this.#bodyWord));
    this.#associatedData = associatedData;
  }
}

/** The same memory as 32-bit words; of a Buffer that Node's pool has no part in, which starts at one. */
function wordsOf(memory: Buffer): Int32Array {
  return new Int32Array(memory.buffer, memory.byteOffset, memory.length / WORD_BYTES);
}
