// A blind index of few bits lets several values share a token. Before a statement runs, each condition on such an
// index is answered exactly: the rows with the token are read, decrypted and compared, and the condition names their
// primary keys as well. So counting, limits, NOT, UPDATE and DELETE mean the value, never its neighbours.
import { Op, Utils } from "sequelize";
import { isPlainObject } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import {
  rowsHolding,
  type Comparison,
  type Lookup,
  type ReadContext,
  type Scope,
  type Where,
} from "./index-candidates.ts";
import {
  attributeOfKey,
  EQUALITY_OPERATORS,
  isList,
  isNegation,
  isPath,
  takesList,
} from "./search.ts";
import type { IncludeNode, SelectNode } from "./query-internals.ts";
import type { ModelClass } from "./sequelize-internals.ts";

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
  return model ? resolveIn(where, { model, include, context, isRequired: true }) : where;
}

/** The same for UPDATE and DELETE: read from the server that will be written, a replica may not know the rows yet. */
export async function resolveChange(
  where: unknown,
  model: ModelClass | undefined,
  context: ReadContext,
): Promise<{ readonly where: unknown; readonly lookups: readonly Lookup[] }> {
  const lookups: Lookup[] = [];
  if (!model) return { where, lookups };
  const onPrimary = { ...context, useMaster: true };
  const scope = { model, context: onPrimary, lookups, isRequired: true };
  return { where: await resolveIn(where, scope), lookups };
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
      const inner = key === Op.and ? scope : optional(scope);
      kept[key] = GROUPS.has(key) ? await resolveIn(partsOf(key, value), inner) : value;
    }
  }
  if (resolved.length > 0) return { [Op.and]: [kept, ...resolved] };
  const isSame = Reflect.ownKeys(kept).every((key) => kept[key] === where[key]);
  return isSame ? where : kept;
}

const GROUPS: ReadonlySet<PropertyKey> = new Set([Op.and, Op.or, Op.not]);

/** Inside of NOT, or beside alternatives. */
function optional(scope: Scope): Scope {
  return { ...scope, isRequired: false };
}

/** `[Op.or]: { a: 1, b: 2 }` means either; as a list its parts stay apart when one of them becomes several. */
function partsOf(key: PropertyKey, value: unknown): unknown {
  if (key !== Op.or || !isPlainObject(value) || Reflect.ownKeys(value).length < 2) return value;
  return Reflect.ownKeys(value).map((name) => ({ [name]: value[name] }));
}

function isShort(attribute: EncryptedAttribute): boolean {
  return cipherOf(attribute).blindIndex?.isExact === false;
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
  const { key, scope } = comparison;
  // Like Sequelize, which looks at nothing else where one of these two is.
  const group = [Op.or, Op.and].find((operator) => operator in value);
  const inner = group === undefined ? value : value[group];
  const parts = Array.isArray(inner)
    ? inner.map((item: unknown) => [undefined, item] as const)
    : (group === undefined ? operators : Object.getOwnPropertySymbols(inner)).map(
        (operator) => [operator, (inner as Where)[operator]] as const,
      );
  const part = group === Op.or ? { ...comparison, scope: optional(scope) } : comparison;
  const conditions: unknown[] = [];
  for (const [operator, operand] of parts) {
    const condition =
      operator === undefined
        ? await resolveCondition(part, operand)
        : await resolveOperator(part, operator, operand);
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
  const values = isOfMany ? (operand as unknown[]) : [operand];
  if (!isNegation(operator)) return rowsHolding(comparison, values);
  const scope = optional(comparison.scope);
  return { [Op.not]: await rowsHolding({ ...comparison, scope }, values) };
}
