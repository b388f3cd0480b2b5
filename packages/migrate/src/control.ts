// Looking at runs and steering them, from any process.
import { MigrationError } from "@fieldseal/crypto";
import type { Pool } from "pg";
import { patiently } from "./connections.ts";
import type { Progress, RunState } from "./contract.ts";
import { refuseForeignJournal } from "./ownership.ts";
import { readProgress, setState } from "./journal.ts";

/** All runs, newest first; empty before the first. */
export async function listRuns(pool: Pool): Promise<Progress[]> {
  const { rows: exists } = await pool.query<{ name: string | null }>(
    "SELECT to_regclass('fieldseal.run')::text AS name",
  );
  if (exists[0]?.name === null) return [];
  await refuseForeignJournal(pool);
  const { rows } = await pool.query<{ id: string; target: string }>(
    "SELECT id, target FROM fieldseal.run ORDER BY id DESC LIMIT 100",
  );
  const runs: Progress[] = [];
  for (const { id, target } of rows) {
    runs.push(await readProgress(pool, id, { schema: undefined, table: target }));
  }
  return runs;
}

/**
 * Every worker stops after its batch at hand, and begins no other table; `migrate` with the same columns goes on.
 */
export async function pauseRun(pool: Pool, runId: string): Promise<void> {
  await change(pool, runId, "paused", ["running"]);
}

/** Lets a paused run go on, in queue workers; a `migrate` that ended with the pause is to be called again. */
export async function resumeRun(pool: Pool, runId: string): Promise<void> {
  await change(pool, runId, "running", ["paused"]);
}

/** Ends a run. What it wrote stays: both forms are readable as before. */
export async function cancelRun(pool: Pool, runId: string): Promise<void> {
  await change(pool, runId, "cancelled", ["running", "paused"]);
}

async function change(
  pool: Pool,
  runId: string,
  state: RunState,
  from: readonly RunState[],
): Promise<void> {
  await refuseForeignJournal(pool);
  if (await patiently(() => setState(pool, runId, state, from))) return;
  const { rows } = await pool.query<{ state: RunState }>(
    "SELECT state FROM fieldseal.run WHERE id = $1",
    [runId],
  );
  const [run] = rows;
  const message =
    run === undefined
      ? `There is no run ${runId}.`
      : `Run ${runId} is ${run.state}; only one that is ${from.join(" or ")} can become ${state}.`;
  throw new MigrationError("ERR_MIGRATE_STATE", message, { runId });
}
