// Suite 0x03: AES-256-GCM with a random 96-bit nonce. Body: nonce[12] | ciphertext | tag[16].
// @see NIST SP 800-38D section 8.3: at most 2^32 values per key with random nonces
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { fillRandom } from "../random-pool.ts";
import { OneByOneAead, type BodyRange, type PlaintextReader } from "./aead.ts";
import type { FillRandom } from "./cbc-hmac.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Without it Node accepts tags cut to 4 bytes. */
const GCM_OPTIONS = { authTagLength: TAG_BYTES } as const;
export const GCM_KEY_BYTES = 32;

export class Gcm extends OneByOneAead {
  readonly plaintextAt = NONCE_BYTES;
  readonly overheadBytes: number = NONCE_BYTES + TAG_BYTES;
  readonly #key: KeyObject;
  readonly #fillRandom: FillRandom;

  /** @param keyBytes 32 bytes */
  constructor(keyBytes: Buffer, random: FillRandom = fillRandom) {
    super();
    this.#key = createSecretKey(keyBytes);
    this.#fillRandom = random;
  }

  seal(buffer: Buffer, start: number, plaintextBytes: number, ad: Buffer): number {
    const from = start + NONCE_BYTES;
    const end = from + plaintextBytes;
    this.#fillRandom(buffer, start, NONCE_BYTES);
    const nonce = buffer.subarray(start, from);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce, GCM_OPTIONS).setAAD(ad);
    buffer.set(cipher.update(buffer.subarray(from, end)), from);
    cipher.final();
    buffer.set(cipher.getAuthTag(), end);
    return NONCE_BYTES + plaintextBytes + TAG_BYTES;
  }

  open<T>(buffer: Buffer, body: BodyRange, ad: Buffer, read: PlaintextReader<T>): T | undefined {
    const from = body.start + NONCE_BYTES;
    const tagAt = body.start + body.lengthBytes - TAG_BYTES;
    const nonce = buffer.subarray(body.start, from);
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, GCM_OPTIONS)
      .setAAD(ad)
      .setAuthTag(buffer.subarray(tagAt, tagAt + TAG_BYTES));
    const plaintext = decipher.update(buffer.subarray(from, tagAt));
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      return undefined;
    }
    return read(plaintext, 0, plaintext.length);
  }
}
