// What the cells of a column hold: opened by its declaration, by the one before it, or as what an operator says it is.
import {
  formatKeyId,
  parseEnvelope,
  TEXT_PREFIX,
  textCodec,
  type ColumnCipher,
  type EnvelopeHeader,
} from "@fieldseal/crypto";
import type { Cell } from "./rewrite.ts";
import type { MigratedColumn } from "./table.ts";

/** What a cell turned out to be. undefined is what does not open, and was reported. */
export interface Opened {
  readonly value: unknown;
  /** It opened in another way than the column's declaration: it has to be sealed anew. */
  readonly isStale: boolean;
}

export interface Reporting {
  readonly fail: (row: number, error: unknown) => void;
  /** Whether somebody has declared the value plaintext although it looks like an envelope. */
  readonly isDeclared: (row: number) => boolean;
}

/** A whole column at once; only when something in it fails, one by one. */
export function openAll(
  migrated: MigratedColumn,
  stored: readonly Cell[],
  { fail, isDeclared }: Reporting,
): (Opened | undefined)[] {
  const { cipher } = migrated.column;
  const { previous } = migrated;
  const whole = openWhole(cipher, stored, false) ?? openWithPrevious(migrated, stored);
  if (whole) return whole;
  return stored.map((cell, row) => {
    if (cell === null) return { value: null, isStale: false };
    try {
      return { value: cipher.open(cell), isStale: false };
    } catch (error) {
      try {
        if (previous !== undefined) return { value: previous.open(cell), isStale: true };
        if (isDeclared(row)) return { value: cipher.readPlaintext(cell), isStale: true };
      } catch {
        // The first error is the one to tell.
      }
      return void fail(row, error);
    }
  });
}

/** With `previous`, apart from what is in the wanted form already: a run that met new versions of its rows would write them again. */
function openWithPrevious(
  { column: { cipher }, previous }: MigratedColumn,
  stored: readonly Cell[],
): Opened[] | undefined {
  const whole = previous && openWhole(previous, stored, true);
  if (whole === undefined) return undefined;
  const own = stored.map((cell) => (isCurrent(cipher, cell, headerOf(cell)) ? cell : null));
  const fresh = own.some((cell) => cell !== null) ? openWhole(cipher, own, false) : undefined;
  return whole.map((one, i) => (own[i] === null ? one : (fresh?.[i] ?? one)));
}

function openWhole(
  cipher: ColumnCipher<unknown>,
  stored: readonly Cell[],
  isStale: boolean,
): Opened[] | undefined {
  const isItsValue = valuesOfPlainText(cipher);
  try {
    // Plain text would be copied into bytes and back, to be what it was: half of what opening it costs.
    const others = isItsValue ? stored.map((cell) => (isItsValue(cell) ? null : cell)) : stored;
    const opened = cipher.openMany(others);
    return stored.map((cell, i) => ({
      value: isItsValue?.(cell) === true ? cell : opened[i],
      isStale,
    }));
  } catch {
    return undefined;
  }
}

/** Tells the cells that a column would read as they are; undefined where none can be. */
function valuesOfPlainText(cipher: ColumnCipher<unknown>): ((cell: Cell) => boolean) | undefined {
  const { legacy, plaintext } = cipher.options;
  const isText = (cipher.codec as unknown) === textCodec;
  if (!isText || legacy !== undefined || plaintext !== "accept") return undefined;
  return (cell) => typeof cell === "string" && !cell.startsWith(TEXT_PREFIX);
}

/** Undefined for what is no envelope. */
export function headerOf(cell: Cell): EnvelopeHeader | undefined {
  return cell === null ? undefined : parseEnvelope(cell)?.header;
}

/** Whether an envelope has the suite, key, padding and form that the column would write. */
export function isCurrent(
  cipher: ColumnCipher<unknown>,
  cell: Cell,
  header: EnvelopeHeader | undefined,
): boolean {
  if (header === undefined || (typeof cell === "string") !== (cipher.storage === "text"))
    return false;
  return (
    header.suite === cipher.suite &&
    formatKeyId(header.keyId) === cipher.primaryKeyId &&
    header.isPadded === (cipher.options.pad !== undefined)
  );
}
