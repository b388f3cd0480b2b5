// After a migration: removes what the database can remove of the plaintext that columns held, and says what it cannot.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { FORMS, databaseError, withClient } from "../connections.ts";
import type { Target } from "../contract.ts";
import { refuseSharedSessions } from "../pooler.ts";
import { requireRelation, displayName, type Relation } from "../relation.ts";
import { retryBusy } from "../short-lock.ts";
import { groupByTable, leavesOf, quote } from "../table.ts";
import type { ScrubbedTable, ScrubOptions, ScrubReport, ScrubStep } from "./contract.ts";
import { serverRemnants } from "./server.ts";
import { tableRemnants } from "./table.ts";

/**
 * Encrypting replaces rows, and what is replaced stays readable for a while: in dead rows and dropped columns, in the
 * planner's statistics, in write-ahead log, replicas, logs and backups. This vacuums and analyzes the tables, on request
 * writes them anew, asks the server to let go of its log, and reports what is left and who can remove it. No value
 * leaves the database.
 *
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`, `ERR_MIGRATE_BUSY` when a table cannot be had for `rewrite`
 * @example
 * ```ts
 * const { tables, remnants } = await scrubColumns(pool, encryptedColumns(sequelize), { rewrite: true });
 * const open = [...tables.flatMap((table) => table.remnants), ...remnants].filter(({ fix }) => fix);
 * ```
 */
export async function scrubColumns(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: ScrubOptions = {},
): Promise<ScrubReport> {
  await refuseSharedSessions(pool);
  return withClient(pool, async (client) => {
    await client.query(`SET statement_timeout = 0; SET application_name = 'fieldseal'; ${FORMS}`);
    const tables: ScrubbedTable[] = [];
    for (const target of groupByTable(columns)) {
      options.signal?.throwIfAborted();
      const relation = await requireRelation(client, target);
      try {
        tables.push(await scrubTable({ client, target, relation, options }));
      } catch (error) {
        throw databaseError(error, { table: target.table });
      }
    }
    options.onStep?.({ table: undefined, step: "wal" });
    return { tables, remnants: await serverRemnants(client) };
  });
}

interface Work {
  readonly client: ClientBase;
  readonly target: Target;
  readonly relation: Relation;
  readonly options: ScrubOptions;
}

async function scrubTable(work: Work): Promise<ScrubbedTable> {
  const { client, target, relation, options } = work;
  const leaves = await leavesOf(client, target, relation.sql);
  const columns = [...new Set(target.columns.map(({ column }) => column))];
  const steps: ScrubStep[] = [];
  const step = async (name: ScrubStep, action: () => Promise<void>): Promise<void> => {
    options.signal?.throwIfAborted();
    options.onStep?.({ table: displayName(target), step: name });
    await action();
    steps.push(name);
  };
  // PostgreSQL skips, with a mere warning, what a role may not vacuum.
  if (await mayMaintain(client, relation)) {
    if (options.rewrite === true) {
      await step("rewrite", () => rewriteLeaves(work, leaves));
    } else {
      await step("vacuum", async () => {
        for (const leaf of leaves) await client.query(`VACUUM ${leaf}`);
      });
    }
    await step("analyze", () =>
      client
        .query(`ANALYZE ${relation.sql} (${columns.map(quote).join(", ")})`)
        .then(() => undefined),
    );
    if (await mayVacuumStatistics(client)) {
      await step("statistics", () => vacuumStatistics(client));
    }
  }
  return {
    schema: target.schema,
    table: target.table,
    columns,
    steps,
    remnants: await tableRemnants(client, {
      relation,
      leaves,
      columns: target.columns,
      isRewritten: steps.includes("rewrite"),
    }),
  };
}

async function rewriteLeaves(
  { client, relation, options }: Work,
  leaves: readonly string[],
): Promise<void> {
  const { lockTimeoutMs = 200 } = options;
  for (const leaf of leaves) {
    // VACUUM runs in no transaction of ours, so the limit is one of the session.
    await client.query(`SET lock_timeout = ${lockTimeoutMs}`);
    await retryBusy(client, relation, {
      options,
      attempt: async () => void (await client.query(`VACUUM (FULL) ${leaf}`)),
    });
    await client.query("RESET lock_timeout");
  }
}

async function mayMaintain(client: ClientBase, { oid }: Relation): Promise<boolean> {
  const { rows } = await client.query<{ isOwner: boolean }>(
    `SELECT pg_has_role(relowner, 'USAGE') AS "isOwner" FROM pg_class WHERE oid = $1`,
    [oid],
  );
  return rows[0]?.isOwner === true;
}

async function mayVacuumStatistics(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ isSuperuser: boolean }>(
    `SELECT rolsuper AS "isSuperuser" FROM pg_roles WHERE rolname = current_user`,
  );
  return rows[0]?.isSuperuser === true;
}

/** ANALYZE replaces rows of a catalog, and those too stay dead in their pages: a small table, locked for milliseconds. */
async function vacuumStatistics(client: ClientBase): Promise<void> {
  await client.query("VACUUM (FULL) pg_catalog.pg_statistic");
}
