// What leaves the table for good: write-ahead log, its archive, replicas, logs, backups.
import type { ClientBase } from "pg";
import type { Remnant } from "./contract.ts";

export async function serverRemnants(client: ClientBase): Promise<Remnant[]> {
  return [
    await writeAheadLog(client),
    ...(await archive(client)),
    ...(await slots(client)),
    ...(await replicas(client)),
    ...(await logs(client)),
    {
      kind: "backup",
      state: "unknown",
      message: "Backups and dumps from before the migration hold every value as it was.",
      fix: "Let them expire, or encrypt them with a key of their own and destroy that when the time has come.",
    },
  ];
}

/** A checkpoint frees the segments before it; the server reuses their files, and their bytes with time. */
async function writeAheadLog(client: ClientBase): Promise<Remnant> {
  const isDone =
    (await attempt(client, "SELECT pg_switch_wal()")) && (await attempt(client, "CHECKPOINT"));
  return {
    kind: "wal",
    state: "remains",
    message: isDone
      ? "The write-ahead log was switched and a checkpoint made: its older segments are free, and are overwritten as new ones are needed."
      : "The write-ahead log holds replaced and plain values in the segments that the server still keeps.",
    fix: isDone
      ? "Segments on disk last for about max_wal_size of writing; pg_ls_waldir() shows their age."
      : "As a superuser (or pg_checkpoint): SELECT pg_switch_wal(); CHECKPOINT.",
  };
}

async function archive(client: ClientBase): Promise<Remnant[]> {
  const { rows } = await client.query<{ mode: string }>(
    "SELECT current_setting('archive_mode') AS mode",
  );
  if (rows[0]?.mode === "off") return [];
  return [
    {
      kind: "archive",
      state: "unknown",
      message:
        "WAL is archived (archive_mode): the archive holds what was written before and during the migration.",
      fix: "Take a new base backup, then remove archived WAL from before it, as the retention of your backups allows.",
    },
  ];
}

async function slots(client: ClientBase): Promise<Remnant[]> {
  const { rows } = await client.query<{ name: string; kept: string }>(
    `SELECT slot_name AS name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS kept
     FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL`,
  );
  return rows.map(({ name, kept }) => ({
    kind: "wal",
    state: "remains",
    message: `Replication slot "${name}", which nobody reads, keeps ${kept} of write-ahead log.`,
    fix: `Start its reader, or SELECT pg_drop_replication_slot('${name}').`,
  }));
}

async function replicas(client: ClientBase): Promise<Remnant[]> {
  const { rows } = await client.query<{ name: string; isLogical: boolean }>(
    `SELECT coalesce(nullif(application_name, ''), client_addr::text, 'a replica') AS name,
       EXISTS (SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid AND slot_type = 'logical') AS "isLogical"
     FROM pg_stat_replication r`,
  );
  return rows.map(({ name, isLogical }) => ({
    kind: "replica",
    state: "unknown",
    message: isLogical
      ? `Subscriber "${name}" has received values by logical replication, and keeps its own dead rows, statistics and log.`
      : `Replica "${name}" follows in its tables; its write-ahead log, and its own backups, are its own.`,
    fix: isLogical
      ? "Scrub there as well."
      : "Let its restart points pass, and its backups expire.",
  }));
}

async function logs(client: ClientBase): Promise<Remnant[]> {
  const { rows } = await client.query<{ name: string; value: string }>(
    `SELECT name, setting AS value FROM pg_settings
     WHERE name = 'log_statement' AND setting NOT IN ('none', 'ddl')
       OR name IN ('log_min_duration_statement', 'log_min_duration_sample', 'auto_explain.log_min_duration') AND setting <> '-1'`,
  );
  const settings = rows.map(({ name, value }) => `${name} = ${value}`).join(", ");
  return [
    {
      kind: "log",
      state: "unknown",
      message:
        rows.length === 0
          ? "Server logs hold values of statements that failed, and of whatever was logged before."
          : `Server logs hold the values of statements from before the migration (${settings}).`,
      fix: "Remove logs from before the migration, with their copies in log services.",
    },
  ];
}

/** False when the role may not. */
async function attempt(client: ClientBase, sql: string): Promise<boolean> {
  try {
    await client.query(sql);
    return true;
  } catch {
    return false;
  }
}
