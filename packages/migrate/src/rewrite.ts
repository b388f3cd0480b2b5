// From the row that was read to the row to write: pure, without a database.
import {
  DecryptError,
  isMalformedEnvelope,
  type ColumnCipher,
  type Stored,
} from "@fieldseal/crypto";
import type { Direction } from "./contract.ts";
import { refuseLossyJson } from "./lossy-json.ts";
import { headerOf, isCurrent, openAll, type Reporting } from "./open-cells.ts";
import { plainOf, refusesPlain } from "./plain-form.ts";
import { NO_JSON } from "./slot.ts";
import type { MigratedColumn, Table } from "./table.ts";

export type Cell = string | Buffer | null;

export interface Rewritten {
  /** New cells by slot; undefined where the row needs no write. */
  readonly rows: readonly (readonly Cell[] | undefined)[];
  readonly poison: readonly Poison[];
}

export interface Poison {
  readonly row: number;
  readonly column: string;
  readonly code: string;
}

export interface RewriteOptions {
  readonly direction: Direction;
  /** Whether somebody has declared a value plaintext although it looks like an envelope. Defaults to never. */
  readonly isPlaintext?: (row: number, column: string) => boolean;
}

/**
 * Every value is opened, whatever its header says: one that does not open is reported and its row left alone, so that
 * a missing old key never leads to a value that is encrypted twice.
 */
export function rewrite(
  table: Pick<Table, "migrated">,
  rows: readonly (readonly Cell[])[],
  { direction, isPlaintext }: RewriteOptions,
): Rewritten {
  const result = rows.map((row) => [...row]);
  const poison: Poison[] = [];
  for (const migrated of table.migrated) {
    const { column } = migrated.column;
    const failed = new Set<number>();
    // What opens as nothing sensible may also fail to seal: the first error is the one to tell, once.
    const fail = (row: number, error: unknown): void => {
      if (failed.has(row)) return;
      failed.add(row);
      const code = (error as { code?: string }).code ?? "ERR_DECRYPT_FAILED";
      poison.push({ row, column, code });
    };
    const isDeclared = (row: number): boolean => isPlaintext?.(row, column) === true;
    const change = direction === "encrypt" ? encryptColumn : decryptColumn;
    change(migrated, { rows: result, fail, isDeclared });
  }
  const isPoisoned = new Set(poison.map(({ row }) => row));
  const isSame = (row: readonly Cell[], before: readonly Cell[]): boolean =>
    row.every((cell, i) => areEqual(cell, before[i] as Cell));
  return {
    rows: result.map((row, i) =>
      isPoisoned.has(i) || isSame(row, rows[i] as readonly Cell[]) ? undefined : row,
    ),
    poison,
  };
}

interface Work extends Reporting {
  readonly rows: Cell[][];
}

function encryptColumn(migrated: MigratedColumn, work: Work): void {
  const { column, valueAt, tokenAt, sourceAt } = migrated;
  const { cipher } = column;
  const { rows, fail } = work;
  const stored = rows.map((row) => row[valueAt] as Cell);
  const opened = openAll(migrated, stored, work);
  const values = opened.map((one) => one?.value);
  const headers = stored.map(headerOf);
  if (sourceAt !== undefined) readSources(migrated, { ...work, sourceAt, values });
  stored.forEach((cell, i) => {
    if (cell === null || headers[i] !== undefined || opened[i] === undefined) return;
    try {
      refuseMalformed(cell, work.isDeclared(i));
      refuseLossyJson(cipher, cell);
    } catch (error) {
      fail(i, error);
    }
  });
  // Values that are in the wanted form already keep their bytes: a second run writes nothing.
  const stale = values.map((value, i) =>
    opened[i]?.isStale === false && isCurrent(cipher, stored[i] as Cell, headers[i])
      ? null
      : (value ?? null),
  );
  sealAll(cipher, stale, fail).forEach((cell, i) => {
    const row = rows[i] as Cell[];
    // The JSON text "null" reads as NULL, and is stored as NULL by the application too.
    if (cell !== null || values[i] === null) row[valueAt] = cell;
  });
  if (tokenAt === undefined) return;
  rows.forEach((row, i) => {
    try {
      row[tokenAt] = (values[i] ?? null) === null ? null : cipher.indexToken(values[i]);
    } catch (error) {
      fail(i, error);
    }
  });
}

