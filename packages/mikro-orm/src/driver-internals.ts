// Casts into MikroORM's SQL driver and query builder. Read from @mikro-orm/sql 7.2.1 and /knex 6.6.16;
// test/mikro-orm-internals.test.ts pins each method on both.
import type { Platform } from "@mikro-orm/core";
import type { Meta, Property, Row, WhereOptions } from "./mikro-orm-internals.ts";

/** An option of ours, which MikroORM hands from the entity manager to the driver. */
export const ON_ROWS: unique symbol = Symbol("fieldseal: on rows");

/** The same of `nativeUpdate`: asks for the primary keys of the rows that it changes, and sees them by column. */
export const ON_CHANGED: unique symbol = Symbol("fieldseal: on changed");

export interface NativeUpdateOptions extends UpsertOptions {
  readonly loggerContext?: object;
  readonly [ON_CHANGED]?: (rows: readonly Row[]) => void;
}

export interface FindOptions {
  readonly convertCustomTypes?: boolean;
  /** Sees what the database returned, before anything is decrypted. */
  readonly [ON_ROWS]?: (rows: readonly Row[]) => void;
}

/** The parts of `AbstractSqlDriver` that rows pass. */
export interface SqlDriver {
  find(entityName: unknown, where: unknown, options?: FindOptions): Promise<Row[]>;
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
    options?: NativeUpdateOptions,
  ): Promise<{ readonly rows?: readonly Row[] }>;
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
  readonly platform: Platform;
  /** Entities by the alias that they have in this query. */
  getAliasMap(): Readonly<Record<string, unknown>>;
  merge(data?: readonly string[] | Row): unknown;
  returning(fields: readonly string[]): unknown;
  groupBy(fields: unknown): unknown;
  having(condition?: unknown, ...rest: unknown[]): unknown;
  /** Which relations to join, and the conditions on them. */
  populate(hints: unknown, where?: unknown, filter?: unknown): unknown;
  select(fields: unknown, distinct?: boolean): unknown;
  distinct(): unknown;
  distinctOn(fields: unknown): unknown;
  hasFlag(flag: string): boolean;
  /** Of version 7, for INSERT ... SELECT. */
  resolveInsertFromColumns?(): unknown;
  /** Of version 7. */
  readonly state?: {
    readonly fields?: readonly unknown[];
    readonly insertSubQuery?: QueryBuilder;
    readonly insertColumns?: readonly unknown[];
  };
  /** Of version 6. */
  readonly _fields?: readonly unknown[];
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
  getKysely?(options?: object): KyselyLike;
  getMetadata(): { getAll(): unknown };
}

export function metaOfBuilder({ mainAlias }: QueryBuilder): Meta | undefined {
  return mainAlias.meta ?? mainAlias.metadata;
}

export function driverOf(platform: Platform): SqlDriver {
  return platform.getConfig().getDriver() as unknown as SqlDriver;
}
