// From the row that was read to the row to write: pure, without a database.
import {
  formatKeyId,
  parseEnvelope,
  type ColumnCipher,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import type { Direction } from "./contract.ts";

export type Cell = string | Buffer | null;

export interface Rewritten {
  /** New values by column, in the order of `Table.written`; undefined where the row needs no write. */
  readonly rows: readonly (readonly Cell[] | undefined)[];
  readonly poison: readonly {
    readonly row: number;
    readonly column: string;
    readonly code: string;
  }[];
}

/**
 * Every value is opened, whatever its header says: one that does not open is reported and its row left alone, so that
 * a missing old key never leads to a value that is encrypted twice.
 */
export function rewrite(
  columns: readonly EncryptedColumn[],
  rows: readonly (readonly Cell[])[],
  direction: Direction,
): Rewritten {
  const result: Cell[][] = rows.map(() => []);
  const poison: { row: number; column: string; code: string }[] = [];
  let at = 0;
  for (const { column, cipher } of columns) {
    const stored = rows.map((row) => row[at] as Cell);
    const { values, failures } = openAll(cipher, stored);
    poison.push(...failures.map(({ row, code }) => ({ row, column, code })));
    const next =
      direction === "encrypt"
        ? sealAll(cipher, stored, values)
        : values.map((value) => plain(cipher, value));
    next.forEach((cell, i) => result[i]!.push(cell));
    at++;
    if (cipher.blindIndex === undefined) continue;
    values.forEach((value, i) => result[i]!.push(token(cipher, value, direction)));
    at++;
  }
  const isPoisoned = new Set(poison.map(({ row }) => row));
  const isSame = (i: number): boolean =>
    (result[i] as Cell[]).every((cell, j) => areEqual(cell, rows[i]![j] as Cell));
  return {
    rows: result.map((row, i) => (isPoisoned.has(i) || isSame(i) ? undefined : row)),
    poison,
  };
}

/** A whole column at once; only when something in it fails, one by one. */
function openAll(
  cipher: ColumnCipher<unknown>,
  stored: readonly Cell[],
): { values: unknown[]; failures: { row: number; code: string }[] } {
  try {
    return { values: cipher.openMany(stored), failures: [] };
  } catch {
    const failures: { row: number; code: string }[] = [];
    const values = stored.map((cell, row) => {
      try {
        return cell === null ? null : cipher.open(cell);
      } catch (error) {
        failures.push({ row, code: (error as { code?: string }).code ?? "ERR_DECRYPT_FAILED" });
        return null;
      }
    });
    return { values, failures };
  }
}

/** Values that are in the wanted form already keep their bytes: a second run writes nothing. */
function sealAll(
  cipher: ColumnCipher<unknown>,
  stored: readonly Cell[],
  values: readonly unknown[],
): Cell[] {
  const isStale = stored.map((cell, i) => values[i] !== null && !isCurrent(cipher, cell));
  const sealed = cipher.sealMany(values.map((value, i) => (isStale[i] === true ? value : null)));
  return stored.map((cell, i) => (isStale[i] === true ? (sealed[i] as Cell) : cell));
}

function isCurrent(cipher: ColumnCipher<unknown>, cell: Cell): boolean {
  const header = cell === null ? undefined : parseEnvelope(cell)?.header;
  if (header === undefined || (typeof cell === "string") !== (cipher.storage === "text"))
    return false;
  return (
    header.suite === cipher.suite &&
    formatKeyId(header.keyId) === cipher.primaryKeyId &&
    header.isPadded === (cipher.options.pad !== undefined)
  );
}

function plain(cipher: ColumnCipher<unknown>, value: unknown): Cell {
  if (value === null) return null;
  const encoded = cipher.codec.encodeLegacy(value, cipher.label);
  if (cipher.storage === "binary") return Buffer.from(encoded);
  return typeof encoded === "string" ? encoded : Buffer.from(encoded).toString("base64");
}

function token(cipher: ColumnCipher<unknown>, value: unknown, direction: Direction): Cell {
  return value === null || direction === "decrypt" ? null : cipher.indexToken(value);
}

function areEqual(a: Cell, b: Cell): boolean {
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b);
  return a === b;
}
