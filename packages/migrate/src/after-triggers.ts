// Triggers that fire after an UPDATE, and may write the row once more: RETURNING shows it as it was before them.
import { literal } from "./fence.ts";

/**
 * SQL: whether the application has such triggers on this table, quoted by name. Before PostgreSQL 15 the copies that
 * partitions have of their table's triggers count as internal, as those of foreign keys do.
 */
export function hasAfterTriggers(leaf: string): string {
  return `EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(${literal(leaf)}) AND tgenabled IN ('O', 'A')
    AND (NOT tgisinternal OR tgparentid <> 0 AND tgconstraint = 0) AND tgtype & 16 <> 0 AND tgtype & 66 = 0 AND tgname !~ 'fieldseal')`;
}
