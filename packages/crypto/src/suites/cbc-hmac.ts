// Suites 0x01 and 0x02: AES-256-CBC with PKCS#7, then HMAC over it (encrypt-then-MAC).
// Body: IV[16] | ciphertext | tag[32].
// @see RFC 7518 section 5.2.2 (composition, key order) and 5.2.5 (A256CBC-HS512)
import { createSecretKey } from "node:crypto";
import { areInAlphabet, hasCanonicalEnd } from "../base64.ts";
import { HEADER_BYTES } from "../envelope.ts";
import { writeBase64, writeLatin1 } from "../fast-buffer.ts";
import { fillRandom } from "../random-pool.ts";
import { bodyView, workspace } from "../workspace.ts";
import type { Aead, BodyRange, PlaintextReader } from "./aead.ts";
import { cbcHandle, type CbcHandle } from "./cbc-handle.ts";
import { BodyHmac, SHA256, SHA512, TAG_BYTES } from "./hmac.ts";

const BLOCK_BYTES = 16;
export const CBC_HMAC_KEY_BYTES = 64;

/** How a random block enters a body; tests give fixed ones. */
export type FillRandom = (target: Buffer, at: number, lengthBytes: number) => void;

export class CbcHmac implements Aead {
  readonly plaintextAt = BLOCK_BYTES;
  readonly overheadBytes = BLOCK_BYTES + BLOCK_BYTES + TAG_BYTES;
  readonly #cbc: CbcHandle;
  readonly #hmac: BodyHmac;
  readonly #fillRandom: FillRandom;

  /** @param keyBytes 64 bytes: MAC key, then encryption key (RFC 7518 section 5.2.2.1, step 1). */
  constructor(
    hashName: "sha256" | "sha512",
    keyBytes: Buffer,
    makeHandle: typeof cbcHandle = cbcHandle,
    random: FillRandom = fillRandom,
  ) {
    this.#hmac = new BodyHmac(hashName === "sha256" ? SHA256 : SHA512, keyBytes.subarray(0, 32));
    this.#cbc = makeHandle(createSecretKey(keyBytes.subarray(32, 64)));
    this.#fillRandom = random;
  }

  seal(buffer: Buffer, start: number, plaintextBytes: number, ad: Buffer): number {
    this.#fillRandom(buffer, start, BLOCK_BYTES);
    const end = addPkcs7(buffer, start + BLOCK_BYTES, plaintextBytes);
    const sealed = this.#cbc.encrypt(bodyView(buffer, start, end));
    return this.#finishBody(buffer, start, sealed, ad);
  }

  sealMany(buffer: Buffer, plaintexts: readonly BodyRange[], ad: Buffer): number[] {
    // All random blocks and padded plaintexts in a row are one CBC stream, and each random block starts a new
    // message in it: one update() then does for all what seal() does for each.
    const stream = Buffer.allocUnsafeSlow(
      plaintexts.reduce((sum, { lengthBytes }) => sum + sealedBytes(lengthBytes), 0),
    );
    let at = 0;
    for (const { start, lengthBytes } of plaintexts) {
      this.#fillRandom(stream, at, BLOCK_BYTES);
      const from = start + BLOCK_BYTES;
      buffer.copy(stream, at + BLOCK_BYTES, from, from + lengthBytes);
      at = addPkcs7(stream, at + BLOCK_BYTES, lengthBytes);
    }
    const sealed = this.#cbc.encrypt(stream);
    stream.fill(0);
    at = 0;
    return plaintexts.map(({ start, lengthBytes }) => {
      const one = sealed.subarray(at, (at += sealedBytes(lengthBytes)));
      return this.#finishBody(buffer, start, one, ad);
    });
  }

