// What a team writes without a library: AES-256-GCM on node:crypto, once well and once as usually seen.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  randomFillSync,
} from "node:crypto";

export interface TextCipher {
  encrypt(text: string): string;
  decrypt(stored: string): string;
}

/** A KeyObject made once, nonces from a pool, associated data and the tag length given. */
export function wellWrittenGcm(keyBytes: Buffer, context: string): TextCipher {
  const key = createSecretKey(keyBytes);
  const associatedData = Buffer.from(context);
  const pool = Buffer.allocUnsafeSlow(4096);
  let used = pool.length;
  const nextNonce = (): Buffer => {
    if (used + 12 > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const nonce = Buffer.allocUnsafe(12);
    pool.copy(nonce, 0, used, used + 12);
    used += 12;
    return nonce;
  };
  return {
    encrypt(text) {
      const nonce = nextNonce();
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
      cipher.setAAD(associatedData);
      const ciphertext = cipher.update(text, "utf8");
      cipher.final();
      return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString("base64");
    },
    decrypt(stored) {
      const bytes = Buffer.from(stored, "base64");
      const tagAt = bytes.length - 16;
      const nonce = bytes.subarray(0, 12);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
      decipher.setAAD(associatedData);
      decipher.setAuthTag(bytes.subarray(tagAt));
      const text = decipher.update(bytes.subarray(12, tagAt));
      decipher.final();
      return text.toString("utf8");
    },
  };
}

/** The key as a Buffer, a random call per value, no associated data. */
export function usualGcm(key: Buffer): TextCipher {
  return {
    encrypt(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]).toString("base64");
    },
    decrypt(stored) {
      const bytes = Buffer.from(stored, "base64");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(bytes.length - 16));
      const ciphertext = bytes.subarray(12, bytes.length - 16);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
    },
  };
}
