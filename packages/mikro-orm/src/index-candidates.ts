// The rows behind the tokens of a short blind index, read and compared before the statement that asks for them.
import { MAX_INDEX_CANDIDATES, type Stored } from "@fieldseal/crypto";
import { cipherOf, unsupportedQuery, type BoundType } from "./binding.ts";
import { findCandidates, type StatementContext } from "./entity-manager-internals.ts";
import type { Meta, Property, Row } from "./mikro-orm-internals.ts";

/** The property that is asked for, and where. */
interface Asked {
  readonly prop: Property;
  readonly type: BoundType;
  readonly scope: { readonly meta: Meta; readonly context: StatementContext };
}

export interface Candidate {
  readonly row: Row;
  readonly stored: Stored;
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
  return candidates.flatMap(({ row, stored }) =>
    stored === null || stored === undefined ? [] : [{ row, stored: stored as Stored }],
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
