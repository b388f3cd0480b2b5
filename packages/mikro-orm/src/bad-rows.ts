// Which row a value that does not open stands in. MikroORM converts value by value, and a type is not told the row;
// the rows of the last results are still there, so the value is looked for in them once it has failed.
import { DecryptError, KeyError } from "@fieldseal/crypto";
import type { BoundType } from "./binding.ts";
import type { Meta, Row } from "./mikro-orm-internals.ts";
import { encryptionOf, primaryKeyOf } from "./rows.ts";

interface Result {
  readonly meta: Meta;
  /** Weak: what is converted now is held by MikroORM. */
  readonly rows: WeakRef<readonly Row[]>;
}

/** Of as many questions at once each finds its rows; those of others go without a primary key. */
const REMEMBERED = 32;
const results: Result[] = [];
let next = 0;

/** Before the values of these rows are converted. */
export function rememberRows(meta: Meta, rows: readonly Row[]): void {
  if (rows.length === 0 || encryptionOf(meta.properties).encrypted.length === 0) return;
  results[next] = { meta, rows: new WeakRef(rows) };
  next = (next + 1) % REMEMBERED;
}

/** The same error with the primary key of a row that holds this value, where one is known. */
export function withRowOf(error: unknown, type: BoundType, stored: unknown): unknown {
  const isKnown = error instanceof DecryptError || error instanceof KeyError;
  if (!isKnown || error.primaryKey !== undefined) return error;
  for (const { meta, rows } of results) {
    const { encrypted } = encryptionOf(meta.properties);
    const name = encrypted.find((property) => property.type === type)?.name;
    const row = name === undefined ? undefined : rows.deref()?.find((one) => one[name] === stored);
    if (row) return error.atRow(primaryKeyOf(meta, row));
  }
  return error;
}
