// Blind indexes of few bits: several values share a token. Before a statement of the entity manager runs, each
// condition on such an index is answered exactly: the rows with the token are read, decrypted and compared, and the
// condition names their primary keys as well. So counting, limits, NOT, UPDATE and DELETE mean the value alone.
import { cipherOf, encryptedTypeOf, unsupportedQuery, type BoundType } from "./binding.ts";
import { companionOf } from "./companion.ts";
import {
  losesBrackets,
  metaOf,
  wrapEntityManagerWhere,
  type NativeChange,
  type StatementContext,
} from "./entity-manager-internals.ts";
import { indexTokens } from "./found-rows.ts";
import {
  holdingOneOf,
  isExactKey,
  keyIn,
  readCandidates,
  type Candidate,
  type Lookup,
} from "./index-candidates.ts";
import {
  isRawSql,
  propertiesOf,
  targetOf,
  type Meta,
  type Properties,
  type Property,
  type Row,
} from "./mikro-orm-internals.ts";
import { isPlainObject } from "./plain-object.ts";
import { refuseRawOperand } from "./raw-sql.ts";
import { DeterministicTerm } from "./search-term.ts";

const OPERATORS: ReadonlySet<string> = new Set(["$eq", "$ne", "$in", "$nin"]);
const GROUPS: ReadonlySet<string | symbol> = new Set(["$and", "$or", "$not"]);
const NEGATIONS: ReadonlySet<string> = new Set(["$not", "$none", "$every"]);

let isInstalled = false;

/** `em.find`, `findOne`, `count`, `nativeUpdate` and `nativeDelete` of both versions prepare conditions here. */
export function installShortIndexes(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapEntityManagerWhere(async (context, entityName, where) => {
    const meta = metaOf(context.em, entityName);
    return meta && hasShortIndex(meta) ? resolve(where, { context, meta }) : where;
  });
}

/** The condition of a change by an entity with a short index, and what was read to answer it. */
export async function resolveChange(
  { context, where }: NativeChange,
  meta: Meta,
): Promise<{ readonly where: unknown; readonly lookups: readonly Lookup[] }> {
  const lookups: Lookup[] = [];
  const scope: Scope = { context, meta, lookups };
  // Only to know what they depend on: they are resolved by themselves.
  await resolve(context.options.unionWhere, { ...scope, isAlternative: true });
  // A list that stands alone is one of alternatives.
  const whole = Array.isArray(where) ? { $or: where } : where;
  return { where: await resolve(whole, scope), lookups };
}

const withShortIndex = new WeakMap<Meta, boolean>();

/** Of the entity itself or of one that a relation leads to, at any distance. */
export function hasShortIndex(meta: Meta, seen: ReadonlySet<Meta> = new Set()): boolean {
  const known = withShortIndex.get(meta);
  if (known !== undefined) return known;
  const visited = new Set([...seen, meta]);
  const found = Object.values(propertiesOf(meta)).some((prop) => {
    if (shortlyIndexed(prop)) return true;
    const target = targetOf(prop);
    return target !== undefined && !visited.has(target) && hasShortIndex(target, visited);
  });
  if (seen.size === 0) withShortIndex.set(meta, found);
  return found;
}

function shortlyIndexed(prop: Property | undefined): BoundType | undefined {
  const type = encryptedTypeOf(prop);
  const isShort = type?.options.blindIndex && cipherOf(type).blindIndex?.isExact === false;
  return isShort ? type : undefined;
}

/** The entity whose table is asked, with the properties that keys mean here: its own, or those of an embeddable. */
interface Scope {
  readonly context: StatementContext;
  readonly meta: Meta;
  readonly properties?: Properties | undefined;
  /** Whether rows that do not fit may be the ones that are asked for. */
  readonly isNegated?: boolean;
  /** Whether it is one of several alternatives. */
  readonly isAlternative?: boolean;
  /** Whether a relation leads here. */
  readonly isRelated?: boolean;
  /** Takes what is read for a change. */
  readonly lookups?: Lookup[];
}

