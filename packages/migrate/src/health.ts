// What the server and its replicas suffer from, so that the engine can wait.
import type { ClientBase } from "pg";

export interface Health {
  /** Of the replica that is furthest behind; 0 without replicas. */
  readonly lagSeconds: number;
  /** Write-ahead log that it has not replayed. */
  readonly lagBytes: number;
  /** Age of the oldest transaction, open or prepared, that keeps VACUUM from removing dead rows. */
  readonly snapshotSeconds: number;
  /** Sessions that wait for a lock of ours. */
  readonly waiters: number;
  /** Bytes of write-ahead log since the server was made. */
  readonly walBytes: number;
}

export interface Limits {
  readonly maxReplicationLagSeconds: number;
  readonly maxReplicationLagBytes: number;
  readonly maxSnapshotAgeSeconds: number;
}

/** Replicas show their lag, and other users their transactions, to superusers and members of `pg_monitor` only. */
export async function readHealth(client: ClientBase): Promise<Health> {
  const { rows } = await client.query<Record<keyof Health, string>>(
    `SELECT
       coalesce((SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication), 0) AS "lagSeconds",
       coalesce((SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) FROM pg_stat_replication
         WHERE NOT pg_is_in_recovery()), 0) AS "lagBytes",
       coalesce((SELECT max(extract(epoch FROM clock_timestamp() - began)) FROM (
         SELECT xact_start FROM pg_stat_activity
         WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
           AND backend_type = 'client backend'
         UNION ALL SELECT prepared FROM pg_prepared_xacts) AS open(began)), 0) AS "snapshotSeconds",
       (SELECT count(*) FROM pg_stat_activity waiting
         WHERE waiting.wait_event_type = 'Lock' AND EXISTS (
           SELECT 1 FROM unnest(pg_blocking_pids(waiting.pid)) AS blocking
           JOIN pg_stat_activity own ON own.pid = blocking AND own.application_name = 'fieldseal')) AS waiters,
       CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_current_wal_insert_lsn() - '0/0'::pg_lsn END AS "walBytes"`,
  );
  const row = rows[0] as Record<keyof Health, string>;
  return {
    lagSeconds: Number(row.lagSeconds),
    lagBytes: Number(row.lagBytes),
    snapshotSeconds: Number(row.snapshotSeconds),
    waiters: Number(row.waiters),
    walBytes: Number(row.walBytes),
  };
}

/** Why to wait; undefined when there is no reason. */
export function reasonToWait(health: Health, limits: Limits): string | undefined {
  const isBehind =
    health.lagSeconds > limits.maxReplicationLagSeconds ||
    health.lagBytes > limits.maxReplicationLagBytes;
  if (isBehind) return "replication lag";
  if (health.snapshotSeconds > limits.maxSnapshotAgeSeconds) return "old snapshot";
  return health.waiters > 0 ? "lock waits" : undefined;
}
