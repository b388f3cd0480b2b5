// Changes of a live table that need a lock nobody else may hold. Waiting for such a lock makes everyone who comes later
// wait as well, so each attempt waits a moment only, and then lets the queue pass.
import { setTimeout as sleep } from "node:timers/promises";
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Relation } from "./relation.ts";
import { inTransaction } from "./transaction.ts";

export interface LockOptions {
  /** How long one attempt may wait, and others behind it. Defaults to 200 ms. */
  readonly lockTimeoutMs?: number;
  /** Defaults to 50: about a minute with the pauses between. */
  readonly lockAttempts?: number;
  readonly signal?: AbortSignal;
}

const LOCK_NOT_AVAILABLE = "55P03";
const DEADLOCK = "40P01";
const MAX_PAUSE_MS = 2000;

/**
 * Runs statements in one transaction, again and again until the lock is had.
 * @throws {@link MigrationError} `ERR_MIGRATE_BUSY` names the processes in the way; nothing was changed
 */
export async function withShortLock(
  client: ClientBase,
  relation: Relation,
  {
    statements,
    options,
  }: { readonly statements: readonly string[]; readonly options: LockOptions },
): Promise<void> {
  const { lockTimeoutMs = 200 } = options;
  const attempt = (): Promise<void> =>
    inTransaction(client, async () => {
      await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      for (const sql of statements) await client.query(sql);
    });
  await retryBusy(client, relation, { attempt, options });
}

/**
 * Repeats an attempt, which limits its own wait, until it gets its locks.
 * @throws {@link MigrationError} `ERR_MIGRATE_BUSY`
 */
export async function retryBusy(
  client: ClientBase,
  relation: Relation,
  { attempt, options }: { readonly attempt: () => Promise<void>; readonly options: LockOptions },
): Promise<void> {
  const { lockTimeoutMs = 200, lockAttempts = 50, signal } = options;
  for (let count = 1; ; count++) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK) throw error;
    }
    if (count === lockAttempts) await refuseBusy(client, relation, lockAttempts);
    const pauseMs = Math.min(MAX_PAUSE_MS, lockTimeoutMs * count) * (0.5 + Math.random());
    await sleep(pauseMs, undefined, signal && { signal });
  }
}

async function refuseBusy(
  client: ClientBase,
  relation: Relation,
  attempts: number,
): Promise<never> {
  const { rows } = await client.query<{
    pid: number;
    application: string;
    state: string;
    age: string;
  }>(
    `SELECT DISTINCT a.pid, application_name AS application, coalesce(a.state, backend_type) AS state,
       coalesce(extract(epoch FROM clock_timestamp() - xact_start)::int, 0)::text AS age
     FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.relation = $1 AND l.granted AND a.pid <> pg_backend_pid() ORDER BY pid LIMIT 5`,
    [relation.oid],
  );
  const holders = rows.map(
    ({ pid, application, state, age }) =>
      `process ${pid}${application && ` (${application})`}, ${state}, in a transaction for ${age} s`,
  );
  throw new MigrationError(
    "ERR_MIGRATE_BUSY",
    `Table ${relation.sql} stayed locked in ${attempts} attempts; nothing was changed. ` +
      (holders.length > 0 ? `In the way: ${holders.join("; ")}. ` : "") +
      "Let long transactions end, then try again.",
    { table: relation.name },
  );
}
