// From a root key to a suite's engine for one column, made once: derivation costs 6 to 9 us, a value 2 us.
import { encodeColumn, type ColumnContext } from "./context.ts";
import { SUITE_IDS, type SuiteName } from "./envelope.ts";
import { deriveKeyBytes, materialOf, type Key } from "./key.ts";
import type { Aead } from "./suites/aead.ts";
import { CBC_HMAC_KEY_BYTES, CbcHmac } from "./suites/cbc-hmac.ts";
import { Gcm, GCM_KEY_BYTES } from "./suites/gcm.ts";
import { LegacyCbc } from "./suites/legacy-cbc.ts";
import { Siv, SIV_KEY_BYTES } from "./suites/siv.ts";

const SUITES: Record<
  SuiteName,
  { readonly keyBytes: number; readonly create: (keyBytes: Buffer) => Aead }
> = {
  "A256CBC-HS256": { keyBytes: CBC_HMAC_KEY_BYTES, create: (key) => new CbcHmac("sha256", key) },
  "A256CBC-HS512": { keyBytes: CBC_HMAC_KEY_BYTES, create: (key) => new CbcHmac("sha512", key) },
  A256GCM: { keyBytes: GCM_KEY_BYTES, create: (key) => new Gcm(key) },
  A256SIV: { keyBytes: SIV_KEY_BYTES, create: (key) => new Siv(key) },
};

/** A new engine for a suite, key and column. The row of a context takes no part in derivation. */
export function columnAead(suite: SuiteName, key: Key, context: ColumnContext): Aead {
  const keyBytes = columnKeyBytes(suite, key, context);
  try {
    return SUITES[suite].create(keyBytes);
  } finally {
    keyBytes.fill(0);
  }
}

export function columnKeyBytes(suite: SuiteName, key: Key, context: ColumnContext): Buffer {
  return deriveKeyBytes(key, {
    purpose: "encrypt",
    suiteId: SUITE_IDS[suite],
    context: encodeColumn(context),
    lengthBytes: SUITES[suite].keyBytes,
  });
}

/** The legacy layout takes the root key itself: that is what the older systems did. */
export function legacyCbc(key: Key): LegacyCbc {
  return new LegacyCbc(materialOf(key));
}
