// A table or column that is not there: most often its name is misspelt, so messages say what there is instead.
import type { ClientBase } from "pg";
import type { Target } from "./contract.ts";

const MAX_NAMED = 20;

/** `"id", "email" and 3 more` */
export function namesThereAre(names: Iterable<string>): string {
  const all = [...names].map((name) => `"${name}"`);
  const more = all.length > MAX_NAMED ? ` and ${all.length - MAX_NAMED} more` : "";
  return all.slice(0, MAX_NAMED).join(", ") + more;
}

/** SQL; `table` is quoted. */
export function addColumn(table: string, name: string, storage: "text" | "binary"): string {
  const type = storage === "binary" ? "bytea" : "text";
  return `ALTER TABLE ${table} ADD COLUMN "${name.replaceAll('"', '""')}" ${type}`;
}

/** What to do about a table that is not found. */
export async function fixOfMissingTable(
  client: ClientBase,
  { schema, table }: Pick<Target, "schema" | "table">,
): Promise<string> {
  const { rows } = await client.query<{ schema: string; name: string; mayUse: boolean }>(
    `SELECT nspname AS schema, relname AS name, has_schema_privilege(n.oid, 'USAGE') AS "mayUse"
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE lower(relname) = lower($1) AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1, 2 LIMIT 5`,
    [table],
  );
  const hidden = rows.find((row) => row.schema === schema && row.name === table && !row.mayUse);
  if (hidden !== undefined) return `GRANT USAGE ON SCHEMA "${schema}" TO this role`;
  const found = rows.map((row) => `"${row.schema}"."${row.name}"`);
  if (found.length === 0)
    return "Correct the table's name in the model, or the database's in the URL";
  return `There is ${found.join(", ")}: correct schema and name in the model`;
}
