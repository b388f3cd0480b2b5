// The envelope, version 1: the one place that knows magic, offsets and ids.
// Specified in docs/reference/format.md; changing anything here is a new format version.

/** F5 is no valid first byte of UTF-8, so no text column holds it by chance; 5E A1 reads "seal". */
export const MAGIC: readonly [number, number, number] = [0xf5, 0x5e, 0xa1];
export const SUITE_AT = 3;
export const KEY_ID_AT = 4;
export const CONTENT_AT = 8;
/** Nine bytes, so that the header is exactly twelve base64 characters: SQL can match a key by prefix. */
export const HEADER_BYTES = 9;
/** What every stored text of this version begins with: base64 of {@link MAGIC}. */
export const TEXT_PREFIX = "9V6h";

export const SUITE_IDS = {
  "A256CBC-HS256": 0x01,
  "A256CBC-HS512": 0x02,
  A256GCM: 0x03,
  A256SIV: 0x04,
} as const;

/** Authenticated suites. The unauthenticated legacy layout has no header and is not one of them. */
export type SuiteName = keyof typeof SUITE_IDS;
export const SUITE_NAMES = Object.keys(SUITE_IDS) as readonly SuiteName[];

export const CONTENT_TYPES = { bytes: 0, text: 1, json: 2, base64: 3 } as const;
export type ContentType = keyof typeof CONTENT_TYPES;
const CONTENT_NAMES = Object.keys(CONTENT_TYPES) as readonly ContentType[];

/** Bit 4 of the content byte: the plaintext carries ISO/IEC 7816-4 padding (see padding.ts). */
export const PADDED_FLAG = 0x10;

export interface EnvelopeHeader {
  readonly suite: SuiteName;
  /** First four bytes of the key id, as an unsigned number. */
  readonly keyId: number;
  readonly content: ContentType;
  readonly isPadded: boolean;
}

/** Sizes of a body (nonce or IV, ciphertext, tag), in bytes; `blockBytes` is the step of the ciphertext. */
const BODY_SIZES: Record<SuiteName, { minBytes: number; blockBytes: number }> = {
  "A256CBC-HS256": { minBytes: 16 + 16 + 32, blockBytes: 16 },
  "A256CBC-HS512": { minBytes: 16 + 16 + 32, blockBytes: 16 },
  A256GCM: { minBytes: 12 + 16, blockBytes: 1 },
  A256SIV: { minBytes: 16, blockBytes: 1 },
};

export function encodeHeader(header: EnvelopeHeader): Buffer {
  const out = Buffer.allocUnsafeSlow(HEADER_BYTES);
  out.set(MAGIC, 0);
  out[SUITE_AT] = SUITE_IDS[header.suite];
  out.writeUInt32BE(header.keyId, KEY_ID_AT);
  out[CONTENT_AT] = CONTENT_TYPES[header.content] | (header.isPadded ? PADDED_FLAG : 0);
  return out;
}

/**
 * Reads the header of an envelope that occupies `buffer[start .. start + lengthBytes)`.
 * Undefined when magic, suite, reserved bits or the length are not possible in version 1.
 */
export function parseHeader(
  buffer: Buffer,
  start: number,
  lengthBytes: number,
): EnvelopeHeader | undefined {
  if (lengthBytes < HEADER_BYTES) return undefined;
  const header = readHeader(buffer, start);
  if (header === undefined || !isPossibleBodyLength(header.suite, lengthBytes - HEADER_BYTES))
    return undefined;
  return header;
}

function readHeader(buffer: Buffer, start: number): EnvelopeHeader | undefined {
  if (MAGIC.some((byte, i) => buffer[start + i] !== byte)) return undefined;
  const suite = SUITE_NAMES[(buffer[start + SUITE_AT] as number) - 1];
  const contentByte = buffer[start + CONTENT_AT] as number;
  const content = CONTENT_NAMES[contentByte & 0x0f];
  if (suite === undefined || content === undefined || (contentByte & 0xe0) !== 0) return undefined;
  return {
    suite,
    keyId: buffer.readUInt32BE(start + KEY_ID_AT),
    content,
    isPadded: (contentByte & PADDED_FLAG) !== 0,
  };
}

/** Whether a body of this suite can have this length. */
export function isPossibleBodyLength(suite: SuiteName, bodyBytes: number): boolean {
  const { minBytes, blockBytes } = BODY_SIZES[suite];
  return bodyBytes >= minBytes && (bodyBytes - minBytes) % blockBytes === 0;
}

/** Key ids are shown as eight lower-case hex digits. */
export function formatKeyId(keyId: number): string {
  return keyId.toString(16).padStart(8, "0");
}

/**
 * Decodes canonical standard base64 with padding; undefined for anything else (URL alphabet, white space,
 * missing padding, non-zero trailing bits). Strict, because two texts for one value would defeat UNIQUE.
 * @see RFC 4648 section 3.5
 */
export function decodeCanonicalBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined;
  // Not from Node's pool: what a base64 column is given to encrypt comes through here too.
  const bytes = Buffer.allocUnsafeSlow((text.length / 4) * 3 - paddingOf(text));
  const lengthBytes = bytes.write(text, "base64");
  return lengthBytes === bytes.length && bytes.toString("base64") === text ? bytes : undefined;
}

function paddingOf(text: string): number {
  if (text.endsWith("==")) return 2;
  return text.endsWith("=") ? 1 : 0;
}

/** An envelope's header and bytes, from either stored form; undefined when the value is not one. */
export function parseEnvelope(
  stored: string | Uint8Array,
): { readonly header: EnvelopeHeader; readonly bytes: Buffer } | undefined {
  const bytes =
    typeof stored === "string"
      ? stored.startsWith(TEXT_PREFIX)
        ? decodeCanonicalBase64(stored)
        : undefined
      : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const header = bytes && parseHeader(bytes, 0, bytes.length);
  return bytes && header && { header, bytes };
}

/**
 * Whether a value begins as an envelope and is none: cut off, lengthened, moved behind white space, or plaintext that
 * happens to begin so. A reader takes it for plaintext; who vouches for a column must not.
 */
export function isMalformedEnvelope(stored: string | Uint8Array): boolean {
  const begins =
    typeof stored === "string"
      ? stored.startsWith(TEXT_PREFIX) || BEHIND_WHITE_SPACE.test(stored)
      : MAGIC.every((byte, i) => stored[i] === byte);
  return begins && parseEnvelope(stored) === undefined;
}

const BEHIND_WHITE_SPACE = new RegExp(`^\\s+${TEXT_PREFIX}`);

/**
 * The first twelve characters of every text envelope of a suite, key and content type: what
 * `WHERE column LIKE prefix || '%'` and CHECK constraints match.
 */
export function textPrefix(header: EnvelopeHeader): string {
  return encodeHeader(header).toString("base64");
}

/**
 * What {@link textPrefix} encodes; undefined when it is no header of this version. For surveys that let the database
 * count values by their first twelve characters.
 */
export function parseTextPrefix(prefix: string): EnvelopeHeader | undefined {
  const bytes = decodeCanonicalBase64(prefix);
  return bytes?.length === HEADER_BYTES ? readHeader(bytes, 0) : undefined;
}
