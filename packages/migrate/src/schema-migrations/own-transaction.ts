// A migration that waits for the engine, in a transaction that the engine waits for, would wait for ever. The server
// does not see that, because half of the wait is in this process: it has to be found before anything is begun.
import { setTimeout as sleep } from "node:timers/promises";
import { MigrationError } from "@fieldseal/crypto";
import type { Pool } from "pg";
import type { Target } from "../contract.ts";
import { displayName } from "../relation.ts";
import { quote } from "../table.ts";
import type { Host } from "./host.ts";

/** So long a stranger's transaction may keep the table before it counts as one that waits for us. */
const PATIENCE_MS = 2000;
const LOOK_MS = 100;

/** @throws {@link MigrationError} `ERR_MIGRATE_TRANSACTION` */
export async function refuseOwnTransaction(
  { pool, execute }: Host,
  targets: readonly Target[],
): Promise<void> {
  const own = execute && (await openTransaction(execute));
  if (own !== undefined) await refuseKnown(pool, own, targets);
  const end = performance.now() + PATIENCE_MS;
  for (const target of targets) {
    for (;;) {
      const holder = await idleHolder(pool, target);
      if (holder === undefined) break;
      if (performance.now() > end) refuseHolder(target, holder);
      await sleep(LOOK_MS);
    }
  }
}

/** Process of the server in which the migration has a transaction open: two statements see one time only in one. */
async function openTransaction(execute: NonNullable<Host["execute"]>): Promise<number | undefined> {
  const look = async (): Promise<{ pid: number; began: string } | undefined> => {
    const rows = await execute("SELECT pg_backend_pid() AS pid, now()::text AS began");
    return rows[0] as { pid: number; began: string } | undefined;
  };
  const [first, second] = [await look(), await look()];
  const isOpen = first?.pid === second?.pid && first?.began === second?.began;
  return isOpen ? first?.pid : undefined;
}

async function refuseKnown(pool: Pool, pid: number, targets: readonly Target[]): Promise<void> {
  const { rows } = await pool.query<{ hasWritten: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND locktype = 'transactionid') AS "hasWritten"`,
    [pid],
  );
  for (const target of targets) {
    const [lock] = await locksOf(pool, target, {
      condition: `l.pid = $2 AND l.mode <> 'AccessShareLock'`,
      values: [pid],
    });
    if (lock === undefined) continue;
    throw refusal(
      target,
      `the migration's own transaction holds a ${lock.mode} on it, and would wait for itself`,
    );
  }
  if (rows[0]?.hasWritten !== true) return;
  throw refusal(
    targets[0] as Target,
    "the migration runs in a transaction that has written already: the engine would not see what it did, and VACUUM could " +
      "remove nothing until it ends",
  );
}

interface Lock {
  readonly pid: number;
  readonly mode: string;
  readonly application: string;
  readonly age: string;
}

/** Somebody in this database who keeps writers out of the table, and does nothing: a program, not the server, is at work. */
async function idleHolder(pool: Pool, target: Target): Promise<Lock | undefined> {
  const [lock] = await locksOf(pool, target, {
    condition: `a.state LIKE 'idle in transaction%'
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
    values: [],
  });
  return lock;
}

async function locksOf(
  pool: Pool,
  { schema, table }: Target,
  { condition, values }: { readonly condition: string; readonly values: readonly unknown[] },
): Promise<Lock[]> {
  const { rows } = await pool.query<Lock>(
    `WITH RECURSIVE tree AS (
       SELECT to_regclass($1)::oid AS oid
       UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid
     )
     SELECT l.pid, l.mode, a.application_name AS application,
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::int, 0)::text AS age
     FROM tree JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = tree.oid AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE ${condition} ORDER BY l.pid, l.mode LIMIT 1`,
    [schema === undefined ? quote(table) : `${quote(schema)}.${quote(table)}`, ...values],
  );
  return rows;
}

function refuseHolder(target: Target, { pid, mode, application, age }: Lock): never {
  const name = application === "" ? "" : ` (${application})`;
  throw refusal(
    target,
    `process ${pid}${name} of the server, idle in a transaction for ${age} s, holds a ${mode} on it. If that is the ` +
      "migration's own transaction, it would wait for itself",
  );
}

function refusal(target: Target, reason: string): MigrationError {
  return new MigrationError(
    "ERR_MIGRATE_TRANSACTION",
    `Table "${displayName(target)}" cannot be migrated from here: ${reason}. Commit what changes the table in a migration ` +
      "of its own, and call this one outside of a transaction (MikroORM: isTransactional() returns false, and " +
      "migrations.allOrNothing is false).",
    { table: target.table },
  );
}