/** What the encrypted column does not hold yet is taken from the plain one, which may hold envelopes of another form. */
function readSources(
  { column: { cipher }, previous, arrayOf }: MigratedColumn,
  at: Work & { readonly sourceAt: number; readonly values: unknown[] },
): void {
  const open = (plain: Exclude<Cell, null>): unknown => {
    const isSealed = headerOf(plain) !== undefined || cipher.options.legacy !== undefined;
    if (isSealed) return openEither(cipher, previous, plain);
    refuseLossyJson(cipher, plain);
    return cipher.readPlaintext(plain);
  };
  at.rows.forEach((row, i) => {
    const plain = row[at.sourceAt] as Cell;
    if (at.values[i] !== null || plain === null) return;
    if (arrayOf !== undefined && plain === NO_JSON) {
      at.fail(i, { code: "ERR_VALUE_ENCODING" });
      return;
    }
    try {
      refuseMalformed(plain, at.isDeclared(i));
      at.values[i] = open(plain);
    } catch (error) {
      if (at.isDeclared(i)) at.values[i] = cipher.readPlaintext(plain);
      else at.fail(i, error);
    }
  });
}

/**
 * Of a damaged envelope, sealing would make ciphertext of ciphertext, which opens and would be vouched for. Nobody but the
 * operator can tell it from text that begins the same.
 * @throws {@link DecryptError} `ERR_DECRYPT_FAILED`
 */
function refuseMalformed(cell: Exclude<Cell, null>, isDeclared: boolean): void {
  if (!isDeclared && isMalformedEnvelope(cell)) throw new DecryptError({});
}

function openEither(
  cipher: ColumnCipher<unknown>,
  previous: ColumnCipher<unknown> | undefined,
  stored: Exclude<Cell, null>,
): unknown {
  try {
    return cipher.open(stored);
  } catch (error) {
    if (previous === undefined) throw error;
    return previous.open(stored);
  }
}

function decryptColumn(migrated: MigratedColumn, work: Work): void {
  const { column, valueAt, tokenAt, sourceAt, source } = migrated;
  const { rows, fail } = work;
  const stored = rows.map((row) => row[valueAt] as Cell);
  const opened = openAll(migrated, stored, work);
  rows.forEach((row, i) => {
    const value = opened[i]?.value ?? null;
    const isDeclared = work.isDeclared(i);
    try {
      if (value !== null) refuseMalformed(stored[i] as Exclude<Cell, null>, isDeclared);
    } catch (error) {
      fail(i, error);
      return;
    }
    const isPlainAlready =
      source === undefined
        ? headerOf(stored[i] as Cell) === undefined
        : row[sourceAt as number] !== null;
    // A plain column that has a value is in step: a trigger sees to it.
    if (value !== null && !isPlainAlready) {
      const plain = plainOf(column.cipher, value);
      const refused = refusesPlain(plain, { ...migrated, isDeclared });
      if (refused) fail(i, { code: "ERR_VALUE_ENCODING" });
      else row[sourceAt ?? valueAt] = plain;
    }
    if (tokenAt !== undefined && source === undefined) row[tokenAt] = null;
  });
}

/** Plaintext can hold what an encrypted column refuses, as base64 that is not canonical. */
function sealAll(
  cipher: ColumnCipher<unknown>,
  values: readonly unknown[],
  fail: Work["fail"],
): (Stored | null)[] {
  try {
    return cipher.sealMany(values);
  } catch {
    return values.map((value, row) => {
      try {
        return value === null ? null : cipher.seal(value);
      } catch (error) {
        fail(row, error);
        return null;
      }
    });
  }
}

function areEqual(a: Cell, b: Cell): boolean {
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b);
  return a === b;
}
