// Rewriting a batch a part at a time: between parts, what has arrived from the server has its turn. Another worker's batch
// may have been written meanwhile, and PostgreSQL would wait for the next one.
import { setImmediate } from "node:timers/promises";
import { rewrite, type Cell, type Poison, type RewriteOptions, type Rewritten } from "./rewrite.ts";
import type { Table } from "./table.ts";

/** Less than a millisecond of work, of half a kilobyte each. */
const ROWS_AT_ONCE = 100;

/** {@link rewrite}, of any number of rows. */
export async function rewriteInTurns(
  table: Pick<Table, "migrated">,
  rows: readonly (readonly Cell[])[],
  { direction, isPlaintext }: RewriteOptions,
): Promise<Rewritten> {
  const result: (readonly Cell[] | undefined)[] = [];
  const poison: Poison[] = [];
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    if (from > 0) await setImmediate();
    const part = rewrite(table, rows.slice(from, from + ROWS_AT_ONCE), {
      direction,
      ...(isPlaintext && { isPlaintext: (row, column) => isPlaintext(from + row, column) }),
    });
    result.push(...part.rows);
    poison.push(...part.poison.map((one) => ({ ...one, row: from + one.row })));
  }
  return { rows: result, poison };
}
