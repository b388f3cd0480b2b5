// Rows that cannot be read: named by primary key, never by value.
import type { ClientBase, Pool } from "pg";
import type { PoisonRow } from "./contract.ts";

export interface PoisonRecord {
  readonly key: readonly string[];
  readonly column: string;
  readonly code: string;
  readonly reason?: string;
}

export async function recordPoison(
  client: ClientBase,
  runId: string,
  records: readonly PoisonRecord[],
): Promise<void> {
  await client.query(
    `INSERT INTO fieldseal.poison (run_id, primary_key, column_name, code, reason)
     SELECT $1, ARRAY(SELECT json_array_elements_text(r.key)), r.column, r.code, r.reason
     FROM json_to_recordset($2) AS r(key json, "column" text, code text, reason text)
     ON CONFLICT (run_id, primary_key, column_name) DO UPDATE SET code = excluded.code, reason = excluded.reason`,
    [runId, JSON.stringify(records)],
  );
}

/**
 * Rows that were unreadable are tried again, and until then count as rows that were left: the chunks in which they were
 * found may be done, and would not be read again in a pass that wrote nothing else.
 */
export async function retryPoison(client: ClientBase, runId: string): Promise<void> {
  await client.query(
    `WITH gone AS (DELETE FROM fieldseal.poison WHERE run_id = $1 RETURNING primary_key)
     UPDATE fieldseal.chunk SET skipped = skipped + (SELECT count(DISTINCT primary_key) FROM gone)
     WHERE run_id = $1 AND number = (SELECT min(number) FROM fieldseal.chunk WHERE run_id = $1)`,
    [runId],
  );
}

/** Before rows are read again: those that are still unreadable will be recorded again. */
export async function forgetPoison(client: ClientBase, runId: string): Promise<void> {
  await client.query("DELETE FROM fieldseal.poison WHERE run_id = $1", [runId]);
}

export async function readPoison(
  client: ClientBase | Pool,
  runId: string,
  primaryKey: readonly string[],
): Promise<PoisonRow[]> {
  const { rows } = await client.query<{
    key: string[];
    column: string;
    code: string;
    reason: string | null;
  }>(
    `SELECT primary_key AS key, column_name AS column, code, reason FROM fieldseal.poison WHERE run_id = $1
     ORDER BY primary_key LIMIT 1000`,
    [runId],
  );
  return rows.map(({ key, column, code, reason }) => ({
    primaryKey: Object.fromEntries(primaryKey.map((name, i) => [name, key[i] as string])),
    column,
    code,
    ...(reason !== null && { reason }),
  }));
}
