// One name for one table: that of a model leaves the schema to the search path, which differs between tenants.
import type { ClientBase } from "pg";

/** @param sql the table's name, quoted */
export async function fullNameOf(client: ClientBase, sql: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE c.oid = to_regclass($1)`,
    [sql],
  );
  return rows[0]?.name ?? sql;
}
