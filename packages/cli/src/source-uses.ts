// Envelopes in the plain columns that encrypted ones take over: where the storage or the context of a column changes, the
// values that have not been taken over yet are under their own keys, and older versions of the application read the rest.
import {
  envelopeCondition,
  formatKeyId,
  parseTextPrefix,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import { escapeIdentifier, type Pool } from "pg";

export interface SourceEnvelopes {
  /** "table.column" */
  readonly where: string;
  readonly keyId: string;
  readonly values: number;
}

/** Counted in the database; heads of envelopes alone leave it. */
export async function countSourceEnvelopes(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  sources: Readonly<Record<string, string>>,
): Promise<SourceEnvelopes[]> {
  const found: SourceEnvelopes[] = [];
  for (const { schema, table, column } of columns) {
    const parts = [...(schema === undefined ? [] : [schema]), table];
    const source = sources[[...parts, column].join(".")];
    if (source === undefined) continue;
    const sql = parts.map(escapeIdentifier).join(".");
    const type = await typeOf(pool, sql, source);
    if (type === undefined) continue; // dropped already
    const where = [...parts, source].join(".");
    const counts = new Map<string, number>(); // suites and padding are of no interest here
    for (const { head, values } of await headsOf(pool, {
      sql,
      source,
      isBytes: type === "bytea",
    })) {
      const header = parseTextPrefix(head);
      if (header === undefined) continue;
      const keyId = formatKeyId(header.keyId);
      counts.set(keyId, (counts.get(keyId) ?? 0) + Number(values));
    }
    for (const [keyId, values] of counts) found.push({ where, keyId, values });
  }
  return found;
}

async function typeOf(pool: Pool, table: string, column: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ type: string }>(
    `SELECT format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped`,
    [table, column],
  );
  return rows[0]?.type;
}

async function headsOf(
  pool: Pool,
  {
    sql,
    source,
    isBytes,
  }: { readonly sql: string; readonly source: string; readonly isBytes: boolean },
): Promise<{ head: string; values: string }[]> {
  const name = escapeIdentifier(source);
  const [value, head] = isBytes
    ? [name, `encode(substr(${name}, 1, 9), 'base64')`]
    : [`${name}::text`, `substr(${name}::text, 1, 12)`];
  const { rows } = await pool.query<{ head: string; values: string }>(
    `SELECT ${head} COLLATE "C" AS head, count(*) AS values FROM ${sql}
     WHERE ${name} IS NOT NULL AND ${envelopeCondition(value, isBytes ? "binary" : "text")} GROUP BY 1`,
  );
  return rows;
}
