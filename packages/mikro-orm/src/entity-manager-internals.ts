// Casts into MikroORM's entity manager and its errors. Read from @mikro-orm/core 7.2.1 and 6.6.16; test/mikro-orm-internals.test.ts
// pins each method on both.
import type { StoredInput } from "@fieldseal/crypto";
import {
  EntityAssigner,
  EntityManager,
  MetadataStorage,
  NotFoundError,
  ObjectHydrator,
  OptimisticLockError,
  ValidationError,
} from "@mikro-orm/core";
import { ON_CHANGED, ON_ROWS } from "./driver-internals.ts";
import { fieldOf, type Meta, type Property, type Row } from "./mikro-orm-internals.ts";

/** An entity manager while it prepares a query, in its context: inside of a transaction it is the transaction's. */
export type EntityManagerLike = EntityManager;

export function metaOf(em: EntityManagerLike, entityName: unknown): Meta | undefined {
  return em.getMetadata().find(entityName as never) as Meta | undefined;
}

/**
 * Version 6 takes alternatives with brackets apart where it merges conditions into joins (QueryBuilder.mergeOnConditions); version 7
 * leaves them where they are.
 */
export function losesBrackets(em: EntityManagerLike): boolean {
  const all: unknown = em.getMetadata().getAll();
  return !(all instanceof Map);
}

/** The statement that a condition is for: what is read on its behalf must be read where it goes. */
export interface StatementContext {
  readonly em: EntityManagerLike;
  readonly options: StatementOptions;
  readonly isChange: boolean;
}

interface StatementOptions {
  readonly schema?: string;
  readonly ctx?: unknown;
  readonly connectionType?: "read" | "write";
  readonly logging?: unknown;
  /** Of version 7: alternatives that a condition is combined with. */
  readonly unionWhere?: readonly unknown[];
}

type PrepareWhere = (
  this: EntityManagerLike,
  entityName: unknown,
  where: unknown,
  options: StatementOptions,
  type: "read" | "update" | "delete",
) => Promise<unknown>;

/** Runs `before` on every condition given to an entity manager, with the chance to wait for a query of its own. */
export function wrapEntityManagerWhere(
  before: (context: StatementContext, entityName: unknown, where: unknown) => Promise<unknown>,
): void {
  const prototype = EntityManager.prototype as unknown as { processWhere: PrepareWhere };
  const { processWhere } = prototype;
  prototype.processWhere = async function (entityName, where, options, type) {
    const context = { em: this, options, isChange: type !== "read" };
    const prepared = await before(context, entityName, where);
    return processWhere.call(this, entityName, prepared, options, type);
  };
}

export interface NativeChange {
  readonly context: StatementContext;
  readonly entityName: unknown;
  readonly where: unknown;
  readonly isDelete: boolean;
  /**
   * Runs it; returns how many rows were changed. An UPDATE tells their primary keys, by column.
   */
  run(where: unknown, onChanged?: (rows: readonly Row[]) => void): Promise<number>;
}

/** `change` takes the place of `nativeUpdate` and `nativeDelete`, and runs them as often as it must. */
export function wrapNativeChanges(change: (statement: NativeChange) => Promise<number>): void {
  type Method = (this: EntityManagerLike, ...parameters: unknown[]) => Promise<number>;
  const prototype = EntityManager.prototype as unknown as Record<string, Method>;
  for (const name of ["nativeUpdate", "nativeDelete"]) {
    const { [name]: original } = prototype;
    const isDelete = name === "nativeDelete";
    prototype[name] = async function (entityName, where, ...rest) {
      const options = (rest[isDelete ? 0 : 1] ?? {}) as StatementOptions;
      return change({
        context: { em: this.getContext(false), options, isChange: true },
        entityName,
        where,
        isDelete,
        run: (condition, onChanged) => {
          const own = onChanged && { [ON_CHANGED]: onChanged };
          const given = [...rest.slice(0, isDelete ? 0 : 1), { ...options, ...own }];
          return original!.call(this, entityName, condition, ...given);
        },
      });
    };
  }
}

/** Runs `after` once MikroORM knows all entities: at the start, and whenever `orm.discoverEntity()` adds some. */
export function wrapDiscovery(after: (metadata: MetadataStorage, em: object) => void): void {
  const prototype = MetadataStorage.prototype as unknown as { decorate: Decorate };
  const { decorate } = prototype;
  prototype.decorate = function (em) {
    decorate.call(this, em);
    after(this, em);
  };
}

type Decorate = (this: MetadataStorage, em: object) => void;

type FailHandler = (entityName: string, where: unknown) => Error;

interface OrFailOptions {
  readonly strict?: boolean;
  readonly failHandler?: FailHandler;
}

type FindOneOrFail = (
  this: EntityManagerLike,
  entityName: unknown,
  where: unknown,
  options?: OrFailOptions,
) => Promise<unknown>;

/** What is told about a search without a result, to MikroORM's own handler and to the user's. */
export function wrapFindOneOrFail(
  redact: (em: EntityManagerLike, entityName: unknown, where: unknown) => unknown,
): void {
  const prototype = EntityManager.prototype as unknown as { findOneOrFail: FindOneOrFail };
  const { findOneOrFail } = prototype;
  prototype.findOneOrFail = async function (entityName, where, options = {}) {
    const { strict } = options;
    const key = strict === true ? "findExactlyOneOrFailHandler" : "findOneOrFailHandler";
    const handler = options.failHandler ?? (this.config.get(key) as FailHandler);
    const failHandler: FailHandler = (name, asked) =>
      handler(name, redact(this, entityName, asked));
    return findOneOrFail.call(this, entityName, where, { ...options, failHandler });
  };
}

