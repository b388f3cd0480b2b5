// Casts into what MikroORM keeps to itself; entity-manager-internals.ts has the others. Read from @mikro-orm/core and /sql 7.2.1, and /core and /knex 6.6.16;
// test/mikro-orm-internals.test.ts pins each behaviour on both.
import {
  QueryHelper,
  RawQueryFragment,
  type EntityMetadata,
  type EntityProperty,
  type Platform,
} from "@mikro-orm/core";

export type Meta = EntityMetadata;
export type Property = EntityProperty;
export type Row = Record<string, unknown>;

/** MikroORM gives conversions of a Type one of these; the typings of version 6 lack some modes. */
export interface ConversionContext {
  readonly mode?: "serialization" | "hydration" | "query" | "query-data" | "discovery";
  /** In mode "query": the operator, undefined for a bare value. */
  readonly key?: string;
}

/** `raw(...)`: SQL of the user's own, passed on untouched. */
export function isRawSql(value: unknown): boolean {
  return value instanceof RawQueryFragment;
}

/** What `fieldseal(config)` left in the configuration: unknown keys survive there, functions by reference. */
export function configuredKeyring(platform: Platform | undefined): unknown {
  const config = platform?.getConfig() as
    | { get(key: string, fallback: unknown): unknown }
    | undefined;
  return (config?.get(CONFIG_KEY, undefined) as { keyring?: unknown } | undefined)?.keyring;
}

export const CONFIG_KEY = "fieldseal";

/**
 * In single-table inheritance the root's table is that of all; with a table per type (version 7), a property is in
 * the table of the uppermost entity that has it.
 */
export function tableOf(meta: Meta, prop: Property): string {
  let owner = meta as Meta & { readonly tptParent?: Meta };
  if (owner.inheritanceType !== "tpt" && owner.tptParent === undefined) {
    return meta.root?.tableName ?? meta.tableName ?? meta.className;
  }
  while (owner.tptParent && prop.name in owner.tptParent.properties) owner = owner.tptParent;
  return owner.tableName;
}

export function columnOf(prop: Property): string {
  return prop.fieldNames?.[0] ?? prop.name;
}

/** Class name of the embeddable that an owner's property comes from, with the name it has there. */
export function embeddedOrigin(
  meta: Meta,
  prop: Property,
): { readonly className: string; readonly property: string } | undefined {
  if (meta.embeddable) return { className: meta.className, property: prop.name };
  if (!prop.embedded) return undefined;
  const [parentName, property] = prop.embedded;
  const parent = meta.properties[parentName as never] as Property | undefined;
  const className =
    parent?.targetMeta?.className ??
    (parent as { embeddable?: { name?: string } } | undefined)?.embeddable?.name ??
    String(parent?.type);
  return { className, property };
}

/** Whether an owner's property is part of a JSON document. */
export function isInsideDocument(meta: Meta, prop: Property): boolean {
  if (!prop.embedded) return false;
  const parent = meta.properties[prop.embedded[0] as never] as Property | undefined;
  if (!parent) return false;
  return Boolean(parent.object) || Boolean(parent.array) || isInsideDocument(meta, parent);
}

export interface WhereOptions {
  readonly entityName: unknown;
  readonly metadata: { find(name: unknown): Meta | undefined };
  readonly aliasMap?: Readonly<Record<string, unknown>>;
  readonly type?: string;
  readonly where?: unknown;
  readonly platform?: unknown;
}

/**
 * The property that a key of a condition, an ordering or a list of fields means: `email`, `u.email` with the alias of a
 * query builder, `address.street` into an embeddable.
 */
export function propertyOfKey(key: string, options: WhereOptions): Property | undefined {
  const direct = directPropertyOfKey(key, options);
  if (direct || !key.includes(".")) return direct;
  const [first = "", ...rest] = key.split(".");
  const aliased = options.aliasMap?.[first];
  let meta = options.metadata.find(aliased ?? options.entityName);
  let properties = meta?.properties as Readonly<Record<string, Property>> | undefined;
  let prop: Property | undefined;
  for (const name of aliased === undefined ? [first, ...rest] : rest) {
    prop = properties?.[name];
    meta = prop?.targetMeta as Meta | undefined;
    properties = (prop?.embeddedProps ?? meta?.properties) as typeof properties;
  }
  return prop;
}

