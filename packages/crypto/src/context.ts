// What a value is bound to. The encoded form enters key derivation (table and column) and the associated
// data (table, column and, where the caller knows it, the row). Layout: docs/reference/format.md, section 3.
import { ConfigError } from "./errors.ts";

/** Logical names, fixed when a column is declared: renaming the table later must not change them. */
export interface ColumnContext {
  readonly table: string;
  readonly column: string;
  /** Binds the value to one row as well. Only for callers who know the row's id before they encrypt. */
  readonly row?: string;
}

/** `"users.email"`, or the parts when a name itself has a dot. */
export type ContextInput = string | ColumnContext;

/** Used when the caller names no column: such values open only without a context again. */
export const NO_CONTEXT: ColumnContext = Object.freeze({ table: "", column: "" });

const MAX_ID_BYTES = 0xffff;

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` when a part is empty, too long, or not well-formed Unicode. */
export function parseContext(input: ContextInput): ColumnContext {
  const context = typeof input === "string" ? splitContext(input) : input;
  checkId("table", context.table);
  checkId("column", context.column);
  if (context.row !== undefined) checkId("row", context.row);
  return context;
}

function splitContext(text: string): ColumnContext {
  const parts = text.split(".");
  if (parts.length !== 2) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `context "${text}" must read "table.column"; pass { table, column } when a name has a dot in it.`,
    );
  }
  return { table: parts[0] as string, column: parts[1] as string };
}

function checkId(part: string, id: unknown): void {
  const isUsable =
    typeof id === "string" &&
    id.length > 0 &&
    id.isWellFormed() &&
    Buffer.byteLength(id) <= MAX_ID_BYTES;
  if (!isUsable) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `context.${part} must be a non-empty string of at most ${MAX_ID_BYTES} bytes of UTF-8.`,
    );
  }
}

/** u16 length || table || u16 length || column, the part that keys are derived from. */
export function encodeColumn(context: ColumnContext): Buffer {
  return Buffer.concat([lengthPrefixed(context.table), lengthPrefixed(context.column)]);
}

/** {@link encodeColumn}, then u16 length || row where the context has one. */
export function encodeContext(context: ColumnContext): Buffer {
  const column = encodeColumn(context);
  if (context.row === undefined) return column;
  checkId("row", context.row);
  return Buffer.concat([column, lengthPrefixed(context.row)]);
}

/** u16 big-endian byte length, then the UTF-8 bytes. */
export function lengthPrefixed(id: string): Buffer {
  const bytes = Buffer.from(id, "utf8");
  const out = Buffer.allocUnsafe(2 + bytes.length);
  out.writeUInt16BE(bytes.length, 0);
  out.set(bytes, 2);
  return out;
}
