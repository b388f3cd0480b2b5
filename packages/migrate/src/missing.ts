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

/**
 * SQL: the oid of the table $2 in the schema $1, which may be NULL. `to_regclass` of a qualified name fails where the
 * schema is closed to this role; here that is as good as missing, and {@link fixOfMissingTable} says so.
 */
export const TABLE_OID = `CASE WHEN $1::text IS NULL THEN to_regclass(quote_ident($2))::oid ELSE (
  SELECT pc.oid FROM pg_class pc JOIN pg_namespace pn ON pn.oid = pc.relnamespace
  WHERE pn.nspname = $1 AND pc.relname = $2 AND has_schema_privilege(pn.oid, 'USAGE')) END`;

/** What to do about a table that is not found. */
export async function fixOfMissingTable(
  client: ClientBase,
  { schema, table }: Pick<Target, "schema" | "table">,
): Promise<string> {
  const { rows } = await client.query<
    Record<"schema" | "name" | "role", string> & { mayUse: boolean }
  >(
    `SELECT nspname AS schema, relname AS name, quote_ident(current_user) AS role,
       has_schema_privilege(n.oid, 'USAGE') AS "mayUse"
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE lower(relname) = lower($1) AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1, 2 LIMIT 5`,
    [table],
  );
  const hidden = rows.find((row) => row.schema === schema && row.name === table && !row.mayUse);
  if (hidden !== undefined) return `GRANT USAGE ON SCHEMA "${schema}" TO ${hidden.role}`;
  const found = rows.map((row) => `"${row.schema}"."${row.name}"`);
  if (found.length === 0)
    return "Correct the table's name in the model, or the database's in the URL";
  return `There is ${found.join(", ")}: correct schema and name in the model`;
}
