// The database: reachable, in step with our clock, private on the way, not a replica; and what this role may do.
import type { EncryptedColumn } from "@fieldseal/crypto";
import { refuseSharedSessions } from "@fieldseal/migrate";
import type { Pool } from "pg";
import { failed, type Check } from "./check.ts";
import { formatSeconds } from "./quantities.ts";
import { nameOfTable, type Session } from "./session.ts";

const LEAST_POSTGRES = 14;

interface Server {
  readonly version: string;
  readonly number: number;
  readonly now: Date;
  readonly isReplica: boolean;
  readonly isReadOnly: boolean;
  readonly isEncrypted: boolean;
  readonly isLocal: boolean;
  readonly replicas: string;
  readonly mayKeepJournal: boolean;
  readonly hasPgcrypto: boolean;
}

export async function databaseChecks({ pool, database, columns }: Session): Promise<Check[]> {
  const before = Date.now();
  const { rows } = await pool.query<Server>(
    `SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int / 10000 AS number,
       clock_timestamp() AS now, pg_is_in_recovery() AS "isReplica",
       current_setting('transaction_read_only')::bool AS "isReadOnly",
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS "isEncrypted",
       inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1' AS "isLocal",
       (SELECT count(*) FROM pg_stat_replication) AS replicas,
       CASE WHEN to_regnamespace('fieldseal') IS NULL
         THEN has_database_privilege(current_database(), 'CREATE')
         ELSE has_schema_privilege('fieldseal', 'USAGE') END AS "mayKeepJournal",
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pgcrypto') AS "hasPgcrypto"`,
  );
  const server = rows[0] as Server;
  return [
    versionCheck(server, database),
    clockCheck(server, (before + Date.now()) / 2),
    privacyCheck(server),
    await sessionCheck(pool),
    replicaCheck(server),
    extensionCheck(server),
    await rightsCheck(pool, columns, server),
  ];
}

function versionCheck({ version, number }: Server, database: string): Check {
  const name = "database";
  const detail = `PostgreSQL ${version} at ${database}`;
  if (number >= LEAST_POSTGRES) return { name, state: "ok", detail };
  const fix = `Re-encryption needs PostgreSQL ${LEAST_POSTGRES} or later.`;
  return { name, state: "warning", detail, fix };
}

const MAX_SKEW_MS = 5000;

/** Dates of keys and leases of runs are compared across machines. */
function clockCheck({ now }: Server, here: number): Check {
  const skewMs = Math.abs(now.getTime() - here);
  const apart = skewMs < 1000 ? "less than a second" : formatSeconds(skewMs / 1000);
  const detail = `${apart} from the server's`;
  if (skewMs <= MAX_SKEW_MS) return { name: "clock", state: "ok", detail };
  return { name: "clock", state: "warning", detail, fix: "Set both by NTP." };
}

function privacyCheck({ isEncrypted, isLocal }: Server): Check {
  const name = "TLS";
  if (isEncrypted) return { name, state: "ok", detail: "the connection is encrypted" };
  if (isLocal) return { name, state: "ok", detail: "not needed: the server is on this machine" };
  const detail =
    "the connection is not encrypted; conditions and unencrypted columns can be read on the way";
  return { name, state: "warning", detail, fix: "Add sslmode=verify-full to DATABASE_URL." };
}

/** Settings of the engine belong to one. */
async function sessionCheck(pool: Pool): Promise<Check> {
  const name = "sessions";
  try {
    await refuseSharedSessions(pool);
    return { name, state: "ok", detail: "each connection keeps its own" };
  } catch (error) {
    return failed(name, error);
  }
}

function replicaCheck({ isReplica, isReadOnly, replicas }: Server): Check {
  const name = "replication";
  if (isReplica) {
    const detail = "this server is a replica, and read-only";
    return { name, state: "warning", detail, fix: "Re-encryption needs the primary server." };
  }
  if (isReadOnly) {
    const detail = "transactions of this role are read-only: verify works, re-encryption does not";
    const fix = "Use a role, or a database, without default_transaction_read_only.";
    return { name, state: "warning", detail, fix };
  }
  const number = Number(replicas);
  const detail = number === 0 ? "no replica" : `replicas: ${number}; runs wait for those that lag`;
  return { name, state: "ok", detail };
}

function extensionCheck({ hasPgcrypto }: Server): Check {
  const detail = hasPgcrypto
    ? "none is needed; pgcrypto is installed, and its functions would send keys to the server"
    : "none is needed";
  return { name: "extensions", state: "ok", detail };
}

async function rightsCheck(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  { mayKeepJournal }: Server,
): Promise<Check> {
  const name = "privileges";
  const absent: string[] = [];
  const denied: string[] = [];
  for (const { schema, table, column } of columns) {
    const right = await rightOn(pool, { schema, table, column });
    const where = `${nameOfTable({ schema, table })}.${column}`;
    if (right === "none") absent.push(`${where} does not exist, or is not to be seen`);
    if (right === "part") denied.push(`${where} cannot be read and updated`);
  }
  if (absent.length + denied.length > 0) {
    const fixes = [
      ...(absent.length > 0 ? ['"fieldseal migrate plan" says what there is instead.'] : []),
      ...(denied.length > 0 ? ["Use the role that owns the tables, or GRANT SELECT, UPDATE."] : []),
    ];
    const detail = [...absent, ...denied].join("; ");
    return { name, state: "failure", detail, fix: fixes.join(" ") };
  }
  if (!mayKeepJournal) {
    const detail = "tables can be read and updated, but a run could not keep its journal";
    return { name, state: "warning", detail, fix: "GRANT CREATE ON DATABASE ... TO this role." };
  }
  return { name, state: "ok", detail: "columns can be read and updated, and runs keep a journal" };
}

/** A closed schema is as good as a missing table: `to_regclass` fails there. */
async function rightOn(
  pool: Pool,
  { schema, table, column }: Pick<EncryptedColumn, "schema" | "table" | "column">,
): Promise<"all" | "part" | "none"> {
  const { rows } = await pool.query<{ isThere: boolean; mayRead: boolean; mayWrite: boolean }>(
    `SELECT attname IS NOT NULL AS "isThere",
       coalesce(has_column_privilege(t.oid, attname, 'SELECT'), false) AS "mayRead",
       coalesce(has_column_privilege(t.oid, attname, 'UPDATE'), false) AS "mayWrite"
     FROM (SELECT CASE WHEN $1::text IS NULL THEN to_regclass(quote_ident($2))::oid ELSE (
       SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE nspname = $1 AND relname = $2 AND has_schema_privilege(n.oid, 'USAGE')) END AS oid) t
     LEFT JOIN pg_attribute ON attrelid = t.oid AND attname = $3 AND NOT attisdropped`,
    [schema, table, column],
  );
  const { isThere = false, mayRead = false, mayWrite = false } = rows[0] ?? {};
  if (!isThere) return "none";
  return mayRead && mayWrite ? "all" : "part";
}
