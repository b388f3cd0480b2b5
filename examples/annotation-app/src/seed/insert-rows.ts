import { type ClientBase, escapeIdentifier } from "pg";

/** Inserts rows that all have the same columns; values go as parameters. */
export async function insertRows(
  client: ClientBase,
  table: string,
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const columns = Object.keys(first);
  const values = rows.map((row) => columns.map((column) => row[column]));
  const tuples = values.map(
    (row, i) => `(${row.map((_, j) => `$${i * columns.length + j + 1}`).join(", ")})`,
  );
  await client.query(
    `INSERT INTO ${escapeIdentifier(table)} (${columns.map(escapeIdentifier).join(", ")})
     VALUES ${tuples.join(", ")}`,
    values.flat(),
  );
}
