// A blind index of few bits lets several values share a token. Before a statement runs, each condition on such an
// index is answered exactly: the rows with the token are read, decrypted and compared, and the condition names their
// primary keys as well. So counting, limits, NOT, UPDATE and DELETE mean the value, never its neighbours.
import { Op, Utils } from "sequelize";
import { isPlainObject, namedAttribute } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import {
  attributeOfKey,
  EQUALITY_OPERATORS,
  isList,
  isNegation,
  isPath,
  keyFor,
  keyOf,
  refuse,
  takesList,
} from "./search.ts";
import type { IncludeNode, SelectNode } from "./query-internals.ts";
import type { Attribute, ModelClass } from "./sequelize-internals.ts";

/** From here on two values share a token with a chance below 2^-64 even among 2^32 rows. */
const EXACT_BITS = 128;
const MAX_ROWS = 10_000;

/** Where and how to read: as the statement itself does. */
export interface ReadContext {
  readonly transaction?: unknown;
  readonly logging?: unknown;
  readonly searchPath?: unknown;
  readonly useMaster?: boolean;
}

type Where = Record<PropertyKey, unknown>;

/** What a condition stands in: its model (of the schema in use), and the models that it can reach by association. */
interface Scope {
  readonly model: ModelClass;
  readonly include?: readonly IncludeNode[] | undefined;
  readonly context: ReadContext;
}

/**
 * Resolves all conditions of a SELECT: the root's in a copy of the options, those of includes in place, because
 * Sequelize refers to its own copies of them from several sides (includeMap, parent, subquery filters).
 */
export async function resolveSelect<Options extends SelectNode>(
  options: Options,
  model: ModelClass | undefined,
  context: ReadContext,
): Promise<Options> {
  await resolveIncludes(options.include, context);
  const where = await resolveWhere(options.where, model, context, options.include);
  return where === options.where ? options : { ...options, where };
}

async function resolveIncludes(
  includes: readonly IncludeNode[] | undefined,
  context: ReadContext,
): Promise<void> {
  for (const node of includes ?? []) {
    if (node.separate === true) continue; // a statement of its own, which comes here by itself
    const { model, through } = node;
    await resolveProperty(node, "where", model, context);
    await resolveProperty(node, "on", model, context);
    if (through) await resolveProperty(through, "where", through.model, context);
    await resolveIncludes(node.include, context);
  }
}

async function resolveProperty<Name extends string>(
  owner: { [name in Name]?: unknown } & { readonly include?: readonly IncludeNode[] },
  name: Name,
  model: ModelClass | undefined,
  context: ReadContext,
): Promise<void> {
  const where = await resolveWhere(owner[name], model, context, owner.include);
  if (where !== owner[name]) owner[name] = where as never;
}

export async function resolveWhere(
  where: unknown,
  model: ModelClass | undefined,
  context: ReadContext,
  include?: readonly IncludeNode[],
): Promise<unknown> {
  return model ? resolveIn(where, { model, include, context }) : where;
}

async function resolveIn(where: unknown, scope: Scope): Promise<unknown> {
  if (Array.isArray(where)) {
    const items: unknown[] = [];
    for (const item of where) items.push(await resolveIn(item, scope));
    return items.every((item, i) => item === where[i]) ? where : items;
  }
  if (!isPlainObject(where)) return where;
  const kept: Where = {};
  // Each resolved condition stands in an AND of its own: two of them are both on the primary key.
  const resolved: unknown[] = [];
  for (const key of Reflect.ownKeys(where)) {
    const value = where[key];
    const attribute = attributeOfKey(key, { model: scope.model });
    const isOurs = attribute !== undefined && isShort(attribute) && !isPath(key, attribute);
    if (isOurs) {
      const condition = await resolveCondition({ attribute, key: String(key), scope }, value);
      if (condition !== undefined) resolved.push(condition);
      else kept[key] = value;
    } else {
      kept[key] = GROUPS.has(key) ? await resolveIn(partsOf(key, value), scope) : value;
    }
  }
  if (resolved.length > 0) return { [Op.and]: [kept, ...resolved] };
  const isSame = Reflect.ownKeys(kept).every((key) => kept[key] === where[key]);
  return isSame ? where : kept;
}

const GROUPS: ReadonlySet<PropertyKey> = new Set([Op.and, Op.or, Op.not]);

/** `[Op.or]: { a: 1, b: 2 }` means either; as a list its parts stay apart when one of them becomes several. */
function partsOf(key: PropertyKey, value: unknown): unknown {
  if (key !== Op.or || !isPlainObject(value) || Reflect.ownKeys(value).length < 2) return value;
  return Reflect.ownKeys(value).map((name) => ({ [name]: value[name] }));
}

