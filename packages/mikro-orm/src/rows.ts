// Rows on their way to the database: values become encrypted cells, a column at a time, and the tokens of blind
// indexes are put beside them.
import { DecryptError, KeyError, UnsupportedQueryError, type StoredInput } from "@fieldseal/crypto";
import { bindingOf, cipherOf, encryptedTypeOf, refusedTarget, type BoundType } from "./binding.ts";
import { companionOf } from "./companion.ts";
import {
  isRawSql,
  propertyAt,
  type Meta,
  type Properties,
  type Property,
  type Row,
} from "./mikro-orm-internals.ts";
import { refuseOtherNames } from "./other-names.ts";
import { Cell } from "./cell.ts";
import { isPlainObject } from "./plain-object.ts";
import { isRawNull, refuseRawEmbeddable, refuseRawValue, encryptedInside } from "./raw-sql.ts";

interface EncryptedProperty {
  readonly name: string;
  readonly type: BoundType;
}

interface Encryption {
  readonly encrypted: readonly EncryptedProperty[];
  /** Embeddables with encrypted properties at any depth. */
  readonly embedded: readonly Property[];
}

const encryptions = new WeakMap<object, Encryption>();

/** Which of these properties are encrypted, or hold encrypted ones. */
export function encryptionOf(properties: Properties): Encryption {
  let encryption = encryptions.get(properties);
  if (encryption === undefined) {
    // By key, which inside of an embeddable is the short name.
    const encrypted = Object.entries(properties).flatMap(([name, prop]) => {
      const type = encryptedTypeOf(prop);
      return type ? [{ name, type }] : [];
    });
    const embedded = Object.values(properties).filter(({ embeddedProps }) => {
      if (!embeddedProps) return false;
      const inner = encryptionOf(embeddedProps as Properties);
      return inner.encrypted.length > 0 || inner.embedded.length > 0;
    });
    encryptions.set(properties, (encryption = { encrypted, embedded }));
  }
  return encryption;
}

/**
 * The rows with encrypted cells in place of values, and tokens. Encrypted here and not where SQL is made, so that an
 * error is ours, and one cipher call does for a column. Copies: a row may become a snapshot, in which a token that
 * the entity does not have would look like a change.
 */
export function encryptRows(properties: Properties, rows: readonly Row[]): readonly Row[] {
  const { encrypted, embedded } = encryptionOf(properties);
  refuseOtherNames(properties, rows);
  const isPresent = ({ name }: { readonly name: string }): boolean =>
    rows.some((row) => row[name] !== undefined);
  const [columns, embeddables] = [encrypted.filter(isPresent), embedded.filter(isPresent)];
  if (columns.length === 0 && embeddables.length === 0) return rows;
  const copies = rows.map((row) => ({ ...row }));
  for (const property of columns) encryptColumn(property, copies, properties);
  // MikroORM puts what it cannot place (an inline embeddable in insertMany, say) into SQL as it is, and then fails.
  for (const prop of embeddables) {
    const { name, embeddedProps } = prop;
    for (const row of copies) {
      const value = row[name];
      refuseRawEmbeddable(prop, value);
      // A key that was not there would make MikroORM write NULL.
      if (value !== undefined) row[name] = encryptEmbedded(embeddedProps as Properties, value);
    }
  }
  return copies;
}

function encryptEmbedded(properties: Properties, value: unknown): unknown {
  if (Array.isArray(value)) {
    return withMarks(
      value.map((item) => encryptEmbedded(properties, item)),
      value,
    );
  }
  if (typeof value === "string") refuseText(properties);
  if (typeof value !== "object" || value === null || isRawSql(value)) return value;
  const [encrypted] = encryptRows(properties, [value as Row]);
  const { toJSON } = encrypted as Row;
  const json: unknown = typeof toJSON === "function" ? toJSON.call(value) : value;
  // MikroORM would store that, as it is.
  if (json !== value) return encryptEmbedded(properties, json);
  return withMarks(encrypted as Row, value);
}

/** A document as JSON text would go to the database as it is, with what should be encrypted in it. */
function refuseText(properties: Properties): never {
  const type = encryptedInside({ embeddedProps: properties }) as BoundType;
  throw new UnsupportedQueryError(
    `${bindingOf(type)?.label} is encrypted, and stands in a document that was given as text. Give it as an object.`,
    refusedTarget(type),
  );
}

