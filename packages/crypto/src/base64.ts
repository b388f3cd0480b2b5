// Canonical base64, checked without encoding again: in two parts, so that the first runs once for many texts.
// Both together accept what `Buffer.from(text, "base64").toString("base64") === text` accepts.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) =>
  Math.max(0, ALPHABET.indexOf(String.fromCharCode(code))),
);
const PADDING = 0x3d;

/**
 * Whether no text has a character that Buffer's lenient decoder takes for one of the alphabet: `-` and `_`, and
 * those outside ASCII, of which it sees the low byte only. Others it skips, which shows in the decoded length.
 */
export function areInAlphabet(texts: readonly string[]): boolean {
  const all = texts.join("");
  return Buffer.byteLength(all) === all.length && !all.includes("-") && !all.includes("_");
}

/** Whether a text of the alphabet decodes to as many bytes as its length says, with no stray bits at its end. */
export function hasCanonicalEnd(text: string, decodedBytes: number): boolean {
  const { length } = text;
  if (length % 4 !== 0) return false;
  const last = text.charCodeAt(length - 1);
  if (last !== PADDING) return decodedBytes === (length / 4) * 3;
  const padding = text.charCodeAt(length - 2) === PADDING ? 2 : 1;
  if (decodedBytes !== (length / 4) * 3 - padding) return false;
  const strayBits = padding === 1 ? 0b11 : 0b1111;
  return ((VALUES[text.charCodeAt(length - 1 - padding)] ?? 0) & strayBits) === 0;
}
