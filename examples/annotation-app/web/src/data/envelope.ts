// Takes a stored value apart for showing, by the published layout: magic, suite, key id, content byte, IV or nonce,
// ciphertext, tag. Nothing here can decrypt.

export type PartName = "magic" | "suite" | "key-id" | "content" | "iv" | "ciphertext" | "tag";

export interface EnvelopePart {
  readonly name: PartName;
  readonly bytes: Uint8Array;
  /** Index of the first byte within the envelope. */
  readonly offset: number;
}

export interface Envelope {
  readonly parts: readonly EnvelopePart[];
  readonly suite: string;
  readonly keyId: string;
  readonly lengthBytes: number;
}

interface Suite {
  readonly name: string;
  readonly ivBytes: number;
  readonly tagBytes: number;
  /** A256SIV puts its tag, the synthetic IV, in front of the ciphertext. */
  readonly isTagFirst: boolean;
}

const MAGIC = [0xf5, 0x5e, 0xa1] as const;
const HEADER_BYTES = 9;
const SUITES: Readonly<Record<number, Suite>> = {
  1: { name: "A256CBC-HS256", ivBytes: 16, tagBytes: 32, isTagFirst: false },
  2: { name: "A256CBC-HS512", ivBytes: 16, tagBytes: 32, isTagFirst: false },
  3: { name: "A256GCM", ivBytes: 12, tagBytes: 16, isTagFirst: false },
  4: { name: "A256SIV", ivBytes: 0, tagBytes: 16, isTagFirst: true },
};

/** The parts of a stored value, or null when it is no envelope: plaintext, or something older. */
export function parseEnvelope(bytes: Uint8Array): Envelope | null {
  const suite = SUITES[bytes[3] ?? 0];
  const isMagic = MAGIC.every((byte, index) => bytes[index] === byte);
  if (!isMagic || !suite) return null;
  if (bytes.length < HEADER_BYTES + suite.ivBytes + suite.tagBytes) return null;
  const bodyBytes = bytes.length - HEADER_BYTES - suite.ivBytes - suite.tagBytes;
  const tail: readonly (readonly [PartName, number])[] = suite.isTagFirst
    ? [
        ["tag", suite.tagBytes],
        ["ciphertext", bodyBytes],
      ]
    : [
        ["iv", suite.ivBytes],
        ["ciphertext", bodyBytes],
        ["tag", suite.tagBytes],
      ];
  const layout = [["magic", 3], ["suite", 1], ["key-id", 4], ["content", 1], ...tail] as const;
  let offset = 0;
  const parts = layout.map(([name, length]) => {
    const part = { name, offset, bytes: bytes.subarray(offset, offset + length) };
    offset += length;
    return part;
  });
  return {
    parts,
    suite: suite.name,
    keyId: toHex(bytes.subarray(4, 8)),
    lengthBytes: bytes.length,
  };
}

/** Bytes of standard base64, or null when the text is none. */
export function fromBase64(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
