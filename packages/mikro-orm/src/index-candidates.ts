// The rows behind the tokens of a short blind index, read and compared before the statement that asks for them.
import { MAX_INDEX_CANDIDATES, type Stored } from "@fieldseal/crypto";
import { cipherOf, unsupportedQuery, type BoundType } from "./binding.ts";
import { findCandidates, type StatementContext } from "./entity-manager-internals.ts";
import { propertiesOf, type Meta, type Property, type Row } from "./mikro-orm-internals.ts";

/** The property that is asked for, and where. */
interface Asked {
  readonly prop: Property;
  readonly type: BoundType;
  readonly scope: { readonly meta: Meta; readonly context: StatementContext };
}

export interface Candidate {
  readonly row: Row;
  readonly key: string;
  readonly stored: Stored;
}

/** What was read to answer one comparison. */
export interface Lookup {
  readonly type: BoundType;
  /** The rows behind the tokens, and those of them that hold one of the values. */
  readonly candidates: readonly Candidate[];
  readonly holding: readonly Candidate[];
  /** Whether they are rows of another entity. */
  readonly isRelated: boolean;
  /** Whether none but those that hold one of the values are meant. */
  readonly isRequired: boolean;
}

/** The rows behind the tokens. */
export async function readCandidates(
  { prop, type, scope }: Asked,
  where: Row,
): Promise<readonly Candidate[]> {
  const { meta, context } = scope;
  const candidates = await findCandidates(context, meta, {
    where,
    prop,
    limit: MAX_INDEX_CANDIDATES + 1,
  });
  if (candidates.length > MAX_INDEX_CANDIDATES) {
    const problem = `has a blindIndex so short that more than ${MAX_INDEX_CANDIDATES} rows share a token; use more bits`;
    throw unsupportedQuery(type, problem);
  }
  return candidates.flatMap(({ row, key, stored }) =>
    stored === null || stored === undefined ? [] : [{ row, key, stored: stored as Stored }],
  );
}

/** Those of them that hold one of the values. */
export function holdingOneOf(
  candidates: readonly Candidate[],
  { prop, type }: Asked,
  values: readonly unknown[],
): Candidate[] {
  const cipher = cipherOf(type);
  const wanted = new Set(values.map((value) => cipher.indexForm(value)));
  return candidates.filter(({ row, stored }) => {
    const value = row[prop.name] ?? cipher.open(stored); // the properties of an embeddable stand elsewhere
    return wanted.has(cipher.indexForm(value));
  });
}

/** A Date has milliseconds, a timestamp of PostgreSQL microseconds: as a key it may find no row. */
export function isExactKey(meta: Meta): boolean {
  return meta.primaryKeys.every((name) => propertiesOf(meta)[name]?.runtimeType !== "Date");
}

/** The condition that means these rows. */
export function keyIn(meta: Meta, rows: readonly { readonly row: Row }[]): Row {
  const [key = "", ...more] = meta.primaryKeys;
  if (more.length === 0 || rows.length === 0)
    return { [key]: { $in: rows.map(({ row }) => row[key]) } };
  const keys = [key, ...more];
  return { $or: rows.map(({ row }) => Object.fromEntries(keys.map((name) => [name, row[name]]))) };
}
