// How migrators of other libraries write, in their simplest form: with the same cipher, so that what differs is the
// traffic with the server.
import type { Stored } from "@fieldseal/crypto";
import type { ClientBase } from "pg";

const BATCH = 500;
const SELECT = "SELECT notes FROM t WHERE id = $1";
const UPDATE = "UPDATE t SET notes = $1 WHERE id = $2";

export interface ShapeRun {
  readonly client: ClientBase;
  readonly seal: (notes: string) => Stored;
  /** Ids `[first, first + rows)` of table `t`. */
  readonly first: number;
  readonly rows: number;
}

export const SHAPES: Readonly<Record<string, (run: ShapeRun) => Promise<void>>> = {
  "row by row, no transaction (loses updates)": async (run) => {
    for (const id of ids(run)) await rewrite(run, id);
  },
  "a transaction per row, locked (cloak_ecto)": (run) => inTransactions(run, " FOR UPDATE"),
  "a transaction per row, not locked (prisma-field-encryption; loses updates)": (run) =>
    inTransactions(run, ""),
  "batches read at once, rows written one by one in a transaction (Lockbox; loses updates)": async (
    run,
  ) => {
    const { client, seal, first, rows: count } = run;
    for (let from = first; from < first + count; from += BATCH) {
      const { rows } = await client.query<{ id: string; notes: string }>(
        "SELECT id, notes FROM t WHERE id >= $1 ORDER BY id LIMIT $2",
        [from, Math.min(BATCH, first + count - from)],
      );
      await client.query("BEGIN");
      for (const { id, notes } of rows) await client.query(UPDATE, [seal(notes), id]);
      await client.query("COMMIT");
    }
  },
};

async function inTransactions(run: ShapeRun, lock: string): Promise<void> {
  for (const id of ids(run)) {
    await run.client.query("BEGIN");
    await rewrite(run, id, lock);
    await run.client.query("COMMIT");
  }
}

async function rewrite({ client, seal }: ShapeRun, id: number, lock = ""): Promise<void> {
  const { rows } = await client.query<{ notes: string }>(SELECT + lock, [id]);
  await client.query(UPDATE, [seal((rows[0] as { notes: string }).notes), id]);
}

function ids({ first, rows }: ShapeRun): number[] {
  return Array.from({ length: rows }, (_, i) => first + i);
}
