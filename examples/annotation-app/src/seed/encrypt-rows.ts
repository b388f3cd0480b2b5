// Encrypts in place what an older application stored in the clear, proves it, and makes PostgreSQL refuse anything else.
import { migrate, verifyColumns, type ColumnFindings } from "@fieldseal/migrate";
import { envelopeCheck } from "@fieldseal/mikro-orm";
import { addEnvelopeCheck } from "@fieldseal/sequelize";
import { escapeIdentifier } from "pg";
import { type Database, MIKRO_ORM_TABLES } from "../database/database.ts";
import type { Reporter } from "../terminal.ts";

/** True once every encrypted column has the constraint that keeps plaintext out. */
export async function areRowsEncrypted({ pool, columns }: Database): Promise<boolean> {
  const { rows } = await pool.query<{ checks: number }>(
    `SELECT count(*)::integer AS checks FROM pg_constraint
     WHERE contype = 'c' AND conname LIKE '%\\_encrypted' AND connamespace = current_schema()::regnamespace`,
  );
  return rows[0]?.checks === columns.length;
}

/**
 * @param database with columns that accept plaintext
 * @throws Error when a value is left that is no envelope of the primary key
 */
export async function encryptRows(database: Database, reporter: Reporter): Promise<void> {
  const { pool, columns } = database;
  const tables = Map.groupBy(columns, ({ table }) => table);
  for (const [table, owned] of tables) {
    const what = `Encrypting ${table}`;
    // The last pass looks at every row once more, and finds nothing left: the bar is full when that is done.
    await migrate(pool, owned, {
      onProgress: ({ rowsSeen, rowsTotal }) =>
        reporter.progress(what, Math.min(rowsSeen, rowsTotal - 1), rowsTotal),
    });
    reporter.progress(what, 1, 1);
  }
  const findings = await verifyColumns(pool, columns);
  const bad = findings.filter(({ isStrict }) => !isStrict);
  if (bad.length > 0) throw new Error(`Not everything is encrypted:\n${bad.map(line).join("\n")}`);
  const values = findings.reduce((sum, { rows, nulls }) => sum + rows - nulls, 0);
  reporter.step(
    `Verified: ${values} values in ${columns.length} columns open, and none is plaintext`,
  );
  await refusePlaintext(database);
  await scrub(database, [...tables.keys()]);
}

function line({ table, column, plaintext, unreadableRows }: ColumnFindings): string {
  return `  ${table}.${column}: ${plaintext} in plaintext, ${unreadableRows} unreadable`;
}

async function refusePlaintext({ pool, sequelize, models, columns }: Database): Promise<void> {
  const ingested = columns.filter(({ table }) => MIKRO_ORM_TABLES.includes(table));
  for (const { table, column } of ingested) {
    const { name, expression } = envelopeCheck(column);
    await pool.query(
      `ALTER TABLE ${escapeIdentifier(table)} ADD CONSTRAINT ${escapeIdentifier(name)} CHECK (${expression})`,
    );
  }
  const annotated = Object.values(models).filter(
    ({ tableName }) => !MIKRO_ORM_TABLES.includes(tableName),
  );
  for (const model of annotated) await addEnvelopeCheck(sequelize.getQueryInterface(), model);
}

/** Plaintext that the database still has in dead rows, statistics and its write-ahead log. */
async function scrub({ pool }: Database, tables: readonly string[]): Promise<void> {
  for (const table of tables) await pool.query(`VACUUM (FULL, ANALYZE) ${escapeIdentifier(table)}`);
  // Needs rights that only a database of one's own gives; elsewhere the log expires with its retention.
  await pool.query("SELECT pg_switch_wal()").catch(() => {});
  await pool.query("CHECKPOINT").catch(() => {});
}
