// Every cast into what MikroORM keeps to itself. Read from @mikro-orm/core and /sql 7.2.1, and /core and /knex 6.6.16;
// test/mikro-orm-internals.test.ts pins each behaviour on both.
import {
  EntityManager,
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

/** `meta.root` of single-table inheritance is the entity whose table all share. */
export function tableOf(meta: Meta): string {
  return meta.root?.tableName ?? meta.tableName ?? meta.className;
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
}

/** The property that a key of a condition means: `email`, or `u.email` with the alias of a query builder. */
export function propertyOfKey(key: string, options: WhereOptions): Property | undefined {
  return (
    QueryHelper as unknown as {
      findProperty(key: string, options: WhereOptions): Property | undefined;
    }
  ).findProperty(key, options);
}

type ProcessWhere = (options: WhereOptions) => unknown;

/** Every condition and every ordering of both versions goes through this static method, nested ones by recursion. */
export function wrapProcessWhere(wrap: (original: ProcessWhere) => ProcessWhere): void {
  const helper = QueryHelper as unknown as { processWhere: ProcessWhere };
  helper.processWhere = wrap(helper.processWhere.bind(QueryHelper));
}

/** The parts of `AbstractSqlDriver` that rows pass. */
export interface SqlDriver {
  find(entityName: unknown, where: unknown, options?: object): Promise<Row[]>;
  nativeInsert(entityName: unknown, data: Row, options?: object): Promise<unknown>;
  nativeInsertMany(
    entityName: unknown,
    data: Row[],
    options?: object,
    transform?: unknown,
  ): Promise<unknown>;
  nativeUpdate(entityName: unknown, where: unknown, data: Row, options?: object): Promise<unknown>;
  nativeUpdateMany(
    entityName: unknown,
    where: unknown[],
    data: Row[],
    options?: object,
    transform?: unknown,
  ): Promise<unknown>;
  mapDataToFieldNames(
    data: Row,
    stringify: boolean,
    properties: Readonly<Record<string, Property>> | undefined,
    ...rest: unknown[]
  ): Row;
  createQueryBuilder(...parameters: unknown[]): QueryBuilder;
  createEntityManager(...parameters: unknown[]): object;
  getMetadata(): { find(name: unknown): Meta | undefined };
}

export interface QueryBuilder {
  /** `meta` in version 7, `metadata` in version 6. */
  readonly mainAlias: { readonly meta?: Meta; readonly metadata?: Meta };
  merge(data?: readonly string[] | Row): unknown;
  groupBy(fields: unknown): unknown;
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
export function allMetadata(orm: { getMetadata(): { getAll(): unknown } }): Meta[] {
  const all = orm.getMetadata().getAll();
  return all instanceof Map ? ([...all.values()] as Meta[]) : Object.values(all as object);
}

/** An entity manager while it prepares a query, in its context: inside of a transaction it is the transaction's. */
export type EntityManagerLike = EntityManager;

export function metaOf(em: EntityManagerLike, entityName: unknown): Meta | undefined {
  return em.getMetadata().find(entityName as never) as Meta | undefined;
}

/** The entity or embeddable that a condition on this property may go into. */
export function targetOf(prop: Property | undefined): Meta | undefined {
  return prop?.targetMeta as Meta | undefined;
}

type PrepareWhere = (
  this: EntityManagerLike,
  entityName: unknown,
  where: unknown,
  ...rest: unknown[]
) => Promise<unknown>;

/** Runs `before` on every condition given to an entity manager, with the chance to wait for a query of its own. */
export function wrapEntityManagerWhere(
  before: (em: EntityManagerLike, entityName: unknown, where: unknown) => Promise<unknown>,
): void {
  const prototype = EntityManager.prototype as unknown as { processWhere: PrepareWhere };
  const { processWhere } = prototype;
  prototype.processWhere = async function (entityName, where, ...rest) {
    return processWhere.call(this, entityName, await before(this, entityName, where), ...rest);
  };
}

/** Some properties of the rows that fit, read past identity map and filters, in the same transaction. */
export async function findPlain(
  em: EntityManagerLike,
  meta: Meta,
  where: Row,
  fields: readonly string[],
): Promise<Row[]> {
  const entityName = (meta as { class?: unknown }).class ?? meta.className;
  const found = await em.find(entityName as never, where, {
    fields: fields as never,
    filters: false,
    disableIdentityMap: true,
  });
  return found;
}