/** The condition with every comparison of a shortly indexed property replaced; the original is not touched. */
async function resolve(where: unknown, scope: Scope): Promise<unknown> {
  if (Array.isArray(where)) {
    const items: unknown[] = [];
    for (const item of where) items.push(isCondition(item) ? await resolve(item, scope) : item);
    return items;
  }
  if (!isPlainObject(where)) return where;
  const { kept, found } = await resolveParts(where, scope);
  if (found.length === 0) return kept;
  const isAlone = found.length === 1 && Reflect.ownKeys(kept).length === 0;
  return isAlone && losesBrackets(scope.context.em)
    ? found[0]
    : { ...kept, $and: [...listIn(kept.$and), ...found] };
}

/** Query builders are no conditions, and run when they are awaited. */
function isCondition(value: unknown): boolean {
  return Array.isArray(value) || isPlainObject(value);
}

/** `found` are the conditions that replace others, each to stand by itself: they are all on the primary key. */
async function resolveParts(
  where: Readonly<Record<string, unknown>>,
  scope: Scope,
): Promise<{ readonly kept: Row; readonly found: readonly unknown[] }> {
  const { properties = propertiesOf(scope.meta) } = scope;
  const kept: Row = {};
  const found: unknown[] = [];
  for (const key of Reflect.ownKeys(where) as string[]) {
    const { [key]: value } = where;
    const prop = typeof key === "string" ? properties[key] : undefined;
    const type = shortlyIndexed(prop);
    if (prop && type && isComparison(value)) {
      found.push(...(await resolveComparison({ prop, type, scope }, value)));
    } else if (prop?.embeddedProps && isPlainObject(value)) {
      const inner = { ...scope, properties: prop.embeddedProps as Properties };
      const parts = await resolveParts(value, inner);
      // Said of the owner: an embeddable has no primary key.
      found.push(...parts.found);
      if (Reflect.ownKeys(parts.kept).length > 0) kept[key] = parts.kept;
    } else {
      const isGroup = isCondition(value);
      kept[key] = isGroup ? await resolve(value, innerScope(key, prop, scope)) : value;
    }
  }
  return { kept, found };
}

/** Operators of a plain property hold nothing of ours, whatever they are resolved in. */
function innerScope(key: string, prop: Property | undefined, scope: Scope): Scope {
  const isNegated = scope.isNegated === true || NEGATIONS.has(key);
  const isAlternative = scope.isAlternative === true || key === "$or";
  const inner = { ...scope, isNegated, isAlternative };
  if (GROUPS.has(key)) return inner;
  const target = targetOf(prop);
  const isRelated = scope.isRelated === true || target !== undefined;
  return { ...inner, meta: target ?? scope.meta, properties: undefined, isRelated };
}

function listIn(list: unknown): readonly unknown[] {
  return (list as unknown[] | undefined) ?? [];
}

/** null is compared as it is; what else is no equality is refused where values are converted. */
function isComparison(value: unknown): boolean {
  if (value === null || value === undefined || isRawSql(value)) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (!isPlainObject(value)) return true;
  const operators = Object.entries(value);
  return (
    operators.length > 0 &&
    operators.every(([operator, operand]) => OPERATORS.has(operator) && !isStored(operand))
  );
}

/** Of a condition that was resolved before, and is asked again of the relation itself. */
function isStored(operand: unknown): boolean {
  return Array.isArray(operand) && operand.some((item) => item instanceof DeterministicTerm);
}

interface Comparison {
  readonly prop: Property;
  readonly type: BoundType;
  readonly scope: Scope;
}

async function resolveComparison(comparison: Comparison, value: unknown): Promise<unknown[]> {
  const { name } = comparison.prop;
  const operations = isPlainObject(value) ? Object.entries(value) : [["$in", value] as const];
  const conditions: unknown[] = [];
  for (const [operator, operand] of operations) {
    // Elsewhere an array is a JSON value.
    const isList = Array.isArray(operand) && (operator === "$in" || operator === "$nin");
    const isNothing = operand === null || (isList && operand.length === 0);
    if (isNothing || isRawSql(operand)) {
      conditions.push({ [name]: { [operator]: operand } });
      continue;
    }
    const values = isList ? (operand as unknown[]) : [operand];
    const isNegation = operator === "$ne" || operator === "$nin";
    const looked = await lookUp(comparison, values);
    const { lookups, isNegated, isAlternative, isRelated = false } = comparison.scope;
    const isRequired = !isNegation && !isNegated && !isAlternative && !isRelated;
    lookups?.push({ ...looked, isRelated, isRequired });
    conditions.push(isNegation ? rowsNotHolding(looked) : rowsHolding(looked));
  }
  return conditions;
}

