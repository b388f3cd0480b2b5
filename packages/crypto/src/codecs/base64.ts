import { decodeCanonicalBase64 } from "../envelope.ts";
import { ValueTypeError } from "../errors.ts";
import { readUtf8, type ValueCodec } from "./codec.ts";
import { kindOf } from "./text.ts";

/** Canonical base64 text (RFC 4648 section 4), encrypted as the bytes it stands for. */
export const base64Codec: ValueCodec<string> = {
  content: "base64",
  storage: "text",
  encode: decodeValue,
  read: (buffer, start, end) => buffer.toString("base64", start, end),
  // Older systems encrypted the base64 text itself.
  encodeLegacy: (value, where) => {
    decodeValue(value, where);
    return value as string;
  },
  readLegacy(buffer, start, end) {
    const text = readUtf8(buffer, start, end);
    return text !== undefined && decodeCanonicalBase64(text) ? text : undefined;
  },
  isEqual: (a, b) => a === b,
};

function decodeValue(value: unknown, where: string): Buffer {
  if (typeof value !== "string") {
    throw new ValueTypeError("ERR_VALUE_TYPE", `${where} takes base64 text, not ${kindOf(value)}.`);
  }
  const bytes = decodeCanonicalBase64(value);
  if (bytes === undefined) {
    throw new ValueTypeError(
      "ERR_VALUE_ENCODING",
      `${where} takes canonical base64: standard alphabet, padded, no white space. ` +
        'Re-encode it with Buffer.from(text, "base64").toString("base64").',
    );
  }
  return bytes;
}
