// Tokens of a blind index are not authenticated: who writes to the database can give a row the token of a value that
// it does not hold. Where the rows of a search come back with the value, it decides.
import { bindingOf, cipherOf, encryptedTypeOf, type BoundType } from "./binding.ts";
import {
  leadsToOne,
  propertiesOf,
  targetOf,
  type Meta,
  type Properties,
  type Row,
} from "./mikro-orm-internals.ts";
import { isPlainObject } from "./plain-object.ts";
import { cellOf } from "./rows.ts";
import { IndexToken } from "./search-term.ts";

/** The tokens that a value may have, one per live key. */
export function indexTokens(type: BoundType, value: unknown): IndexToken[] {
  const cipher = cipherOf(type);
  const form = cipher.indexForm(value);
  const property = bindingOf(type)?.prop.name ?? "";
  return cipher.indexTokens(value).map((token) => new IndexToken(token, form, property));
}

interface Expected {
  /** Relations that lead to the row with the value. */
  readonly path: readonly string[];
  readonly name: string;
  readonly type: BoundType;
  readonly forms: ReadonlySet<string>;
}

/** The rows that hold what was asked for, as far as it was read; `where` in the form that the driver gets. */
export function rowsAsExpected(meta: Meta, where: unknown, rows: Row[]): Row[] {
  let kept = rows;
  for (const expected of expectedBy(where, propertiesOf(meta), [])) {
    kept = kept.filter((row) => isAsExpected(row, expected));
  }
  return kept;
}

/** By the conditions that every row fulfils; `properties` are those of an entity, or of an inline embeddable in it. */
function* expectedBy(
  where: unknown,
  properties: Properties,
  path: readonly string[],
): Generator<Expected> {
  if (Array.isArray(where)) for (const part of where) yield* expectedBy(part, properties, path);
  if (!isPlainObject(where)) return;
  for (const [key, value] of Object.entries(where)) {
    if (key === "$and") yield* expectedBy(value, properties, path);
    const { [key]: prop } = properties;
    if (!isPlainObject(value) || prop === undefined) continue;
    yield* expectedOf(value, properties, path);
    if (prop.embeddedProps) yield* expectedBy(value, prop.embeddedProps as Properties, path);
    // Of several related rows one may fulfil it.
    else if (leadsToOne(prop)) {
      yield* expectedBy(value, propertiesOf(targetOf(prop)), [...path, key]);
    }
  }
}

/** `{ $in: tokens }` on a companion property. */
function* expectedOf(
  condition: Readonly<Record<string, unknown>>,
  properties: Properties,
  path: readonly string[],
): Generator<Expected> {
  const { $in: tokens } = condition;
  if (!Array.isArray(tokens) || !tokens.every((one) => one instanceof IndexToken)) return;
  const [first] = tokens;
  const prop = first && properties[first.property];
  const type = encryptedTypeOf(prop);
  if (!prop || !type) return;
  const forms = new Set(tokens.map(({ form }) => form));
  yield { path, name: prop.name, type, forms };
}

function isAsExpected(root: Row, { path, name, type, forms }: Expected): boolean {
  let row: unknown = root;
  for (const step of path) row = isPlainObject(row) ? row[step] : undefined;
  // Not read: the token is believed.
  if (!isPlainObject(row) || row[name] === undefined) return true;
  if (row[name] === null) return false;
  const cell = cellOf(type, row[name]);
  // It need not be decrypted again.
  row[name] = cell;
  return forms.has(cipherOf(type).indexForm(type.fromCanonical(cell.canonical)));
}
