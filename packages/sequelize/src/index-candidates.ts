// Which rows a short blind index means: those with the token are read, decrypted and compared.
import { MAX_INDEX_CANDIDATES, type Stored } from "@fieldseal/crypto";
import { DataTypes, Op, Utils } from "sequelize";
import { namedAttribute } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import type { IncludeNode } from "./query-internals.ts";
import { Sealed } from "./sealed.ts";
import { keyFor, keyOf, refuse, refuseOperatorsInside } from "./search.ts";
import { queryGeneratorOf, type Attribute, type ModelClass } from "./sequelize-internals.ts";

/** Where and how to read: as the statement itself does. */
export interface ReadContext {
  readonly transaction?: unknown;
  readonly logging?: unknown;
  readonly searchPath?: unknown;
  readonly useMaster?: boolean;
}

export type Where = Record<PropertyKey, unknown>;

/** What a condition stands in: its model (of the schema in use), and the models that it can reach by association. */
export interface Scope {
  readonly model: ModelClass;
  readonly include?: readonly IncludeNode[] | undefined;
  readonly context: ReadContext;
  /** What was read for a statement that changes rows: they must hold the same when it comes to them. */
  readonly lookups?: Lookup[];
  /** Whether no row fits that this condition does not fit. */
  readonly isRequired: boolean;
}

/** What was read to answer one comparison. */
export interface Lookup {
  readonly attribute: EncryptedAttribute;
  /** The rows behind the tokens, and those of them that hold one of the values. */
  readonly candidates: readonly Row[];
  readonly holding: readonly Row[];
  /** Whether the statement means none but those. */
  readonly isRequired: boolean;
}

/** One comparison: `key` as the where object has it. */
export interface Comparison {
  readonly attribute: EncryptedAttribute;
  readonly key: string;
  readonly scope: Scope;
}

/**
 * "It has one of the tokens, and it is one of the rows that really hold one of the values". "… or has no token" makes the
 * whole unknown where it would be false, so that NOT leaves rows without a value out, as in SQL. A row can change between
 * reading and changing it: then its token does, and what is stored always, which UPDATE and DELETE compare too. Of a row
 * with the token that is not as it was read nobody knows whether it fits, and so not whether it fits NOT either.
 */
export async function rowsHolding(
  comparison: Comparison,
  values: readonly unknown[],
): Promise<unknown> {
  const { attribute, key, scope } = comparison;
  refuseOperatorsInside(attribute, values);
  if (values.includes(null))
    refuse(attribute, "cannot be compared with a list that has null in it; use Op.is");
  const tokens = values.flatMap((value) => cipherOf(attribute).indexTokens(value));
  const candidates = await readCandidates(comparison, tokens);
  const rows = holdingOneOf(candidates, attribute, values);
  const { lookups, isRequired } = scope;
  lookups?.push({ attribute, candidates, holding: rows, isRequired });
  const index = keyFor(attribute, key) as string;
  const primaryKeys = Object.values(modelOf(comparison).primaryKeys);
  const stored = keyOf(attribute.field, key);
  const isAsRead = { [stored]: { [Op.in]: sealed(rows) } };
  const isExact = isExactKey(primaryKeys);
  const isOneOf = isExact || rows.length === 0 ? primaryKeyIn(primaryKeys, rows, key) : [isAsRead];
  const isFound =
    lookups && rows.length > 0 ? [{ [Op.and]: [{ [Op.or]: isOneOf }, isAsRead] }] : isOneOf;
  const isUnknown = lookups
    ? [{ [Op.and]: [{ [stored]: { [Op.notIn]: sealed(candidates) } }, new Utils.Literal("NULL")] }]
    : [];
  return {
    [Op.and]: [
      { [index]: { [Op.in]: tokens } },
      { [Op.or]: [...isFound, { [index]: { [Op.is]: null } }, ...isUnknown] },
    ],
  };
}