/** What the query before the statement found. */
interface Looked extends Comparison, Pick<Lookup, "type" | "candidates" | "holding"> {
  readonly companion: string;
  readonly tokens: readonly unknown[];
}

async function lookUp(comparison: Comparison, values: readonly unknown[]): Promise<Looked> {
  const { type } = comparison;
  refuseRawOperand(type, values);
  if (values.some((value) => value === null || value === undefined)) {
    throw unsupportedQuery(type, "cannot be compared with a list that has null in it");
  }
  const companion = companionOf(type);
  const tokens = values.flatMap((value) => indexTokens(type, value));
  const candidates = await readCandidates(comparison, { [companion]: { $in: tokens.map(String) } });
  const holding = holdingOneOf(candidates, comparison, values);
  return { ...comparison, companion, tokens, candidates, holding };
}

/**
 * "It has one of the tokens, and it is one of the rows that really hold one of the values". A row may change between the
 * two statements: then what is stored does, which UPDATE and DELETE compare too.
 */
function rowsHolding(looked: Looked): Row {
  const { prop, scope, companion, tokens, holding } = looked;
  if (scope.isNegated === true) return rowsHoldingOrUnknown(looked);
  const isOne = anyOf(looked);
  if (scope.context.isChange) {
    return { $and: [{ [companion]: { $in: tokens } }, isOne, isAsRead(prop, holding)] };
  }
  // MikroORM merges conditions on relations into joins key by key, and loses brackets. So there are none, and in version 6
  // one key where there are alternatives.
  const isOneKey = scope.isRelated && scope.isAlternative && losesBrackets(scope.context.em);
  if (isOneKey) return isAsRead(prop, holding);
  return { $and: [{ [companion]: { $in: tokens } }, isOne] };
}

/** Without NOT where that can be, for the same reason. */
function rowsNotHolding(looked: Looked): Row {
  const { prop, scope, companion, holding } = looked;
  const [key = "", ...more] = scope.meta.primaryKeys;
  if (scope.isNegated === true || scope.context.isChange || more.length > 0) {
    return { $not: rowsHoldingOrUnknown(looked) };
  }
  const others = isExactKey(scope.meta)
    ? { [key]: { $nin: holding.map(({ row }) => row[key]) } }
    : { [prop.name]: { $nin: storedIn(holding) } };
  return { $and: [{ [companion]: { $ne: null } }, ...(holding.length === 0 ? [] : [others])] };
}

/**
 * For NOT: the whole is unknown, and not false, of rows without a token, as in SQL, and of rows that are not as they were
 * read. Unknown is what a comparison with NULL gives.
 */
function rowsHoldingOrUnknown(looked: Looked): Row {
  const { prop, scope, companion, tokens, candidates, holding } = looked;
  const isOne = [anyOf(looked)];
  const { isChange } = scope.context;
  if (isChange) isOne.push(isAsRead(prop, holding));
  const isUnknown = isChange ? [changedSince(prop.name, companion, candidates)] : [];
  const isOneOrUnknown = { $or: [{ $and: isOne }, { [companion]: null }, ...isUnknown] };
  return { $and: [{ [companion]: { $in: tokens } }, isOneOrUnknown] };
}

function isAsRead({ name }: Property, rows: readonly Candidate[]): Row {
  return { [name]: { $in: storedIn(rows) } };
}

function changedSince(name: string, companion: string, candidates: readonly Candidate[]): Row {
  const unknown = { [companion]: { $in: [null] } };
  const stored = storedIn(candidates);
  return stored.length === 0 ? unknown : { $and: [{ [name]: { $nin: stored } }, unknown] };
}

function storedIn(rows: readonly Candidate[]): DeterministicTerm[] {
  return rows.map(({ stored }) => new DeterministicTerm([stored], "$in"));
}

function anyOf({ prop, scope: { meta }, holding }: Looked): Row {
  return isExactKey(meta) ? keyIn(meta, holding) : isAsRead(prop, holding);
}
