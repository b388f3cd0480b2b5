// Conditions and orderings. MikroORM converts the values of a condition one by one through their types; what a type
// cannot do there is change the column that is compared. That happens here, behind `QueryHelper.processWhere`, which
// every condition of both versions passes: em.find and friends, query builders, filters, populateWhere.
import { encryptedTypeOf, unsupportedQuery } from "./binding.ts";
import { isOperator, prepareCondition, type Condition } from "./conditions.ts";
import { propertyOfKey, wrapProcessWhere, type WhereOptions } from "./mikro-orm-internals.ts";
import { encryptedBehind } from "./other-names.ts";
import { DeterministicTerm, IndexTerm } from "./search-term.ts";
import { isPlainObject } from "./plain-object.ts";

let isInstalled = false;

/** Once per process and version of MikroORM: the method is static. It changes conditions only that hold our terms. */
export function installSearch(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapProcessWhere((original) => (options) => {
    if (options.type === "orderBy") {
      refuseOrdering(options);
      return original(options);
    }
    return searchByIndex(withLists(original({ ...options, where: prepareCondition(options) })));
  });
}

/** Terms in a bare array were converted before MikroORM made it `$in`. */
function withLists(where: unknown): unknown {
  if (!isPlainObject(where)) return where;
  for (const value of Object.values(where)) {
    if (!isPlainObject(value) || !Array.isArray(value.$in)) continue;
    value.$in = value.$in.map((item: unknown) =>
      item instanceof DeterministicTerm ? item.inList() : item,
    );
  }
  return where;
}

/** `{ email: term }` becomes `{ emailIndex: { $in: tokens } }`, at this level of nesting. */
function searchByIndex(where: unknown): unknown {
  if (!isPlainObject(where)) return where;
  const entries = Object.entries(where);
  if (!entries.some(([key, value]) => !isOperator(key) && holdsTerm(value))) return where;
  const symbols = Object.getOwnPropertySymbols(where).map((symbol) => [
    symbol,
    where[symbol as never],
  ]);
  const rewritten: Condition[] = [];
  const kept: Condition = Object.fromEntries(symbols) as Condition;
  for (const [key, value] of entries) {
    if (isOperator(key) || !holdsTerm(value)) kept[key] = value;
    else rewritten.push(...onCompanion(key, value));
  }
  return withConditions(kept, rewritten);
}

/**
 * Beside the others, or in a list where there is one for the same property already. Not always in a list: MikroORM
 * takes a list inside of `$or` for conditions that must all hold, where it merges filters into joins.
 */
function withConditions(where: Condition, added: readonly Condition[]): Condition {
  const whole = { ...where };
  const listed: Condition[] = [];
  for (const condition of added) {
    const [key = ""] = Object.keys(condition);
    if (key in whole) listed.push(condition);
    else Object.assign(whole, condition);
  }
  if (listed.length === 0) return whole;
  return { ...whole, $and: [...((whole.$and as Condition[] | undefined) ?? []), ...listed] };
}

function onCompanion(key: string, value: unknown): Condition[] {
  const operations: [string, unknown][] =
    value instanceof IndexTerm ? [["$eq", value]] : Object.entries(value as Condition);
  return operations.map(([operator, operand]) => {
    const terms: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
    const term = terms.find((one) => one instanceof IndexTerm);
    if (term === undefined) return { [key]: { [operator]: operand } }; // `$ne: null` beside a term
    const isNegated = operator === "$ne" || operator === "$nin";
    const tokens = terms.flatMap((one): readonly unknown[] =>
      one instanceof IndexTerm ? one.tokens : [one],
    );
    const companion = [...key.split(".").slice(0, -1), term.companion].join(".");
    return { [companion]: { [isNegated ? "$nin" : "$in"]: tokens } };
  });
}

function holdsTerm(value: unknown): boolean {
  if (value instanceof IndexTerm) return true;
  if (Array.isArray(value)) return value.some((item) => item instanceof IndexTerm);
  if (!isPlainObject(value)) return false;
  return Object.entries(value).some(
    ([key, operand]) =>
      isOperator(key) &&
      (operand instanceof IndexTerm ||
        (Array.isArray(operand) && operand.some((item) => item instanceof IndexTerm))),
  );
}

/** The order of ciphertext is noise; a cursor would hold the plaintext besides. */
function refuseOrdering(options: WhereOptions): void {
  if (!isPlainObject(options.where)) return;
  for (const key of Object.keys(options.where)) {
    const prop = propertyOfKey(key, options);
    const type = prop ? encryptedTypeOf(prop) : encryptedBehind(key, options);
    if (type) throw unsupportedQuery(type, "cannot be sorted by");
  }
}
