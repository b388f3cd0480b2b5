// Casts into MikroORM's entity manager and its errors. Read from @mikro-orm/core 7.2.1 and 6.6.16; test/mikro-orm-internals.test.ts
// pins each method on both.
import {
  EntityManager,
  NotFoundError,
  OptimisticLockError,
  ValidationError,
} from "@mikro-orm/core";
import type { Meta, Row } from "./mikro-orm-internals.ts";

/** An entity manager while it prepares a query, in its context: inside of a transaction it is the transaction's. */
export type EntityManagerLike = EntityManager;

export function metaOf(em: EntityManagerLike, entityName: unknown): Meta | undefined {
  return em.getMetadata().find(entityName as never) as Meta | undefined;
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

/** MikroORM makes its errors about entities in static methods of these classes; the entity is a property of them. */
export function wrapEntityErrors(redact: (error: { entity?: unknown }) => void): void {
  for (const errors of [ValidationError, OptimisticLockError, NotFoundError]) {
    const factories = errors as unknown as Record<string, (...parameters: unknown[]) => unknown>;
    for (const name of Object.getOwnPropertyNames(errors)) {
      const { [name]: make } = factories;
      if (typeof make !== "function" || name === "prototype") continue;
      factories[name] = function (...parameters) {
        const error = make.apply(this, parameters);
        if (error instanceof Error) redact(error as { entity?: unknown });
        return error;
      };
    }
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
