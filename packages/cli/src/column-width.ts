// Columns of limited width: how much room the longest value leaves. A longer plaintext would fail at its INSERT.
import type { EncryptedColumn } from "@fieldseal/crypto";
import { escapeIdentifier, type Pool } from "pg";

export interface ColumnWidth {
  /** Characters that the column takes. */
  readonly limit: number;
  /** Characters of its longest value. */
  readonly longest: number;
}

/** By "model.field"; columns of type text and bytea have no limit and are not in it. */
export async function columnWidths(
  pool: Pool,
  columns: readonly EncryptedColumn[],
): Promise<ReadonlyMap<string, ColumnWidth>> {
  const widths = new Map<string, ColumnWidth>();
  for (const { model, field, schema, table, column } of columns) {
    const name = [...(schema === undefined ? [] : [schema]), table].map(escapeIdentifier).join(".");
    const { rows } = await pool.query<{ limit: number }>(
      `SELECT atttypmod - 4 AS limit FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2
       AND NOT attisdropped AND atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4`,
      [name, column],
    );
    const limit = rows[0]?.limit;
    if (limit === undefined) continue;
    const { rows: lengths } = await pool.query<{ longest: number | null }>(
      `SELECT max(length(${escapeIdentifier(column)})) AS longest FROM ${name}`,
    );
    widths.set(`${model}.${field}`, { limit, longest: lengths[0]?.longest ?? 0 });
  }
  return widths;
}
