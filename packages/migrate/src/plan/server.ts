// What concerns a run wherever it writes: a server that does not take writes, snapshots and replicas that keep what it
// leaves behind.
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Direction } from "../contract.ts";
import { refuseForeignJournal } from "../ownership.ts";
import { quote } from "../table.ts";
import type { Finding } from "./contract.ts";

export async function serverFindings(
  client: ClientBase,
  {
    direction,
    maxSnapshotAgeSeconds,
  }: { readonly direction: Direction; readonly maxSnapshotAgeSeconds: number },
): Promise<Finding[]> {
  return [
    ...(await readOnly(client)),
    ...(await privileges(client)),
    ...(await serverLog(client, direction)),
    ...(await snapshots(client, maxSnapshotAgeSeconds)),
    ...(await replicas(client)),
  ];
}

async function readOnly(client: ClientBase): Promise<Finding[]> {
  const { rows } = await client.query<{ isReplica: boolean; isReadOnly: boolean }>(
    `SELECT pg_is_in_recovery() AS "isReplica", current_setting('default_transaction_read_only')::bool AS "isReadOnly"`,
  );
  const { isReplica, isReadOnly } = rows[0] as { isReplica: boolean; isReadOnly: boolean };
  if (!isReplica && !isReadOnly) return [];
  return [
    {
      severity: "refusal",
      kind: "read-only",
      message: isReplica
        ? "This server is a replica: it takes no writes."
        : "Transactions of this role are read-only (default_transaction_read_only).",
      fix: isReplica ? "Connect to the primary." : "Use a role that may write.",
    },
  ];
}

async function privileges(client: ClientBase): Promise<Finding[]> {
  const { rows } = await client.query<{ role: string; isAllowed: boolean }>(
    `SELECT current_user AS role, CASE WHEN to_regnamespace('fieldseal') IS NULL
       THEN has_database_privilege(current_database(), 'CREATE')
       ELSE has_schema_privilege('fieldseal', 'CREATE, USAGE') END AS "isAllowed"`,
  );
  try {
    await refuseForeignJournal(client);
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return [{ severity: "refusal", kind: "privilege", message: error.message }];
  }
  const [row] = rows;
  if (row?.isAllowed !== false) return [];
  return [
    {
      severity: "refusal",
      kind: "privilege",
      message: `Role "${row.role}" may not make the schema "fieldseal", where the engine keeps its progress.`,
      fix: `CREATE SCHEMA fieldseal AUTHORIZATION "${row.role}"`,
    },
  ];
}

interface LogSettings {
  readonly role: string;
  readonly database: string;
  readonly isSilent: boolean;
  readonly isSilentOnErrors: boolean;
  readonly logsParameters: boolean;
}

/** What remains of the server's log after the engine has set for its session what this role may set. */
async function serverLog(client: ClientBase, direction: Direction): Promise<Finding[]> {
  const { rows } = await client.query<LogSettings>(
    `SELECT current_user AS role, current_database() AS database,
       has_database_privilege(current_database(), 'TEMPORARY') AS "isSilentOnErrors",
       current_setting('log_min_messages') IN ('fatal', 'panic') AS "isSilent",
       current_setting('log_parameter_max_length') <> '0' AND (current_setting('log_statement') IN ('mod', 'all')
         OR current_setting('log_min_duration_statement') <> '-1' OR current_setting('log_min_duration_sample') <> '-1'
         OR current_setting('log_transaction_sample_rate')::float8 > 0) AS "logsParameters"`,
  );
  const { role, database, isSilent, isSilentOnErrors, logsParameters } = rows[0] as LogSettings;
  const findings: Finding[] = [];
  if (!isSilent && !isSilentOnErrors) {
    findings.push({
      severity: "warning",
      kind: "server-log",
      message:
        "Where PostgreSQL refuses a row that the run writes, its log quotes the row, plaintext included: this role may " +
        "neither make temporary functions, which keep that out of it, nor set log_min_messages.",
      fix: `GRANT TEMPORARY ON DATABASE ${quote(database)} TO ${quote(role)}`,
    });
  }
  if (direction === "decrypt" && logsParameters) {
    findings.push({
      severity: "warning",
      kind: "server-log",
      message:
        "This server logs the parameters of statements (log_statement, log_min_duration_statement ...), which are plaintext " +
        "on the way back, and this role may not switch that off.",
      fix: `ALTER ROLE ${quote(role)} SET log_parameter_max_length = 0, as a superuser, for the time of the run.`,
    });
  }
  return findings;
}

async function snapshots(client: ClientBase, maxAgeSeconds: number): Promise<Finding[]> {
  const { rows } = await client.query<{ what: string; seconds: number; end: string }>(
    `SELECT format('process %s%s, %s', pid, ' (' || nullif(application_name, '') || ')', state) AS what,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
       format('SELECT pg_terminate_backend(%s), or wait for its end', pid) AS end
     FROM pg_stat_activity
     WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
     UNION ALL SELECT format('prepared transaction %L', gid), extract(epoch FROM clock_timestamp() - prepared)::float8,
       format('COMMIT PREPARED %L or ROLLBACK PREPARED %L', gid, gid) FROM pg_prepared_xacts
     ORDER BY seconds DESC NULLS LAST LIMIT 5`,
  );
  return rows
    .filter(({ seconds }) => seconds > maxAgeSeconds)
    .map(({ what, seconds, end }) => ({
      severity: "warning",
      kind: "old-snapshot",
      message:
        `A snapshot is open for ${Math.round(seconds / 60)} min (${what}): until its end VACUUM removes no row version ` +
        "that the run replaces, and the table may double.",
      fix: `${end}.`,
    }));
}

async function replicas(client: ClientBase): Promise<Finding[]> {
  const { rows: connected } = await client.query<{ name: string; lag: string }>(
    `SELECT coalesce(nullif(application_name, ''), client_addr::text, 'a replica') AS name,
       coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 'an unknown amount') AS lag
     FROM pg_stat_replication WHERE NOT pg_is_in_recovery()`,
  );
  const { rows: slots } = await client.query<{ name: string; kept: string }>(
    `SELECT slot_name AS name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS kept
     FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL AND NOT pg_is_in_recovery()`,
  );
  return [
    ...connected.map(({ name, lag }): Finding => ({
      severity: "note",
      kind: "replica",
      message: `Replica ${name} receives all WAL of the run; it is ${lag} behind now.`,
    })),
    ...slots.map(({ name, kept }): Finding => ({
      severity: "warning",
      kind: "replica",
      message: `Nobody reads replication slot "${name}": it keeps ${kept} of WAL, and would keep all that the run writes.`,
      fix: `Start its reader, or SELECT pg_drop_replication_slot('${name}').`,
    })),
  ];
}
