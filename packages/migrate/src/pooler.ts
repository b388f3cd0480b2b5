// A pooler in transaction mode gives each statement whichever session is free: the engine's settings and temporary functions
// would be gone with the next one, and meet the application in its own.
import { randomUUID } from "node:crypto";
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { withClient } from "./connections.ts";

const SHARED =
  "The engine cannot work through this connection: a pooler in transaction mode (as PgBouncer with pool_mode = transaction) " +
  "gives each statement another session, and settings of the engine would be lost, or reach the application. Connect to " +
  "PostgreSQL itself, or to a pool with pool_mode = session.";

/** While the application uses the pooler too, one look may find the same sessions by chance. */
const ROUNDS = 3;

/**
 * Refuses a pool whose connections do not keep a session each: a pooler in transaction mode is in between. Runs, plans and
 * verifications begin with it. A pool without room for two connections is taken as it is.
 *
 * Two connections note their names in their sessions, and look in the opposite order: whether a pooler hands out the session that
 * was free last or the one that was free longest, one of them meets the other's name, or none. The name harms nobody.
 *
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`
 */
export async function refuseSharedSessions(pool: Pool): Promise<void> {
  await withClient(pool, async (one) => {
    // The rest may be in use by whoever waits for this.
    const inUse = pool.totalCount - pool.idleCount;
    if (inUse >= pool.options.max) return;
    await withClient(pool, async (other) => {
      for (let round = 0; round < ROUNDS; round++) await compare([one, other]);
    });
  });
}

async function compare(clients: readonly ClientBase[]): Promise<void> {
  const named = clients.map((client) => ({ client, name: randomUUID() }));
  for (const { client, name } of named) {
    await client.query(`SET fieldseal.session = '${name}'`);
  }
  for (const { client, name } of named.toReversed()) {
    const { rows } = await client.query<{ name: string | null }>(
      "SELECT current_setting('fieldseal.session', true) AS name",
    );
    if (rows[0]?.name !== name) refuse(SHARED);
  }
}

/**
 * Of a smaller one a run would wait for ever.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`
 */
export function refuseSmallPool({ options }: Pool): void {
  if (options.max >= 2) return;
  refuse(
    `A run needs a pool of at least 2 connections, and this one has max: ${options.max}: one reads, the others write.`,
  );
}

function refuse(message: string): never {
  throw new MigrationError("ERR_MIGRATE_TARGET", message);
}