/** MikroORM marks what is to be written as JSON by a symbol that copies do not have. */
function withMarks<T extends object>(copy: T, original: object): T {
  if (copy === original) return copy;
  for (const symbol of Object.getOwnPropertySymbols(original)) {
    const mark = Object.getOwnPropertyDescriptor(original, symbol) as PropertyDescriptor;
    Object.defineProperty(copy, symbol, mark);
  }
  return copy;
}

function encryptColumn(
  { name, type }: EncryptedProperty,
  rows: readonly Row[],
  properties: Properties,
): void {
  const companion = type.options.blindIndex && keyIn(properties, companionOf(type));
  const cells: Cell[] = [];
  for (const row of rows) {
    const value = row[name];
    if (value === undefined) continue;
    refuseRawValue(type, value);
    if (value === null || isRawNull(value)) {
      if (companion !== undefined) row[companion] = null;
      continue;
    }
    const cell = value instanceof Cell ? value : type.cell(type.toCanonical(value));
    row[name] = cell;
    cells.push(cell);
    if (companion !== undefined) row[companion] = indexToken(type, cell);
  }
  encryptCells(type, cells);
}

/** Inside of an embeddable that is given as an object, properties have their short names. */
function keyIn(properties: Properties, name: string): string {
  if (name in properties) return name;
  return Object.keys(properties).find((key) => properties[key]?.name === name) ?? name;
}

function indexToken(type: BoundType, cell: Cell): string {
  return cipherOf(type).indexToken(type.fromCanonical(cell.canonical));
}

/**
 * The data of an upsert with tokens, before MikroORM looks into it for unique properties: a companion property may be
 * the one. Entities are filled, other data is copied.
 */
export function withTokens(properties: Properties, row: Row): Row {
  const filled = isPlainObject(row) ? { ...row } : row;
  for (const { name, type } of encryptionOf(properties).encrypted) {
    const value = row[name];
    if (type.options.blindIndex === undefined || value === undefined || isRawSql(value)) continue;
    const token = value === null ? null : cipherOf(type).indexToken(value);
    filled[companionOf(type)] = token;
  }
  return filled;
}

function encryptCells(type: BoundType, cells: readonly Cell[]): void {
  const pending = cells.filter((cell) => !cell.isEncrypted);
  if (pending.length === 0) return;
  const values = pending.map((cell) => type.fromCanonical(cell.canonical));
  const stored = cipherOf(type).sealMany(values);
  pending.forEach((cell, i) => cell.keep(stored[i] as string | Buffer));
}

/**
 * Decrypts columns of a result in place, a column at a time, before MikroORM converts value by value: each value
 * then arrives as a cell that knows its plaintext. Types whose values are not what a cell holds gain nothing, because
 * a cell costs them a conversion.
 */
export function openRows(meta: Meta, rows: readonly Row[]): void {
  if (rows.length < MIN_ROWS) return;
  for (const { name, type } of encryptionOf(meta.properties).encrypted) {
    if (!type.isCanonical || !rows.some((row) => typeof row[name] === "string")) continue;
    try {
      openColumn(type, name, rows);
    } catch (error) {
      throw withPrimaryKey(error, meta, rows);
    }
  }
}

/** The cell of a value as the database returned it. */
export function cellOf(type: BoundType, stored: unknown): Cell {
  if (stored instanceof Cell) return stored;
  return type.cell(type.toCanonical(type.convertToJSValue(stored)));
}

/** Fewer gain nothing. */
const MIN_ROWS = 4;

function openColumn(type: BoundType, name: string, rows: readonly Row[]): void {
  const stored = rows.map((row) => row[name] as StoredInput | null | undefined);
  const values = cipherOf<string>(type).openMany(stored);
  for (let i = 0; i < rows.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    (rows[i] as Row)[name] = type.cell(value);
  }
}

/** The same error with the primary key of the row it stands in, where the result shows it. */
function withPrimaryKey(error: unknown, meta: Meta, rows: readonly Row[]): unknown {
  const isKnown = error instanceof DecryptError || error instanceof KeyError;
  if (!isKnown || error.position === undefined) return error;
  const row = rows[error.position] ?? {};
  return error.atRow(primaryKeyOf(meta, row));
}

export function primaryKeyOf(meta: Meta, row: Row): Row {
  return Object.fromEntries(meta.primaryKeys.map((name) => [name, row[name]]));
}

/** The names of the properties that hold tokens for these. */
export function companionsOf(properties: Properties, names: readonly string[]): string[] {
  const fields = new Set(names.map((name) => propertyAt(properties, name)?.name ?? name));
  return encryptionOf(properties)
    .encrypted.filter(({ name, type }) => type.options.blindIndex && fields.has(name))
    .map(({ type }) => companionOf(type));
}
