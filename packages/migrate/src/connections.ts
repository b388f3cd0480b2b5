// The engine's connections: settings of its own, and what to do when one is lost.
import { setTimeout as sleep } from "node:timers/promises";
import { EncryptionError, MigrationError } from "@fieldseal/crypto";
import type { ClientBase, Pool, PoolClient } from "pg";
import { INEXACT } from "./exact-cast.ts";
import { FENCE } from "./fence.ts";
import { SILENCE } from "./silent-statement.ts";
import { LITERALS } from "./transaction.ts";

/** Values of other types have one form, wherever the server is; and the engine's own SQL one meaning. */
export const FORMS = `SET ${LITERALS}; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC';
  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmlbinary = 'base64'`;

/** Rows that a policy hides are an error and not left out. */
const READING = `SET row_security = off; ${FORMS}`;

/**
 * Rows are found by place and by primary key: the planner, which knows little of the arrays it is given, would read the
 * whole table for each batch. A commit that a crash of the server takes back takes the checkpoint back with the rows,
 * so it need not be waited for. Whatever the default of the role, a row that was changed meanwhile is looked at anew (write.ts).
 *
 * Rows are never waited for. What a trigger of the application locks may be: the wait ends before PostgreSQL looks for
 * deadlocks (`deadlock_timeout`, 1 s), so that it is never a transaction of the application that has to give way.
 */
const SESSION = `SET application_name = 'fieldseal'; SET statement_timeout = '30s'; SET lock_timeout = '200ms';
  SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET synchronous_commit = off;
  SET default_transaction_isolation = 'read committed'; SET fieldseal.engine = 'on'; ${READING}`;

/** One connection, closed afterwards: its settings must not serve the application. */
export async function withClient<T>(
  pool: Pool,
  action: (client: ClientBase) => Promise<T>,
): Promise<T> {
  const client = await connect(pool);
  try {
    return await action(client);
  } finally {
    client.release(true);
  }
}

/** One that reads, and sees every row or fails. */
export async function withReader<T>(
  pool: Pool,
  action: (client: ClientBase) => Promise<T>,
): Promise<T> {
  return withClient(pool, async (client) => {
    await client.query(READING);
    return action(client);
  });
}

/** Several, with the engine's settings. */
export async function withSessions<T>(
  pool: Pool,
  count: number,
  action: (clients: readonly ClientBase[]) => Promise<T>,
): Promise<T> {
  const opened = await Promise.allSettled(Array.from({ length: count }, () => connect(pool)));
  const clients = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    const failed = opened.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    await Promise.all(clients.map((client) => client.query(`${SESSION}; ${SILENCE}`)));
    return await action(clients);
  } finally {
    for (const client of clients) client.release(true);
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect();
  // A connection that ends between two queries says so by an event; the next query tells it as well.
  client.on("error", () => {});
  return client;
}

const CONNECTION_LOST = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "53300"]);
const RECONNECTS = 9;
const MAX_BACKOFF_MS = 10_000;

/** Shutdown, crash and start of the server (class 57P), class 08, and what `pg` says of a socket that closed. */
function isConnectionLoss(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === "string") {
    return CONNECTION_LOST.has(code) || /^(?:08|57P)/.test(code);
  }
  return (
    typeof message === "string" &&
    /Connection terminated|not queryable|timeout exceeded/.test(message)
  );
}

/** Runs an action that may be repeated, through restarts of the server: about half a minute without progress. */
export async function reconnecting<T>(
  action: (noteProgress: () => void) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await action(() => (failures = 0));
    } catch (error) {
      if (!isConnectionLoss(error) || ++failures > RECONNECTS || signal?.aborted === true)
        throw error;
      const backoff = Math.min(MAX_BACKOFF_MS, 50 * 2 ** failures);
      await sleep(backoff * (0.5 + Math.random()));
    }
  }
}

/** Another transaction was in the way, and nothing was written: a lock, a deadlock, a row that moved to another partition. */
const IN_THE_WAY = new Set(["55P03", "40P01", "40001"]);
/** Somebody may be altering the table. */
const PATIENCE_MS = 60_000;

/** Repeats a statement of the engine until nobody is in its way. */
export async function patiently<T>(action: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined || !IN_THE_WAY.has(code) || performance.now() > end) throw error;
    }
    await sleep(Math.min(1000, 10 * attempt) * (0.5 + Math.random()));
  }
}

/** What PostgreSQL says when one row's new value is at fault: data exceptions, constraints, errors raised by triggers. */
export function isRefusal(
  error: unknown,
): error is { readonly code: string; readonly constraint?: string; readonly column?: string } {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^(?:22|23|P0001)/.test(code) && code !== TRIGGER_CHANGES;
}

/** Division by zero: of the statement of a batch, when a trigger changes what it writes. */
const TRIGGER_CHANGES = "22012";

/** By PostgreSQL's code: what it means for a write of the engine. */
export const ADVICE: Readonly<Record<string, string>> = {
  [TRIGGER_CHANGES]:
    "a trigger changes what is written to an encrypted column, which would destroy it; nothing was written. " +
    "Take the column out of that trigger",
  [INEXACT]:
    "a plain column would not hold a value exactly: digits, a time, or its zone would be lost. Give the column a type that " +
    "keeps them, as numeric, or timestamptz with microseconds",
  "23502": "the column must not be NULL",
  "23505": "a unique constraint or index does not hold for the new values",
  "23514": "a CHECK constraint refuses the new values. Drop it, or let it accept ciphertext",
  "42710": "there is a constraint of this name with another condition. Drop it, or rename it",
  "42501":
    "this role may not read or write it, or row-level security hides rows from it. Use the owner's role, or one with BYPASSRLS",
  "25006":
    "the database is read-only. Use the primary server, and a role without default_transaction_read_only",
  "55P03": "somebody has locked the table for a minute",
  "57014": "a batch took longer than 30 s. Use fewer rows a batch",
};

/** The fence and the constraint of a finished column, on the way back to plaintext. */
const GUARD = new RegExp(`^${FENCE}$|_encrypted$`);
export const GUARD_ADVICE =
  "the column is finalized and takes envelopes only. On the way back to plaintext take that away first: " +
  'undoFinalize, or "fieldseal migrate finalize --undo"';

/** PostgreSQL's error without its message and detail, which quote the row. */
export function databaseError(
  error: unknown,
  {
    what = "a batch",
    isReading = false,
    ...where
  }: {
    readonly table: string;
    readonly runId?: string | undefined;
    /** Defaults to "a batch". */
    readonly what?: string;
    /** Nothing was to be written. Defaults to false. */
    readonly isReading?: boolean;
  },
): unknown {
  const { code, constraint, column } = error as Record<string, unknown>;
  const isOurs = error instanceof EncryptionError;
  if (isOurs || typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code)) return error;
  const names = [
    ...(typeof constraint === "string" ? [`constraint "${constraint}"`] : []),
    ...(typeof column === "string" ? [`column "${column}"`] : []),
  ];
  const named = names.length > 0 ? ` (${names.join(", ")})` : "";
  const isGuard = code === "23514" && typeof constraint === "string" && GUARD.test(constraint);
  const known = isGuard ? GUARD_ADVICE : ADVICE[code];
  const advice = known === undefined ? "" : `: ${known}`;
  const next = isReading
    ? ""
    : " What was written before is complete; start the same again to go on.";
  return new MigrationError(
    "ERR_MIGRATE_DATABASE",
    `PostgreSQL refused ${what} of table "${where.table}" with ${code}${named}${advice}.${next}`,
    where,
  );
}
