// Chunks: ranges of places in the leaves of a table, each with the worker that has it on lease.
import type { ClientBase, Pool } from "pg";
import { PLACES_PER_BLOCK, type Place } from "./read.ts";

export interface Chunk {
  readonly number: number;
  /** Quoted name of the table that holds these rows. */
  readonly leaf: string;
  /** Rows before it are done. */
  readonly cursor: Place;
  readonly end: Place;
}

/**
 * Cuts the table as it is now: rows that are inserted behind its last block, or moved there by an update, are met in
 * the next pass.
 */
export async function planChunks(
  client: ClientBase,
  runId: string,
  leaves: readonly string[],
): Promise<void> {
  await client.query(
    `INSERT INTO fieldseal.chunk (run_id, number, leaf, cursor_place, end_place)
     WITH leaf AS (
       SELECT name, position,
         pg_relation_size(to_regclass(name)) / current_setting('block_size')::bigint AS blocks
       FROM unnest($2::text[]) WITH ORDINALITY AS l(name, position)
     ), size AS (
       SELECT greatest(1, ceil(sum(blocks) / (SELECT chunks_wanted FROM fieldseal.run WHERE id = $1)))::bigint AS blocks
       FROM leaf
     )
     SELECT $1, row_number() OVER (ORDER BY leaf.position, first) - 1, leaf.name, first * $3::bigint,
       least(first + size.blocks, leaf.blocks) * $3::bigint
     FROM leaf, size, generate_series(0, leaf.blocks - 1, size.blocks) AS first`,
    [runId, leaves, PLACES_PER_BLOCK],
  );
}

export interface Claim {
  readonly runId: string;
  readonly owner: string;
  readonly leaseMs: number;
}

/** The next chunk that nobody works on, or whose worker was silent for the length of its lease, or that is one's own. */
export async function claimChunk(
  client: ClientBase,
  { runId, owner, leaseMs }: Claim,
): Promise<Chunk | undefined> {
  const { rows } = await client.query<{ number: number; leaf: string; from: string; to: string }>(
    `UPDATE fieldseal.chunk SET owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
     WHERE (run_id, number) = (
       SELECT run_id, number FROM fieldseal.chunk
       WHERE run_id = $1 AND finished_at IS NULL
         AND (lease_until IS NULL OR lease_until < clock_timestamp() OR owner = $2)
       ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING number, leaf, cursor_place AS "from", end_place AS "to"`,
    [runId, owner, leaseMs / 1000],
  );
  const [row] = rows;
  return (
    row && { number: row.number, leaf: row.leaf, cursor: Number(row.from), end: Number(row.to) }
  );
}

export interface Unfinished {
  /** Seconds until the first of these chunks can be taken over; undefined while these workers have one themselves. */
  readonly leaseSeconds: number | undefined;
}

/** What is left of the pass at hand while there is no chunk to take; undefined when all is done. */
export async function unfinishedChunks(
  client: ClientBase,
  { runId, owners }: { readonly runId: string; readonly owners: readonly string[] },
): Promise<Unfinished | undefined> {
  const { rows } = await client.query<{ left: string; own: string; seconds: number | null }>(
    `SELECT count(*) AS left, count(*) FILTER (WHERE owner = ANY ($2::uuid[])) AS own,
       extract(epoch FROM min(lease_until) - clock_timestamp())::float8 AS seconds
     FROM fieldseal.chunk WHERE run_id = $1 AND finished_at IS NULL`,
    [runId, owners],
  );
  const { left, own, seconds } = rows[0] as NonNullable<(typeof rows)[0]>;
  if (Number(left) === 0) return undefined;
  const isWaiting = Number(own) === 0 && seconds !== null;
  return { leaseSeconds: isWaiting ? Math.max(0, seconds) : undefined };
}

/** Gives chunks back before their leases end. */
export async function releaseChunks(
  client: ClientBase | Pool,
  { runId, owners }: { readonly runId: string; readonly owners: readonly string[] },
): Promise<void> {
  await client.query(
    `UPDATE fieldseal.chunk SET lease_until = NULL, owner = NULL WHERE run_id = $1 AND owner = ANY ($2::uuid[])`,
    [runId, owners],
  );
}

/** Rows that were seen and should have been written, and were not. */
export async function countSkipped(
  client: ClientBase,
  { runId, number, rows }: { runId: string; number: number; rows: number },
): Promise<void> {
  await client.query(
    "UPDATE fieldseal.chunk SET skipped = skipped + $3 WHERE run_id = $1 AND number = $2",
    [runId, number, rows],
  );
}