function isShort(attribute: EncryptedAttribute): boolean {
  const index = cipherOf(attribute).blindIndex;
  return index !== undefined && index.bits < EXACT_BITS;
}

/** One comparison: `key` as the where object has it. */
interface Comparison {
  readonly attribute: EncryptedAttribute;
  readonly key: string;
  readonly scope: Scope;
}

/** The condition that means the same; undefined for what needs no index (NULL) or is refused later. */
async function resolveCondition(comparison: Comparison, value: unknown): Promise<unknown> {
  if (value === null || value === undefined || value instanceof Utils.SequelizeMethod)
    return undefined;
  const operators = isPlainObject(value) ? Object.getOwnPropertySymbols(value) : [];
  if (operators.length > 0) return resolveOperators(comparison, value as Where, operators);
  const values = isList(comparison.attribute, value) ? value : [value];
  return values.length === 0 ? undefined : rowsHolding(comparison, values);
}

async function resolveOperators(
  comparison: Comparison,
  value: Where,
  operators: readonly symbol[],
): Promise<unknown> {
  const { key } = comparison;
  // Like Sequelize, which looks at nothing else where one of these two is.
  const group = [Op.or, Op.and].find((operator) => operator in value);
  const inner = group === undefined ? value : value[group];
  const parts = Array.isArray(inner)
    ? inner.map((item: unknown) => [undefined, item] as const)
    : (group === undefined ? operators : Object.getOwnPropertySymbols(inner)).map(
        (operator) => [operator, (inner as Where)[operator]] as const,
      );
  const conditions: unknown[] = [];
  for (const [operator, operand] of parts) {
    const condition =
      operator === undefined
        ? await resolveCondition(comparison, operand)
        : await resolveOperator(comparison, operator, operand);
    conditions.push(
      condition ?? { [key]: operator === undefined ? operand : { [operator]: operand } },
    );
  }
  return { [group ?? Op.and]: conditions };
}

async function resolveOperator(
  comparison: Comparison,
  operator: symbol,
  operand: unknown,
): Promise<unknown> {
  if (operator === Op.and || operator === Op.or)
    return resolveOperators(comparison, { [operator]: operand }, [operator]);
  const isRefused = !EQUALITY_OPERATORS.has(operator) || operand instanceof Utils.SequelizeMethod;
  if (operand === null || isRefused) return undefined;
  const isOfMany = takesList(operator, operand);
  if (isOfMany && (!Array.isArray(operand) || operand.length === 0)) return undefined;
  const found = await rowsHolding(comparison, isOfMany ? (operand as unknown[]) : [operand]);
  return isNegation(operator) ? { [Op.not]: found } : found;
}

/**
 * "It has one of the tokens, and it is one of the rows that really hold one of the values". The token stays in the
 * condition for rows that change in between. "… or has no token" makes the whole unknown where it would be false, so that
 * NOT leaves rows without a value out, as in SQL.
 */
async function rowsHolding(comparison: Comparison, values: readonly unknown[]): Promise<unknown> {
  const { attribute, key } = comparison;
  if (values.includes(null))
    refuse(attribute, "cannot be compared with a list that has null in it; use Op.is");
  const tokens = values.flatMap((value) => cipherOf(attribute).indexTokens(value));
  const rows = await readRows(comparison, values, tokens);
  const index = keyFor(attribute, key) as string;
  const isOneOf = primaryKeyIn(Object.values(modelOf(comparison).primaryKeys), rows, key);
  return {
    [Op.and]: [
      { [index]: { [Op.in]: tokens } },
      { [Op.or]: [...isOneOf, { [index]: { [Op.is]: null } }] },
    ],
  };
}

type Row = Record<string, unknown>;

/** The rows behind the tokens that hold one of the values: their primary keys, by attribute. */
async function readRows(
  comparison: Comparison,
  values: readonly unknown[],
  tokens: readonly string[],
): Promise<Row[]> {
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
  const index = cipher.blindIndex?.column as string;
  const candidates = (await model.unscoped().findAll({
    attributes: [...primaryKeys, attribute.fieldName],
    where: { [model.fieldRawAttributesMap[index]?.fieldName ?? index]: tokens },
    raw: true,
    paranoid: false,
    hooks: false,
    limit: MAX_ROWS + 1,
    ...scope.context,
  })) as Row[];
  if (candidates.length > MAX_ROWS) {
    return refuse(
      attribute,
      `has a blindIndex so short that more than ${MAX_ROWS} rows share a token; use more bits`,
    );
  }
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

/** No condition for no rows; the columns stand beside the one that `key` names. */
function primaryKeyIn(
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
