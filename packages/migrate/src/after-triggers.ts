// Triggers that fire after an UPDATE, and may write the row once more: RETURNING shows it as it was before them.
import type { ClientBase } from "pg";

/** Of each connection, by leaf: a batch is no time to look. */
const known = new WeakMap<ClientBase, Map<string, boolean>>();

/**
 * Whether the application has such triggers on this table, quoted by name. Before PostgreSQL 15 the copies that partitions
 * have of their table's triggers count as internal, as those of foreign keys do.
 */
export async function hasAfterTriggers(client: ClientBase, leaf: string): Promise<boolean> {
  const own = known.get(client) ?? new Map<string, boolean>();
  known.set(client, own);
  let isKnown = own.get(leaf);
  if (isKnown === undefined) {
    const { rowCount } = await client.query(
      `SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgenabled IN ('O', 'A')
         AND (NOT tgisinternal OR tgparentid <> 0 AND tgconstraint = 0) AND tgtype & 16 <> 0 AND tgtype & 66 = 0 AND tgname !~ 'fieldseal' LIMIT 1`,
      [leaf],
    );
    isKnown = rowCount === 1;
    own.set(leaf, isKnown);
  }
  return isKnown;
}
