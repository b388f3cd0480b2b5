import { ValueTypeError } from "../errors.ts";
import { readUtf8, type ValueCodec } from "./codec.ts";

/** Any well-formed string, as UTF-8. Empty strings, NUL and any length are kept. */
export const textCodec: ValueCodec<string> = {
  content: "text",
  storage: "text",
  encode: encodeText,
  read: readUtf8,
  encodeLegacy: encodeText,
  readLegacy: readUtf8,
  isEqual: (a, b) => a === b,
};

function encodeText(value: unknown, where: string): string {
  if (typeof value !== "string") {
    throw new ValueTypeError(
      "ERR_VALUE_TYPE",
      `${where} takes a string, not ${kindOf(value)}.${adviceFor(value)}`,
    );
  }
  if (!value.isWellFormed()) {
    throw new ValueTypeError(
      "ERR_VALUE_ENCODING",
      `${where} was given a string with a lone surrogate, which UTF-8 cannot hold. Use toWellFormed() if ` +
        "replacing it is acceptable.",
    );
  }
  return value;
}

/** Of values that JSON has as well. */
function adviceFor(value: unknown): string {
  const isJson = typeof value === "number" || typeof value === "boolean";
  return isJson ? " Convert it, or use EncryptedJSONType." : "";
}

/** The kind of a value for messages: "null", "an array", "a number", "a Date". */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (value instanceof Date) return "a Date";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
