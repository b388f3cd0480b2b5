// One MikroORM instance of either version on the tests' PostgreSQL.
import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import type { Version } from "./versions.ts";

export interface OrmOptions {
  readonly keyring?: unknown;
  readonly [option: string]: unknown;
}

/** Discovers these entities; `connect` of a database that other instances may share. */
export async function connect(
  version: Version,
  database: TestDatabase,
  entities: readonly unknown[],
  { keyring, ...options }: OrmOptions = {},
): Promise<MikroORM> {
  const { core, adapter } = version;
  return core.MikroORM.init(
    adapter.fieldseal({ clientUrl: database.url, entities, debug: false, ...options } as never, {
      keyring: keyring as never,
    }),
  );
}

/** The statements that make all tables. */
export async function createSchema(orm: MikroORM): Promise<void> {
  const schema = orm.schema as unknown as Record<string, (() => Promise<void>) | undefined>;
  await (schema.create ?? schema.createSchema)!.call(schema);
}

export { createTestDatabase, type EntityManager, type MikroORM, type TestDatabase };
