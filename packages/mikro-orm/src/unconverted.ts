// Conditions that MikroORM takes to SQL past its own conversion of values, plaintext and all: `populateWhere` and
// `populateFilter` of joined relations, those and `where` of many-to-many collections, and the search for the row of
// an upsert by its unique properties.
import { encryptedTypeOf } from "./binding.ts";
import { isOperator, prepareEmbeddable, type Condition } from "./conditions.ts";
import {
  entityNameOf,
  processWhere,
  targetOf,
  type Property,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { isPlainObject } from "./plain-object.ts";
import { isRawNull } from "./raw-sql.ts";
import { DeterministicTerm } from "./search-term.ts";

/** The condition with encrypted properties converted, at any depth. What is converted already stays as it is. */
export function convertUnconverted(options: WhereOptions): unknown {
  const { where } = options;
  if (Array.isArray(where))
    return where.map((item) => convertUnconverted({ ...options, where: item }));
  if (!isPlainObject(where)) return where;
  const meta = options.metadata.find(options.entityName);
  const parts = Reflect.ownKeys(where).map((key): Condition => {
    const given = where[key as string];
    if (typeof key === "symbol") return { [key]: given };
    if (isOperator(key)) return { [key]: convertUnconverted({ ...options, where: given }) };
    const prop = meta?.properties[key as never] as Property | undefined;
    const value = prop ? prepareEmbeddable(prop, given, options) : given;
    const isOurs = encryptedTypeOf(prop) !== undefined && !isConverted(value);
    if (isOurs) return processWhere({ ...options, where: { [key]: value } }) as Condition;
    const target = targetOf(prop);
    if (target === undefined) return { [key]: value };
    const entityName = entityNameOf(target, options.metadata);
    return { [key]: convertUnconverted({ ...options, entityName, where: value }) };
  });
  return parts.every((part) => isSamePart(part, where)) ? where : merged(parts);
}

/** Nothing is left in it that would show. A filter's condition is marked by MikroORM and must stay the same object. */
function isConverted(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isConverted);
  if (isPlainObject(value)) {
    const operators = Object.keys(value);
    return (
      operators.length > 0 &&
      operators.every((name) => isOperator(name) && isConverted(value[name]))
    );
  }
  return (
    value === null || value === undefined || isRawNull(value) || value instanceof DeterministicTerm
  );
}

function isSamePart(part: Condition, where: Condition): boolean {
  const [key, ...more] = Reflect.ownKeys(part) as string[];
  return more.length === 0 && key !== undefined && part[key] === where[key];
}

/** Conditions on companion properties come as lists, which must not replace one another. */
function merged(parts: readonly Condition[]): Condition {
  const whole: Condition = {};
  for (const { $and, ...others } of parts) {
    Object.assign(whole, others);
    if ($and !== undefined) {
      whole.$and = [...((whole.$and as unknown[] | undefined) ?? []), ...($and as unknown[])];
    }
  }
  return whole;
}
