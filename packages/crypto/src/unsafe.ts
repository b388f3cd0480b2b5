// What can break the promises of this package when misused. Its own subpath, so that a search for
// "crypto/unsafe" finds every use.
import { createCipheriv, type KeyObject } from "node:crypto";
import { columnKeyBytes } from "./column-keys.ts";
import { encodeContext, parseContext, type ContextInput } from "./context.ts";
import { encodeHeader, HEADER_BYTES, type ContentType, type SuiteName } from "./envelope.ts";
import { exportMaterial } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import { plainKeyset, type KeysetJson } from "./keyset.ts";
import { addPadding, paddedLength, type PadOption } from "./padding.ts";
import type { Aead } from "./suites/aead.ts";
import { freshCbc, type CbcHandle } from "./suites/cbc-handle.ts";
import { CbcHmac } from "./suites/cbc-hmac.ts";
import { Gcm } from "./suites/gcm.ts";
import { Siv } from "./suites/siv.ts";

/** The keyset with its root keys in the clear. Write it to nothing but a file with mode 0600 or a vault. */
export function exportKeyset(keyring: Keyring): KeysetJson {
  return plainKeyset(keyring);
}

/** The 32 bytes of one root key; undefined when the keyring lacks it or it is destroyed. Zero them after use. */
export function exportRootKey(keyring: Keyring, keyId: string): Buffer | undefined {
  const key = keyring.get(keyId);
  return key && exportMaterial(key)?.export();
}

export interface FixedNonceOptions {
  readonly keyring: Keyring;
  readonly context: ContextInput;
  readonly suite: SuiteName;
  readonly content: ContentType;
  readonly pad?: PadOption;
  /** 16 bytes (IV) for the CBC suites, 12 (nonce) for GCM, none for SIV. Twice the same breaks confidentiality. */
  readonly nonce: Uint8Array;
}

/** An envelope with a chosen IV or nonce, for known-answer tests of this format in any language. */
export function sealWithFixedNonce(plaintext: Uint8Array, options: FixedNonceOptions): Buffer {
  const { keyring, suite, content, pad, nonce } = options;
  const context = parseContext(options.context);
  const isPadded = pad !== undefined;
  const header = encodeHeader({ suite, keyId: keyring.primary.idNumber, content, isPadded });
  const aead = fixedNonceAead(
    suite,
    columnKeyBytes(suite, keyring.primary, context),
    Buffer.from(nonce),
  );
  const paddedBytes = isPadded ? paddedLength(plaintext.length, pad) : plaintext.length;
  const envelope = Buffer.alloc(HEADER_BYTES + paddedBytes + aead.overheadBytes);
  const plaintextAt = HEADER_BYTES + aead.plaintextAt;
  envelope.set(header);
  envelope.set(plaintext, plaintextAt);
  if (isPadded) addPadding(envelope, plaintextAt, plaintext.length, pad);
  const ad = Buffer.concat([header, encodeContext(context)]);
  const bodyBytes = aead.seal(envelope, HEADER_BYTES, paddedBytes, ad);
  return envelope.subarray(0, HEADER_BYTES + bodyBytes);
}

function fixedNonceAead(suite: SuiteName, keyBytes: Buffer, nonce: Buffer): Aead {
  const fill = (target: Buffer, at: number, lengthBytes: number): void => {
    if (nonce.length !== lengthBytes) {
      throw new RangeError(`The suite ${suite} takes a nonce of ${lengthBytes} bytes.`);
    }
    target.set(nonce, at);
  };
  switch (suite) {
    case "A256CBC-HS256":
      return new CbcHmac("sha256", keyBytes, firstBlockIsIv, fill);
    case "A256CBC-HS512":
      return new CbcHmac("sha512", keyBytes, firstBlockIsIv, fill);
    case "A256GCM":
      return new Gcm(keyBytes, fill);
    case "A256SIV":
      return new Siv(keyBytes);
  }
}

/** CBC as textbooks write it: the first block goes out as it came in, and is the IV. */
function firstBlockIsIv(key: KeyObject): CbcHandle {
  return {
    encrypt(ivThenPlaintext) {
      const iv = ivThenPlaintext.subarray(0, 16);
      const cipher = createCipheriv("aes-256-cbc", key, iv).setAutoPadding(false);
      return Buffer.concat([iv, cipher.update(ivThenPlaintext.subarray(16))]);
    },
    decrypt: (ivThenCiphertext) => freshCbc(key).decrypt(ivThenCiphertext),
  };
}
