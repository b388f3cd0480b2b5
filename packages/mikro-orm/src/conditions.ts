// What a condition may ask of encrypted properties, checked before MikroORM looks at it: its own errors quote the
// condition, keys that it cannot place get no conversion, and it takes a JSON value for a nested condition.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { bindingOf, encryptedTypeOf, unsupportedQuery, type BoundType } from "./binding.ts";
import {
  directPropertyOfKey,
  isInsideDocument,
  isRawSql,
  propertyOfKey,
  type Property,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { encryptedBehind } from "./other-names.ts";
import { isPlainObject } from "./plain-object.ts";
import {
  encryptedInside,
  isRawNull,
  refuseRawEmbeddable,
  refuseRawKeys,
  refuseRawOperand,
} from "./raw-sql.ts";

export type Condition = Record<string, unknown>;

export function isOperator(key: string): boolean {
  return key.startsWith("$");
}

const GROUPS: ReadonlySet<string> = new Set(["$and", "$or", "$not"]);
const COMPARISONS: ReadonlySet<string> = new Set(["$eq", "$ne", "$in", "$nin"]);
/** What MikroORM lets follow the name of an embeddable that is stored as JSON. */
const ON_DOCUMENTS: ReadonlySet<string> = new Set(
  "$eq $ne $exists $elemMatch $some $none $every $size $all".split(" "),
);

/**
 * The condition in a form that MikroORM converts: a path into an inline embeddable becomes the property's own name,
 * objects that are compared with JSON columns become terms. The same object when there is nothing to do.
 *
 * @throws {@link UnsupportedQueryError} for what ciphertext cannot answer
 */
export function prepareCondition(options: WhereOptions): unknown {
  const { where } = options;
  if (!isPlainObject(where)) return where;
  refuseRawKeys(where, options);
  let prepared: Condition | undefined;
  for (const key of Object.keys(where)) {
    if (isOperator(key)) continue;
    const prop = propertyOfKey(key, options);
    if (!prop) refuseOtherName(key, options);
    if (!prop) continue;
    const value = where[key];
    const [newKey, newValue] = prepareEntry(key, value, { prop, options });
    if (newKey === key && newValue === value) continue;
    prepared ??= { ...where };
    delete prepared[key];
    prepared[newKey] = newValue;
  }
  return prepared ?? where;
}

/** null is what it is under any name. */
function refuseOtherName(key: string, options: WhereOptions): void {
  const type = encryptedBehind(key, options);
  const value = (options.where as Condition)[key];
  if (type === undefined || value === null || isRawNull(value)) return;
  throw unsupportedQuery(type, `cannot be compared under the name "${key}"`);
}

interface Target {
  readonly prop: Property;
  readonly options: WhereOptions;
}

function prepareEntry(key: string, value: unknown, { prop, options }: Target): [string, unknown] {
  const type = encryptedTypeOf(prop);
  if (type === undefined) {
    return [key, prepareEmbeddable(prop, value, options)];
  }
  const ownKey = directPropertyOfKey(key, options) ? key : keyOfPath(key, { prop, options }, type);
  return [ownKey, value === null ? value : prepareValue(type, value)];
}

/** What is compared with an embeddable; other values as they are. */
export function prepareEmbeddable(prop: Property, value: unknown, options: WhereOptions): unknown {
  refuseRawEmbeddable(prop, value);
  const plain = withoutClasses(prop, value);
  refuseOperators(prop, plain, options);
  return plain;
}

/** Embeddables as plain objects: MikroORM compares with the values in an instance as they are. */
function withoutClasses(prop: Property, value: unknown): unknown {
  if (!prop.embeddedProps || encryptedInside(prop) === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => withoutClasses(prop, item));
  if (typeof value !== "object" || value === null || isRawSql(value)) return value;
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  if (!isPlainObject(value)) return Object.fromEntries(entries);
  if (!Object.keys(value).some(isOperator)) return value;
  return Object.fromEntries(entries.map(([name, part]) => [name, withoutClasses(prop, part)]));
}

/** MikroORM would quote the condition, and looks for documents given as text or in a list as they are. */
function refuseOperators(prop: Property, value: unknown, options: WhereOptions): void {
  if (encryptedInside(prop) === undefined) return;
  const isBare = typeof value === "string" || Array.isArray(value);
  const condition = isBare ? { $in: value } : value;
  if (!isPlainObject(condition)) return;
  const isDocument = Boolean(prop.object) || Boolean(prop.array);
  const operator = Object.keys(condition).find(
    (key) => isOperator(key) && !(isDocument && isForDocuments(key, condition[key])),
  );
  if (operator === undefined) return;
  const model = options.metadata.find(options.entityName)?.className ?? "";
  throw new UnsupportedQueryError(
    `${model}.${prop.name} holds encrypted properties and cannot be compared by ${operator}. Compare its properties.`,
    { model, field: prop.name },
  );
}

function isForDocuments(operator: string, operand: unknown): boolean {
  const isList = Array.isArray(operand) && operator !== "$all";
  return ON_DOCUMENTS.has(operator) && !isList && typeof operand !== "string";
}

/** `u.address.zip` is `u.address_zip`: the property that MikroORM made of it. */
function keyOfPath(key: string, { prop, options }: Target, type: BoundType): string {
  const meta = bindingOf(type)?.meta;
  const isEmbeddedInline = prop.embedded && meta && !isInsideDocument(meta, prop);
  const [first = ""] = key.split(".");
  const alias = options.aliasMap?.[first] === undefined ? "" : `${first}.`;
  const ownKey = `${alias}${prop.name}`;
  if (isEmbeddedInline && directPropertyOfKey(ownKey, options) === prop) return ownKey;
  throw unsupportedQuery(type, `cannot be compared by the path "${key}"`);
}

function prepareValue(type: BoundType, value: unknown, operator = "$in"): unknown {
  refuseRawOperand(type, value);
  if (Array.isArray(value)) {
    const items = value.map((item) => prepareOperand(type, item, operator));
    return items.every((item, i) => item === value[i]) ? value : items;
  }
  if (!isPlainObject(value)) return value;
  // MikroORM answers an empty object with every row.
  const isEmpty = Object.keys(value).length === 0;
  if (isEmpty) throw unsupportedQuery(type, "cannot be compared with an object; use $eq");
  const entries = Object.entries(value).map(([name, operand]) => {
    if (!isOperator(name)) throw unsupportedQuery(type, "cannot be compared by parts of its value");
    if (GROUPS.has(name)) throw unsupportedQuery(type, `takes no ${name} inside of a condition`);
    return [name, prepareComparison(type, operand, name)];
  });
  const isSame = entries.every(([name, operand]) => operand === value[name as string]);
  return isSame ? value : (Object.fromEntries(entries) as Condition);
}

function prepareComparison(type: BoundType, operand: unknown, operator: string): unknown {
  // Some reach SQL without a conversion, which would refuse them.
  if (operand !== null && operator !== "$exists" && !COMPARISONS.has(operator)) {
    throw unsupportedQuery(type, `cannot be compared by ${operator}`);
  }
  if (Array.isArray(operand) && (operator === "$in" || operator === "$nin")) {
    return prepareValue(type, operand, operator);
  }
  return prepareOperand(type, operand, operator);
}

/** Objects and arrays are values of JSON columns here; MikroORM would go into them. */
function prepareOperand(type: BoundType, operand: unknown, operator: string): unknown {
  refuseRawOperand(type, operand);
  if (!isPlainObject(operand) && !Array.isArray(operand)) return operand;
  if (!COMPARISONS.has(operator) || type.codec.content !== "json") {
    throw unsupportedQuery(type, `cannot be compared by ${operator} with an object`);
  }
  return type.convertToDatabaseValue(operand, undefined, { mode: "query", key: operator });
}