/** Which parameter of them is a condition or data, to be quoted. */
const QUOTING: Readonly<Record<string, number>> = {
  cannotUseOperatorsInsideEmbeddables: 2,
  cannotUseGroupOperatorsInsideScalars: 2,
  invalidQueryCondition: 0,
  notEntity: 2,
};

/**
 * MikroORM makes its errors about entities in static methods of these classes; the entity is a property of them. Some quote
 * the value that they were given: the others give what to quote in its place, if it may not.
 */
export function wrapEntityErrors(
  redact: (error: { entity?: unknown }) => void,
  hideValue: (entity: unknown, property: string) => unknown,
  shapeOf: (quoted: unknown) => unknown,
): void {
  wrapAssignments();
  for (const errors of [ValidationError, OptimisticLockError, NotFoundError]) {
    const factories = errors as unknown as Record<string, (...parameters: unknown[]) => unknown>;
    for (const name of Object.getOwnPropertyNames(errors)) {
      const { [name]: make } = factories;
      if (typeof make !== "function" || name === "prototype") continue;
      factories[name] = function (...parameters) {
        if (name === "fromWrongPropertyType") {
          const [entity, property] = parameters;
          parameters[4] = hideValue(entity, property as string) ?? parameters[4];
        }
        const quoted = QUOTING[name];
        if (quoted !== undefined) parameters[quoted] = shapeOf(parameters[quoted]);
        const error = make.apply(this, parameters);
        if (error instanceof Error) redact(error as { entity?: unknown });
        return error;
      };
    }
  }
}

/** What `em.assign` cannot take for a relation is quoted in errors of no class. */
function wrapAssignments(): void {
  const assigner = EntityAssigner as unknown as Record<string, (...values: unknown[]) => unknown>;
  for (const name of ["assignReference", "assignCollection"]) {
    const { [name]: assign } = assigner;
    assigner[name] = function (...parameters) {
      try {
        return assign!.apply(this, parameters);
      } catch (error) {
        const [problem] = /^Invalid .*? in \w+\.assign\(\)/.exec((error as Error).message) ?? [];
        throw problem === undefined ? error : new ValidationError(problem);
      }
    };
  }
}

type Upsert = (
  this: EntityManagerLike,
  entityOrName: unknown,
  data?: unknown,
  options?: unknown,
) => Promise<unknown>;

/** `fill` sees the data, or entities, that `upsert` and `upsertMany` are called with. */
export function wrapUpserts(fill: (meta: Meta, row: Row) => Row): void {
  const prototype = EntityManager.prototype as unknown as Record<"upsert" | "upsertMany", Upsert>;
  for (const name of ["upsert", "upsertMany"] as const) {
    const { [name]: upsert } = prototype;
    prototype[name] = async function (entityOrName, data, options) {
      const given = data ?? entityOrName;
      const first = [given].flat()[0] as object | undefined;
      const meta = metaOf(this, data === undefined ? first?.constructor : entityOrName);
      if (!meta) return upsert.call(this, entityOrName, data, options);
      const fillOne = (row: Row): Row => fill(meta, row);
      const filled = Array.isArray(given) ? given.map(fillOne) : fillOne(given as Row);
      return data === undefined
        ? upsert.call(this, filled, undefined, options)
        : upsert.call(this, entityOrName, filled, options);
    };
  }
}

/** Converts these rows: MikroORM's `upsertMany` forgets it where some are new and some are not. */
export function wrapHydration(stored: WeakSet<object>): void {
  type Hydrate = (this: unknown, ...parameters: unknown[]) => void;
  const prototype = ObjectHydrator.prototype as unknown as { hydrate: Hydrate };
  const { hydrate } = prototype;
  prototype.hydrate = function (...parameters) {
    const [, , row, , , isNew = false] = parameters;
    if (stored.has(row as object)) parameters.splice(5, 2, isNew, true);
    hydrate.apply(this, parameters);
  };
}

export interface Candidate {
  /** With its primary key. */
  readonly row: Row;
  /** That as text to compare, like {@link keyText}. */
  readonly key: string;
  /** What is stored of the property that was asked for. */
  readonly stored: StoredInput | null | undefined;
}

/** The values of a primary key as the database returns them, in the order of their columns. */
export function keyText(values: readonly unknown[]): string {
  return JSON.stringify(
    values.flat().map((value) => (typeof value === "bigint" ? String(value) : value)),
  );
}

/** The rows that fit, read past identity map, cache and filters, by the connection that the statement itself takes. */
export async function findCandidates(
  { em, options, isChange }: StatementContext,
  meta: Meta,
  { where, prop, limit }: { where: unknown; prop?: Property; limit?: number },
): Promise<Candidate[]> {
  const { schema, ctx, logging } = options;
  // A replica may not know yet what is to be changed.
  const connectionType = isChange ? "write" : options.connectionType;
  let read: readonly Omit<Candidate, "row">[] = [];
  const rows = await em.find(
    ((meta as { class?: unknown }).class ?? meta.className) as never,
    where as never,
    {
      ...(schema !== undefined && { schema }),
      ...(ctx !== undefined && { ctx: ctx as never }),
      ...(logging !== undefined && { logging }),
      ...(connectionType !== undefined && { connectionType }),
      fields: [...meta.primaryKeys, ...(prop ? [fieldOf(meta, prop)] : [])] as never,
      filters: false,
      disableIdentityMap: true,
      cache: false,
      flushMode: "commit" as never,
      ...(limit !== undefined && { limit }),
      [ON_ROWS]: (found: readonly Row[]) => {
        read = found.map((row) => ({
          key: keyText(meta.primaryKeys.map((name) => row[name])),
          stored: row[prop?.name ?? ""] as Candidate["stored"],
        }));
      },
    } as never,
  );
  return rows.map((row, i) => ({ row, ...(read[i] as Omit<Candidate, "row">) }));
}