  open<T>(buffer: Buffer, body: BodyRange, ad: Buffer, read: PlaintextReader<T>): T | undefined {
    const tagAt = body.start + body.lengthBytes - TAG_BYTES;
    const sealed = bodyView(buffer, body.start, tagAt);
    if (!isTag(this.#hmac.digest(ad, sealed), buffer, tagAt)) return undefined;
    const padded = this.#cbc.decrypt(sealed);
    const end = removePkcs7(padded, BLOCK_BYTES, padded.length);
    return end < 0 ? undefined : read(padded, BLOCK_BYTES, end);
  }

  openMany<T>(
    buffer: Buffer,
    bodies: readonly BodyRange[],
    ad: Buffer,
    read: PlaintextReader<T>,
  ): (T | undefined)[] {
    // Verified bodies move together so that one update() decrypts them all; refused ones are left out.
    const stream = Buffer.allocUnsafeSlow(bodies.reduce((sum, body) => sum + body.lengthBytes, 0));
    const ends: number[] = [];
    let at = 0;
    for (const { start, lengthBytes } of bodies) {
      const tagAt = start + lengthBytes - TAG_BYTES;
      const sealed = buffer.subarray(start, tagAt);
      if (isTag(this.#hmac.digest(ad, sealed), buffer, tagAt)) {
        stream.set(sealed, at);
        at += sealed.length;
      }
      ends.push(at);
    }
    return this.#readStream(stream.subarray(0, at), ends, read);
  }

  openTexts<T>(
    texts: readonly string[],
    ad: Buffer,
    read: PlaintextReader<T>,
  ): (T | undefined)[] | undefined {
    // As openMany, with less to carry about and to collect afterwards: each text is decoded where its MAC is
    // computed, so that no view, copy or check string is made per value.
    if (!areInAlphabet(texts)) return undefined;
    const { buffer, at: bodyAt } = this.#hmac.bodyTarget(ad);
    let textBytes = 0;
    for (const text of texts) textBytes += text.length;
    const stream = workspace(textBytes);
    const ends: number[] = [];
    let at = 0;
    for (const text of texts) {
      const decodedBytes = writeBase64(buffer, text, bodyAt - HEADER_BYTES);
      const sealedBytes = decodedBytes - HEADER_BYTES - TAG_BYTES;
      const isPossible = sealedBytes >= 2 * BLOCK_BYTES && sealedBytes % BLOCK_BYTES === 0;
      if (!isPossible || !hasCanonicalEnd(text, decodedBytes)) return undefined;
      if (this.#hmac.isAuthentic(sealedBytes)) {
        stream.set(this.#hmac.decodedBody(sealedBytes), at);
        at += sealedBytes;
      }
      ends.push(at);
    }
    return this.#readStream(stream.subarray(0, at), ends, read);
  }

  /** Decrypts verified bodies in one call and reads each; one that ends where it starts was refused. */
  #readStream<T>(
    stream: Buffer,
    ends: readonly number[],
    read: PlaintextReader<T>,
  ): (T | undefined)[] {
    const padded = this.#cbc.decrypt(stream);
    const values: (T | undefined)[] = [];
    let start = 0;
    for (const end of ends) {
      const from = start + BLOCK_BYTES;
      const plaintextEnd = end === start ? -1 : removePkcs7(padded, from, end);
      values.push(plaintextEnd < 0 ? undefined : read(padded, from, plaintextEnd));
      start = end;
    }
    return values;
  }

  /** Writes `IV || ciphertext || tag` over the plaintext. */
  #finishBody(buffer: Buffer, start: number, sealed: Buffer, ad: Buffer): number {
    const tag = this.#hmac.digest(ad, sealed);
    buffer.set(sealed, start);
    writeLatin1(buffer, tag, start + sealed.length, TAG_BYTES); // SHA-512 is cut to 32 bytes here
    return sealed.length + TAG_BYTES;
  }
}

/** IV and padded ciphertext, without the tag. */
function sealedBytes(plaintextBytes: number): number {
  return BLOCK_BYTES + (Math.floor(plaintextBytes / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}

/** Constant-time for the 32 bytes: the time does not depend on where the first difference is. */
function isTag(digest: string, buffer: Buffer, at: number): boolean {
  let difference = 0;
  for (let i = 0; i < TAG_BYTES; i++) {
    difference |= digest.charCodeAt(i) ^ (buffer[at + i] as number);
  }
  return difference === 0;
}

/** Pads `buffer[start .. start + lengthBytes)` to whole blocks; returns the new end. RFC 5652 section 6.3. */
export function addPkcs7(buffer: Buffer, start: number, lengthBytes: number): number {
  const padBytes = BLOCK_BYTES - (lengthBytes % BLOCK_BYTES);
  const from = start + lengthBytes;
  for (let i = from; i < from + padBytes; i++) buffer[i] = padBytes;
  return from + padBytes;
}

/** End of the plaintext in `buffer[start..end)`, or -1 when the padding is not PKCS#7. */
export function removePkcs7(buffer: Buffer, start: number, end: number): number {
  const padBytes = buffer[end - 1] as number;
  if (padBytes === 0 || padBytes > BLOCK_BYTES || padBytes > end - start) return -1;
  let difference = 0;
  for (let i = end - padBytes; i < end; i++) difference |= (buffer[i] as number) ^ padBytes;
  return difference === 0 ? end - padBytes : -1;
}