/** The same as far as MikroORM itself looks: one name, with an alias or without. */
export function directPropertyOfKey(key: string, options: WhereOptions): Property | undefined {
  return (
    QueryHelper as unknown as {
      findProperty(key: string, options: WhereOptions): Property | undefined;
    }
  ).findProperty(key, options);
}

type ProcessWhere = (options: WhereOptions) => unknown;

/** As it is at the time of the call: wrapped. */
export function processWhere(options: WhereOptions): unknown {
  return (QueryHelper as unknown as { processWhere: ProcessWhere }).processWhere(options);
}

/** Every condition and every ordering of both versions goes through this static method, nested ones by recursion. */
export function wrapProcessWhere(wrap: (original: ProcessWhere) => ProcessWhere): void {
  const helper = QueryHelper as unknown as { processWhere: ProcessWhere };
  helper.processWhere = wrap(helper.processWhere.bind(QueryHelper));
}

/** The parts of `AbstractSqlDriver` that rows pass. */
export interface SqlDriver {
  find(
    entityName: unknown,
    where: unknown,
    options?: { readonly convertCustomTypes?: boolean },
  ): Promise<Row[]>;
  getPlatform(): Platform;
  nativeInsert(entityName: unknown, data: Row, options?: object): Promise<unknown>;
  nativeInsertMany(
    entityName: unknown,
    data: Row[],
    options?: object,
    transform?: unknown,
  ): Promise<unknown>;
  nativeUpdate(
    entityName: unknown,
    where: unknown,
    data: Row,
    options?: UpsertOptions,
  ): Promise<unknown>;
  nativeUpdateMany(
    entityName: unknown,
    where: unknown[],
    data: Row[],
    options?: UpsertOptions,
    transform?: unknown,
  ): Promise<unknown>;
  nativeClone?(
    entityName: unknown,
    where: unknown,
    overrides: Row | undefined,
    ...rest: unknown[]
  ): Promise<unknown>;
  mapDataToFieldNames(
    data: Row,
    stringify: boolean,
    properties: Readonly<Record<string, Property>> | undefined,
    ...rest: unknown[]
  ): Row;
  createQueryBuilder(...parameters: unknown[]): QueryBuilder;
  createEntityManager(...parameters: unknown[]): object;
  getMetadata(): WhereOptions["metadata"] & { getAll(): unknown };
}

/** What decides which columns `ON CONFLICT` updates. */
export interface UpsertOptions {
  readonly onConflictMergeFields?: readonly string[];
  readonly onConflictExcludeFields?: readonly string[];
}

export interface QueryBuilder {
  /** `meta` in version 7, `metadata` in version 6. */
  readonly mainAlias: {
    readonly entityName: unknown;
    readonly meta?: Meta;
    readonly metadata?: Meta;
  };
  readonly metadata: WhereOptions["metadata"];
  /** Entities by the alias that they have in this query. */
  getAliasMap(): Readonly<Record<string, unknown>>;
  merge(data?: readonly string[] | Row): unknown;
  groupBy(fields: unknown): unknown;
  having(condition?: unknown, ...rest: unknown[]): unknown;
  select(fields: unknown, distinct?: boolean): unknown;
  distinctOn(fields: unknown): unknown;
  count(fields?: unknown, distinct?: boolean): unknown;
  joinReference(field: unknown, alias: string, condition: unknown, ...rest: unknown[]): unknown;
}

/** Kysely, as far as a plugin needs it; only version 7 has it. */
export interface KyselyLike {
  withPlugin(plugin: {
    transformQuery(query: { readonly node: unknown }): never;
    transformResult(query: { readonly result: unknown }): Promise<unknown>;
  }): KyselyLike;
}

export interface WithKysely {
  getKysely?(options?: { readonly convertValues?: boolean }): KyselyLike;
}

export function metaOfBuilder({ mainAlias }: QueryBuilder): Meta | undefined {
  return mainAlias.meta ?? mainAlias.metadata;
}

export function driverOf(platform: Platform): SqlDriver {
  return platform.getConfig().getDriver() as unknown as SqlDriver;
}

/** A Map in version 7, an object in version 6. */
export function allMetadata(metadata: { getAll(): unknown }): Meta[] {
  const all = metadata.getAll();
  return all instanceof Map ? ([...all.values()] as Meta[]) : Object.values(all as object);
}

/** The entity or embeddable that a condition on this property may go into. */
export function targetOf(prop: Property | undefined): Meta | undefined {
  return prop?.targetMeta as Meta | undefined;
}