function sealed(rows: readonly Row[]): Sealed[] {
  return rows.flatMap(({ [STORED]: stored }) =>
    stored === null ? [] : [new Sealed(stored as Stored)],
  );
}

export type Row = Record<string, unknown>;

export const STORED = "fieldseal_stored";

/** The column under a name that is not decrypted: SQL of one's own is left alone. */
function storedForm({ Model: model, field }: EncryptedAttribute): [object, string] {
  const generator = queryGeneratorOf(model.sequelize);
  const quote = (name: string): string => generator.quoteIdentifier(name);
  return [new Utils.Literal(`${quote(model.name)}.${quote(field)}`), STORED];
}

/** The rows behind the tokens, with their primary keys and the value, by attribute. */
async function readCandidates(
  comparison: Comparison,
  tokens: readonly string[],
): Promise<readonly Row[]> {
  const { attribute, scope } = comparison;
  const model = modelOf(comparison);
  const primaryKeys = Object.keys(model.primaryKeys);
  if (primaryKeys.length === 0) {
    return refuse(
      attribute,
      "has a short blindIndex, but its table has no primary key to answer with; use 256 bits",
    );
  }
  const cipher = cipherOf(attribute);
  const isExact = isExactKey(Object.values(model.primaryKeys));
  const index = cipher.blindIndex?.column as string;
  const candidates = (await model.unscoped().findAll({
    attributes: [
      ...primaryKeys,
      attribute.fieldName,
      ...(scope.lookups || !isExact ? [storedForm(attribute)] : []),
    ],
    where: { [model.fieldRawAttributesMap[index]?.fieldName ?? index]: tokens },
    raw: true,
    paranoid: false,
    hooks: false,
    limit: MAX_INDEX_CANDIDATES + 1,
    ...scope.context,
  })) as Row[];
  if (candidates.length > MAX_INDEX_CANDIDATES) {
    return refuse(
      attribute,
      `has a blindIndex so short that more than ${MAX_INDEX_CANDIDATES} rows share a token; use more bits`,
    );
  }
  return candidates;
}

function holdingOneOf(
  candidates: readonly Row[],
  attribute: EncryptedAttribute,
  values: readonly unknown[],
): Row[] {
  const cipher = cipherOf(attribute);
  const wanted = new Set(values.map((value) => cipher.indexForm(value)));
  return candidates.filter((row) => {
    const value = row[attribute.fieldName];
    return value !== null && value !== undefined && wanted.has(cipher.indexForm(value));
  });
}

/** The model that holds the attribute, as the statement uses it: `Model.schema()` gives another one of the same table. */
function modelOf({ attribute, key, scope }: Comparison): ModelClass {
  let { model, include } = scope;
  const steps = key.startsWith("$") ? key.slice(1, -1).split(".").slice(0, -1) : [];
  for (const step of steps) {
    const node = include?.find(({ as }) => as === step);
    if (node) ({ model, include } = node);
  }
  return namedAttribute(model, attribute.fieldName) === attribute ? model : attribute.Model;
}

/** A Date has milliseconds, a timestamp of PostgreSQL microseconds: as a key it may find no row. */
export function isExactKey(primaryKeys: readonly Attribute[]): boolean {
  return primaryKeys.every(({ type }) => !(type instanceof DataTypes.DATE));
}

/** No condition for no rows; the columns stand beside the one that `key` names. */
export function primaryKeyIn(
  primaryKeys: readonly Attribute[],
  rows: readonly Row[],
  key: string,
): Where[] {
  const [only] = primaryKeys;
  if (rows.length === 0) return [];
  if (only && primaryKeys.length === 1)
    return [{ [keyOf(only.field, key)]: { [Op.in]: rows.map((row) => row[only.fieldName]) } }];
  return rows.map((row) =>
    Object.fromEntries(
      primaryKeys.map(({ field, fieldName }) => [keyOf(field, key), row[fieldName]]),
    ),
  );
}
