// The way back: how a value looks as plaintext, and which values have no such form.
import { isMalformedEnvelope, parseEnvelope, type ColumnCipher } from "@fieldseal/crypto";
import type { MigratedColumn } from "./table.ts";

export function plainOf(cipher: ColumnCipher<unknown>, value: unknown): string | Buffer {
  const encoded = cipher.codec.encodeLegacy(value, cipher.label);
  if (cipher.storage === "binary") return Buffer.from(encoded);
  return typeof encoded === "string" ? encoded : Buffer.from(encoded).toString("base64");
}

export interface PlainSite extends Pick<MigratedColumn, "source" | "arrayOf"> {
  /** Somebody has declared that the row's value is plaintext, whatever it looks like. */
  readonly isDeclared: boolean;
}

/**
 * In place, a plaintext that looks like an envelope would be taken for one, or for a damaged one. PostgreSQL's text has no NUL, and an array
 * of arrays is not what one dimension of a column came from.
 */
export function refusesPlain(
  plain: string | Buffer,
  { source, arrayOf, isDeclared }: PlainSite,
): boolean {
  if (source === undefined && parseEnvelope(plain) !== undefined) return true;
  if (source === undefined && !isDeclared && isMalformedEnvelope(plain)) return true;
  if (typeof plain === "string" && plain.includes("\0")) return true;
  return arrayOf !== undefined && !isArray(plain, { isNested: arrayOf === "json" });
}

function isArray(plain: string | Buffer, { isNested }: { readonly isNested: boolean }): boolean {
  try {
    const value: unknown = JSON.parse(plain.toString());
    return Array.isArray(value) && (isNested || !value.some((item) => Array.isArray(item)));
  } catch {
    return false;
  }
}
