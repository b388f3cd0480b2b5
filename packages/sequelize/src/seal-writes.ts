// Before SQL is built: values become ciphertext column by column, and blind indexes get their tokens. The caller's
// objects stay as they are, because Sequelize copies them into instances afterwards.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { Utils } from "sequelize";
import {
  cipherOf,
  encryptedAttributes,
  isEncrypted,
  type EncryptedAttribute,
} from "./installation.ts";
import { Sealed } from "./sealed.ts";
import { OutOfSight } from "./out-of-sight.ts";
import { WRITTEN, type Values, type WriteOptions, type WrittenValue } from "./query-internals.ts";
import type { Attribute, ModelClass } from "./sequelize-internals.ts";

/** Rows by column name, ready for the query generator; what was sealed is noted in `options`. */
export function sealRows(
  rows: readonly Values[],
  columns: readonly EncryptedAttribute[],
  options: WriteOptions,
): Values[] {
  const sealed = rows.map((row) => ({ ...row }));
  const written = new Map<string, WrittenValue[]>();
  for (const attribute of columns) {
    const holders = rows.flatMap((row, i) => (Object.hasOwn(row, attribute.field) ? [i] : []));
    refuseAttributeNames(attribute, rows);
    if (holders.length > 0)
      written.set(
        attribute.field,
        sealColumn(attribute, { holders, rows, sealed, isReturned: options.returning === true }),
      );
  }
  if (written.size > 0) options[WRITTEN] = new OutOfSight(written);
  return sealed;
}

/**
 * The encrypted columns that a statement can write: those of its model or table, whatever attributes the caller brings. A
 * seed names only the columns that need a type.
 */
export function encryptedColumnsOf(
  model: ModelClass | undefined,
  given: Readonly<Record<string, Attribute>> | undefined,
): readonly EncryptedAttribute[] {
  // Keyed by attribute or by column name, depending on the caller, and sometimes by both.
  const own = Object.values(given ?? {}).filter(isEncrypted);
  const fields = new Set(own.map(({ field }) => field));
  const others = encryptedAttributes(model).filter(({ field }) => !fields.has(field));
  return [...new Set([...own, ...others])];
}

interface ColumnWrite {
  /** Positions of the rows that have the column. */
  readonly holders: readonly number[];
  readonly rows: readonly Values[];
  readonly sealed: readonly Values[];
  /** Whether the statement gives back all that it writes. */
  readonly isReturned: boolean;
}

/** Seals one column; returns what was written, by row. */
function sealColumn(
  attribute: EncryptedAttribute,
  { holders, rows, sealed, isReturned }: ColumnWrite,
): WrittenValue[] {
  const { field } = attribute;
  const cipher = cipherOf(attribute);
  const plain = holders.map((i) => (rows[i] as Values)[field]);
  refuseExpressions(attribute, plain);
  const stored = cipher.sealMany(plain);
  const written: WrittenValue[] = [];
  holders.forEach((row, i) => {
    const value = stored[i] ?? null;
    const target = sealed[row] as Values;
    target[field] = value === null ? null : new Sealed(value);
    if (cipher.blindIndex) {
      target[cipher.blindIndex.column] = value === null ? null : cipher.indexToken(plain[i]);
    }
    // Objects are copied for a statement that gives them back, and decrypted where another one does.
    if (isReturned || typeof plain[i] !== "object")
      written[row] = { stored: value, plain: ownCopy(plain[i]) };
  });
  return written;
}

/**
 * As the database would give it back: an object of its own. The caller may change the one that was given, and setting it
 * again would look like no change.
 */
function ownCopy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return value instanceof Uint8Array ? Buffer.from(value) : JSON.parse(JSON.stringify(value));
}

/** queryInterface takes columns. By the attribute's name the value would go to the database, and into its log, as it is. */
function refuseAttributeNames(
  { field, fieldName, Model: model }: EncryptedAttribute,
  rows: readonly Values[],
): void {
  if (field === fieldName || !rows.some((row) => Object.hasOwn(row, fieldName))) return;
  throw new UnsupportedQueryError(
    `${model.name}.${fieldName} is encrypted and stored in column "${field}": name the column here.`,
    { model: model.name, field: fieldName },
  );
}

/** `literal()`, `fn()` and the like would be stored as the database computes them: unencrypted. */
function refuseExpressions(attribute: EncryptedAttribute, values: readonly unknown[]): void {
  if (!values.some((value) => value instanceof Utils.SequelizeMethod)) return;
  throw new UnsupportedQueryError(
    `${attribute.Model.name}.${attribute.fieldName} is encrypted and cannot be set by an SQL expression. Give it a value.`,
    { model: attribute.Model.name, field: attribute.fieldName },
  );
}

/** The columns to update on a conflict, with the blind indexes that belong to them. */
export function withIndexColumns(
  columns: readonly string[],
  encrypted: readonly EncryptedAttribute[],
): string[] {
  const indexes = encrypted.flatMap((attribute) => {
    const index = cipherOf(attribute).blindIndex;
    return index && columns.includes(attribute.field) ? [index.column] : [];
  });
  return [...new Set([...columns, ...indexes])];
}
