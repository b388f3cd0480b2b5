// Query builders: what they take past the conversion of conditions, and the parts of a query in which ciphertext
// would answer something else than was asked.
import { encryptedTypeOf, unsupportedQuery } from "./binding.ts";
import { isOperator, type Condition } from "./conditions.ts";
import { metaOfBuilder, type QueryBuilder } from "./driver-internals.ts";
import {
  entityNameOf,
  propertiesOf,
  propertyOfKey,
  targetOf,
  type Meta,
  type Properties,
  type Row,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { encryptedBehind, refusePaths } from "./other-names.ts";
import { companionsOf, encryptionOf, encryptRows } from "./rows.ts";
import { isPlainObject } from "./plain-object.ts";
import { refuseCopies } from "./column-copies.ts";
import { encryptedInside, refuseRawKeys } from "./raw-sql.ts";
import { convertUnconverted } from "./unconverted.ts";

const patched = new WeakSet<object>();

/** On the prototype, because builders clone themselves. */
export function patchBuilder(prototype: QueryBuilder): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  patchData(prototype);
  patchConditions(prototype);
  patchDistinctions(prototype);
}

function patchData(prototype: QueryBuilder): void {
  const { merge, resolveInsertFromColumns } = prototype;
  prototype.merge = function (data) {
    return merge.call(this, data && mergeData(propertiesOf(metaOfBuilder(this)), data));
  };
  if (resolveInsertFromColumns) {
    // When SQL is made: the source may have been changed after it was given.
    prototype.resolveInsertFromColumns = function () {
      const resolved = resolveInsertFromColumns.call(this);
      const { insertSubQuery: source, insertColumns: columns } = this.state ?? {};
      if (source) refuseCopies({ target: this, source, columns, optionsOf });
      return resolved;
    };
  }
}

/**
 * `ON CONFLICT … DO UPDATE SET`: MikroORM takes values given here as they are, so they are encrypted here. The tokens
 * of indexed properties go along.
 */
function mergeData(properties: Properties, data: readonly string[] | Row): string[] | Row {
  if (!Array.isArray(data)) {
    refusePaths(properties, data as Row);
    return encryptRows(properties, [data as Row])[0] as Row;
  }
  const names = data as readonly string[];
  return [...new Set([...names, ...companionsOf(properties, names)])];
}

function patchConditions(prototype: QueryBuilder): void {
  const { joinReference, having, populate } = prototype;
  prototype.populate = function (hints, where, filter) {
    const convert = (condition: unknown): unknown =>
      convertUnconverted({ ...optionsOf(this), where: condition });
    return populate.call(this, hints, convert(where), convert(filter));
  };
  prototype.joinReference = function (field, alias, condition, ...rest) {
    const prop = typeof field === "string" ? propertyOfKey(field, optionsOf(this)) : undefined;
    const target = targetOf(prop);
    if (!prop || !target) return joinReference.call(this, field, alias, condition, ...rest);
    const qualified = qualify(condition, { target, alias, builder: this });
    // MikroORM puts the condition that the relation was declared with into the join as it is.
    const { where } = prop;
    const entityName = entityNameOf(target, this.metadata);
    if (where) prop.where = convertUnconverted({ ...optionsOf(this), entityName, where }) as never;
    try {
      return joinReference.call(this, field, alias, qualified, ...rest);
    } finally {
      if (where) prop.where = where;
    }
  };
  prototype.having = function (condition, ...rest) {
    refuseHaving(this, condition);
    return having.call(this, condition, ...rest);
  };
}

function optionsOf(builder: QueryBuilder): WhereOptions {
  return {
    entityName: builder.mainAlias.entityName,
    metadata: builder.metadata,
    aliasMap: builder.getAliasMap(),
    platform: builder.platform,
  };
}

interface Join {
  readonly target: Meta;
  readonly alias: string;
  readonly builder: QueryBuilder;
}

/**
 * The condition of a join with its alias before encrypted properties: without, MikroORM converts by the properties
 * of the entity that the query is about, whatever is joined.
 */
function qualify(condition: unknown, join: Join): unknown {
  if (Array.isArray(condition)) return condition.map((item) => qualify(item, join));
  if (!isPlainObject(condition)) return condition;
  const entries = Reflect.ownKeys(condition).map((key) => {
    const value = condition[key as string];
    if (typeof key === "string" && isOperator(key)) return [key, qualify(value, join)];
    const isOurs = typeof key === "string" && !key.includes(".") && isConverted(key, join);
    return [isOurs ? `${join.alias}.${key}` : key, value];
  });
  return Object.fromEntries(entries) as Condition;
}

/** Of the joined entity, or wrongly of the main one. */
function isConverted(key: string, { target, builder }: Join): boolean {
  if (!(key in target.properties)) return false;
  return [propertiesOf(target), propertiesOf(metaOfBuilder(builder))].some((properties) => {
    const { encrypted, embedded } = encryptionOf(properties);
    return [...encrypted, ...embedded].some(({ name }) => name === key);
  });
}

function refuseHaving(builder: QueryBuilder, condition: unknown): void {
  if (Array.isArray(condition)) for (const item of condition) refuseHaving(builder, item);
  if (!isPlainObject(condition)) return;
  refuseRawKeys(condition, optionsOf(builder));
  for (const [key, value] of Object.entries(condition)) {
    if (isOperator(key)) refuseHaving(builder, value);
    else refuseField(builder, key, "cannot be compared in HAVING");
  }
}

/** Equal values have different ciphertexts, deterministic ones while keys rotate. */
function patchDistinctions(prototype: QueryBuilder): void {
  const { groupBy, select, distinct, distinctOn, count } = prototype;
  prototype.groupBy = function (fields) {
    refuseFields(this, fields, "cannot be grouped by");
    return groupBy.call(this, fields);
  };
  prototype.distinctOn = function (fields) {
    refuseFields(this, fields, "cannot be selected distinct");
    return distinctOn.call(this, fields);
  };
  prototype.distinct = function () {
    refuseFields(this, this.state?.fields ?? this._fields, "cannot be selected distinct");
    return distinct.call(this);
  };
  prototype.select = function (fields, isDistinct) {
    if (isDistinct === true || this.hasFlag("DISTINCT"))
      refuseFields(this, fields, "cannot be selected distinct");
    return select.call(this, fields, isDistinct);
  };
  prototype.count = function (fields, isDistinct) {
    if (isDistinct === true) refuseFields(this, fields, "cannot be counted distinct");
    return count.call(this, fields, isDistinct);
  };
}

function refuseFields(builder: QueryBuilder, fields: unknown, problem: string): void {
  for (const field of [fields].flat()) {
    if (typeof field === "string") refuseField(builder, field, problem);
  }
}

function refuseField(builder: QueryBuilder, field: string, problem: string): void {
  const options = optionsOf(builder);
  const prop = propertyOfKey(field, options);
  const type = prop
    ? (encryptedTypeOf(prop) ?? encryptedInside(prop))
    : encryptedBehind(field, options);
  if (type) throw unsupportedQuery(type, problem);
}
