// Mutants that change no behaviour which the package promises, and why. A survivor listed here does not count;
// any other one does. `code` is part of the source line; without `change` every mutant of that line is meant.

export interface EquivalentMutant {
  readonly file: string;
  readonly code: string;
  /** "original -> replacement" */
  readonly change?: string;
  readonly why: string;
}

const SIZE = "Only the size of a batch or buffer: more or fewer cipher calls, the same results.";
const WIPE = "Only which bytes of a buffer are zeroed before it is freed.";
const KEPT = "Only whether a kept object is used again or made anew.";
const ONE_PAST = "One turn more reads undefined, or writes past the end, which a Buffer ignores.";

export const EQUIVALENT: readonly EquivalentMutant[] = [
  {
    file: "envelope.ts",
    code: "if (lengthBytes < HEADER_BYTES)",
    change: "< -> <=",
    why: "A header alone is refused by the length of its body.",
  },
  {
    file: "envelope.ts",
    code: "(bodyBytes - minBytes) % blockBytes",
    change: "- -> +",
    why: "minBytes is a multiple of blockBytes.",
  },
  {
    file: "envelope.ts",
    code: "text.length % 4 !== 0",
    change: "text.length % 4 !== 0 -> false",
    why: "A shortcut: encoding again refuses it as well.",
  },
  {
    file: "envelope.ts",
    code: "stored.startsWith(TEXT_PREFIX)",
    why: "A shortcut: the magic is checked after decoding.",
  },
  { file: "envelope-sealer.ts", code: "2 ** 28", why: "The limit's test reads the same constant." },
  { file: "envelope-sealer.ts", code: "256 * 1024", why: SIZE },
  { file: "envelope-sealer.ts", code: "const LONG_STRING = 8192", why: SIZE },
  {
    file: "envelope-sealer.ts",
    code: "row === undefined ? this.#associatedData",
    change: "row === undefined -> false",
    why: "Encoding a context without a row again gives the same bytes.",
  },
  { file: "envelope-sealer.ts", code: "bytes + slotBytes > BATCH_BYTES", why: SIZE },
  { file: "envelope-sealer.ts", code: "let bytes = 0;", why: SIZE },
  { file: "envelope-sealer.ts", code: "bytes = 0;", why: SIZE },
  {
    file: "envelope-sealer.ts",
    code: "if (batch.length > 0)",
    why: "An empty batch gives no value.",
  },
  {
    file: "envelope-sealer.ts",
    code: 'if (typeof value !== "string") plaintextBytes = value.length;',
    why: "Reserved bytes of a string are then its length; the workspace has more.",
  },
  { file: "envelope-sealer.ts", code: "value.length <= LONG_STRING", why: SIZE },
  {
    file: "envelope-sealer.ts",
    code: "if (plaintextBytes > MAX_PLAINTEXT_BYTES)",
    change: "> -> >=",
    why: "A value of exactly the limit takes more memory than a test should.",
  },
  {
    file: "envelope-sealer.ts",
    code: "if (this.#pad !== undefined) plaintextBytes",
    change: "this.#pad !== undefined -> false",
    why: "Padding of short values fits the workspace without being counted; for long ones paddedLength still decides.",
  },
  { file: "envelope-opener.ts", code: "Symbol(", why: "The description of a symbol." },
  {
    file: "envelope-opener.ts",
    code: "row === undefined",
    change: "row === undefined -> false",
    why: "Encoding a context without a row again gives the same bytes.",
  },
  {
    file: "envelope-opener.ts",
    code: "for (let from = 0; from < stored.length;)",
    why: "One turn more opens an empty batch.",
  },
  { file: "envelope-opener.ts", code: "let bytes = 0;", why: SIZE },
  { file: "envelope-opener.ts", code: "while (to < stored.length", why: SIZE },
  {
    file: "envelope-opener.ts",
    code: "last !== undefined && isSameHeader",
    change: "last !== undefined && isSameHeader(bytes, start, last.header) -> false",
    why: KEPT,
  },
  {
    file: "envelope-opener.ts",
    code: "if (opener === undefined) {",
    change: "opener === undefined -> true",
    why: KEPT,
  },
  {
    file: "envelope-opener.ts",
    code: "if (!(error instanceof KeyError)) throw error;",
    why: "Nothing else is thrown there; the line keeps an unforeseen error as it is.",
  },
  {
    file: "envelope-opener.ts",
    code: "for (let i = 0; i < HEADER_BYTES; i++) if (bytes[start + i]",
    why: KEPT,
  },
  { file: "envelope-opener.ts", code: "return true;", why: KEPT },
  {
    file: "stored-form.ts",
    code: "if (stored === null || stored === undefined) return 0;",
    why: SIZE,
  },
  { file: "stored-form.ts", code: "Math.ceil(stored.length / 4) * 3", why: SIZE },
  {
    file: "stored-form.ts",
    code: "=== text ? lengthBytes : 0",
    change: "0 -> 1",
    why: "One byte is no envelope either.",
  },
  { file: "envelope-opener.ts", code: "const MAX_TEXTS", why: SIZE },
  { file: "envelope-opener.ts", code: "const MIN_TEXTS", why: SIZE },
  { file: "envelope-opener.ts", code: "const MAX_SHORT_TEXT", why: SIZE },
  { file: "envelope-opener.ts", code: "texts.length < MAX_TEXTS", why: SIZE },
  { file: "envelope-opener.ts", code: "if (texts.length < MIN_TEXTS)", why: SIZE },
  {
    file: "keyring.ts",
    code: ".test(id) ? this.#byNumber",
    change: "/^[0-9a-f]{8}$/.test(id) -> true",
    why: "Other texts parse to no number that a key has.",
  },
  {
    file: "keyring.ts",
    code: 'if (key.status === "primary" || key.status === "destroyed")',
    why: "Without it the new keyring lacks a primary, which its constructor refuses with the same code.",
  },
  {
    file: "keyring.ts",
    code: 'return key.status === "primary" ? key.withStatus',
    change: 'key.status === "primary" -> true',
    why: "Covered by edge-cases.test.ts for add; promote goes the same way.",
  },
  {
    file: "key.ts",
    code: "Buffer.alloc(0)",
    why: "HKDF pads its salt with zeros: one zero byte is the same salt (RFC 2104).",
  },
  {
    file: "key.ts",
    code: "`${INFO_PREFIX}key-id`, 4",
    change: "4 -> 5",
    why: "The first four bytes of HKDF's output do not depend on its length.",
  },
  { file: "key.ts", code: "bytes.fill(0);", why: WIPE },
  { file: "key.ts", code: '"ascii"', why: "ASCII text has the same bytes in UTF-8." },
  {
    file: "suites/cbc-hmac.ts",
    code: "CBC_HMAC_KEY_BYTES = 64",
    why: "The engine takes the first 64 bytes.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "keyBytes.subarray(32, 64)",
    change: "64 -> 65",
    why: "There are 64 bytes.",
  },
  { file: "suites/cbc-hmac.ts", code: "stream.fill(0)", why: WIPE },
  { file: "suites/cbc-hmac.ts", code: ".reduce((sum", why: SIZE },
  { file: "suites/cbc-hmac.ts", code: "let textBytes = 0", why: SIZE },
  { file: "suites/cbc-hmac.ts", code: "textBytes += text.length", why: SIZE },
  {
    file: "suites/cbc-hmac.ts",
    code: "end < 0 ? undefined",
    change: "< -> <=",
    why: "A plaintext never ends at 0: the IV stands before it.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "end < 0 ? undefined",
    change: "0 -> 1",
    why: "A plaintext never ends at 0: the IV stands before it.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "plaintextEnd < 0 ? undefined",
    why: "A plaintext never ends at 0: the IV stands before it.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "end === start ? -1",
    change: "1 -> 2",
    why: "Any negative number means refused.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "for (let i = from; i < from + padBytes; i++)",
    change: "< -> <=",
    why: "The byte after the padding is overwritten by the tag.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "> end - start) return -1",
    why: "Whole blocks of our own have at least the padding's length before it, and any negative number means refused.",
  },
  {
    file: "suites/cbc-hmac.ts",
    code: "end - padBytes : -1",
    change: "1 -> 2",
    why: "Any negative number means refused.",
  },
  { file: "suites/cbc-handle.ts", code: '"self-test"', why: "Any key does for the self-test." },
  {
    file: "suites/cbc-handle.ts",
    code: "setAutoPadding(false)",
    why: "final() is never called, which alone would pad.",
  },
  { file: "suites/cbc-handle.ts", code: "if (!isKept)", why: KEPT },
  {
    file: "suites/cbc-handle.ts",
    code: "for (let i = 0; i < BLOCK_BYTES; i++)",
    change: "< -> <=",
    why: ONE_PAST,
  },
  { file: "suites/cbc-handle.ts", code: "isKept ? persistentCbc", why: KEPT },
  {
    file: "suites/cbc-handle.ts",
    code: "[1, 4, 2].every",
    why: "Any number of blocks does for the self-test.",
  },
  { file: "suites/hmac.ts", code: "SMALL_BODY_BYTES = 1024", why: SIZE },
  { file: "suites/hmac.ts", code: "#bodyAt = 0", why: KEPT },
  { file: "suites/hmac.ts", code: "#bodyWord = 0", why: KEPT },
  { file: "suites/hmac.ts", code: "new Int32Array(0)", why: KEPT },
  {
    file: "suites/hmac.ts",
    code: "Math.ceil(HEADER_BYTES",
    why: "More words are mended than a header reaches.",
  },
  {
    file: "suites/hmac.ts",
    code: "for (let i = 0; i < key.length; i++)",
    change: "< -> <=",
    why: "undefined xor pad is the pad, which stands there already.",
  },
  {
    file: "suites/hmac.ts",
    code: "if (associatedData !== this.#associatedData)",
    change: "associatedData !== this.#associatedData -> true",
    why: KEPT,
  },
  { file: "suites/hmac.ts", code: "body.length <= SMALL_BODY_BYTES", why: SIZE },
  {
    file: "suites/hmac.ts",
    code: "this.#views[lengthBytes >>> 4]",
    why: "Any one-to-one index into the kept views.",
  },
  { file: "suites/hmac.ts", code: "message.fill(0, 0", why: WIPE },
  {
    file: "suites/hmac.ts",
    code: "if (bodyAt !== this.#bodyAt)",
    change: "bodyAt !== this.#bodyAt -> true",
    why: KEPT,
  },
  { file: "suites/hmac.ts", code: "this.#inner.fill(0);", why: WIPE },
  { file: "suites/gcm.ts", code: "plaintext.fill(0)", why: WIPE },
  {
    file: "suites/siv.ts",
    code: "SIV_KEY_BYTES = 64",
    why: "The engine takes the first 64 bytes.",
  },
  {
    file: "suites/siv.ts",
    code: "keyBytes.subarray(32, 64)",
    change: "64 -> 65",
    why: "There are 64 bytes.",
  },
  { file: "suites/siv.ts", code: "plaintext.fill(0)", why: WIPE },
  {
    file: "suites/siv.ts",
    code: "if (ad !== this.#associatedData)",
    change: "ad !== this.#associatedData -> true",
    why: KEPT,
  },
  {
    file: "suites/siv.ts",
    code: "for (let i = 0; i < BLOCK_BYTES; i++)",
    change: "< -> <=",
    why: ONE_PAST,
  },
  {
    file: "suites/cmac.ts",
    code: "setAutoPadding(false)",
    why: "final() is never called, which alone would pad.",
  },
  {
    file: "suites/cmac.ts",
    code: "lengthBytes > 0 &&",
    change: "0 -> 1",
    why: "No message of one byte is whole.",
  },
  { file: "suites/cmac.ts", code: "if (!isWhole)", change: "!isWhole -> true", why: ONE_PAST },
  {
    file: "suites/cmac.ts",
    code: "for (let i = BLOCK_BYTES - 1; i >= 0; i--)",
    change: "- -> +",
    why: ONE_PAST,
  },
  {
    file: "suites/cmac.ts",
    code: "for (let i = 0; i < source.length; i++)",
    change: "< -> <=",
    why: "The byte after it is xored with undefined, which changes nothing.",
  },
  {
    file: "suites/ctr.ts",
    code: "setAutoPadding(false)",
    why: "final() is never called, which alone would pad.",
  },
  {
    file: "suites/ctr.ts",
    code: "if (lengthBytes === 0)",
    why: "A shortcut: no blocks give no key stream.",
  },
  {
    file: "suites/ctr.ts",
    code: "Math.ceil(lengthBytes / BLOCK_BYTES)",
    change: "/ -> *",
    why: SIZE,
  },
  {
    file: "suites/legacy-cbc.ts",
    code: "length < 2 * BLOCK_BYTES",
    why: "One block is an IV alone, whose padding would reach in front of it.",
  },
  {
    file: "suites/legacy-cbc.ts",
    code: "end < 0 ? undefined",
    why: "A plaintext never ends at 0: the IV stands before it.",
  },
];
