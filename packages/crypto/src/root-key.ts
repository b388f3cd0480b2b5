// From text or bytes to 32 key bytes, and what is refused on the way: a weak key is worse than none, because
// everything seems to work.
import { createHash, randomBytes } from "node:crypto";
import { KeyError } from "./errors.ts";
import { decodeCanonicalBase64 } from "./envelope.ts";

export const ROOT_KEY_BYTES = 32;

/** 64 hex digits, base64 or base64url of 32 bytes, or the bytes themselves. */
export type RootKeyInput = string | Uint8Array;

const FIX = "Make one with `npx fieldseal keygen` or `openssl rand -hex 32`.";

/** A new random root key, as 64 hex digits. */
export function generateRootKey(): string {
  return randomBytes(ROOT_KEY_BYTES).toString("hex");
}

/**
 * Parses and checks a root key. `source` names where it came from ("ENCRYPTION_KEY"), for the message.
 * @throws {@link KeyError} `ERR_KEY_FORMAT` or `ERR_KEY_WEAK`; the message holds nothing of the key.
 */
export function parseRootKey(input: RootKeyInput, source: string): Buffer {
  const bytes = typeof input === "string" ? decodeKeyText(input.trim()) : Buffer.from(input);
  if (bytes?.length !== ROOT_KEY_BYTES) {
    throw new KeyError(
      "ERR_KEY_FORMAT",
      `${source} must be 32 bytes, written as 64 hex digits or as base64. ${FIX}`,
    );
  }
  const weakness = findWeakness(bytes);
  if (weakness !== undefined) {
    bytes.fill(0);
    throw new KeyError("ERR_KEY_WEAK", `${source} is refused: ${weakness}. ${FIX}`);
  }
  return bytes;
}

function decodeKeyText(text: string): Buffer | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex");
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/").padEnd(44, "=");
  return decodeCanonicalBase64(standard);
}

function findWeakness(bytes: Buffer): string | undefined {
  if (KNOWN_KEYS.has(fingerprint(bytes))) return "this key is printed in documentation";
  if (isArithmetic(bytes)) return "its bytes are all equal or count up or down";
  if (hasShortPeriod(bytes)) return "its bytes repeat after 16 bytes or fewer";
  if (bytes.every((byte) => byte >= 0x20 && byte <= 0x7e)) {
    return "its bytes are all printable ASCII, so it is a passphrase and not 32 random bytes";
  }
  return undefined;
}

function isArithmetic(bytes: Buffer): boolean {
  const step = ((bytes[1] as number) - (bytes[0] as number)) & 0xff;
  return bytes.every((byte, i) => i === 0 || ((byte - (bytes[i - 1] as number)) & 0xff) === step);
}

function hasShortPeriod(bytes: Buffer): boolean {
  for (let period = 1; period <= ROOT_KEY_BYTES / 2; period++) {
    if (bytes.every((byte, i) => i < period || byte === bytes[i - period])) return true;
  }
  return false;
}

function fingerprint(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * SHA-256 of keys that stand in our documentation and in public test vectors:
 * docs/reference/format.md's worked example, and NIST SP 800-38A's AES-256 key.
 */
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  "209228bfa33b4067b6b368b61d90c2c384342a8a9684649a8ebc1191181b0e59",
  "b93c72b74bc8487d29827005f80d635918f91bc22b14d7ed05714d58f96702dd",
]);
