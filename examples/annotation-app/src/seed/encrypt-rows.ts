// Encrypts in place what an older application stored in the clear, proves it, and makes PostgreSQL refuse anything else.
// Each step may be broken off, and does its rest when it is called again.
import { migrate, verifyColumns, type ColumnFindings } from "@fieldseal/migrate";
import { envelopeCheck } from "@fieldseal/mikro-orm";
import { addEnvelopeCheck, removeEnvelopeCheck } from "@fieldseal/sequelize";
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
export async function encryptRows(
  database: Database,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<void> {
  const { pool, columns } = database;
  for (const [table, owned] of tablesOf(database)) {
    const what = `Encrypting ${table}`;
    // The last pass looks at every row once more, and finds nothing left: the bar is full when that is done.
    await migrate(pool, owned, {
      onProgress: ({ rowsSeen, rowsTotal }) =>
        reporter.progress(what, Math.min(rowsSeen, rowsTotal - 1), rowsTotal),
      ...(signal ? { signal } : {}),
    });
    signal?.throwIfAborted();
    reporter.progress(what, 1, 1);
  }
  const findings = await verifyColumns(pool, columns);
  const bad = findings.filter(({ isStrict }) => !isStrict);
  if (bad.length > 0) throw new Error(`Not everything is encrypted:\n${bad.map(line).join("\n")}`);
  const values = findings.reduce((sum, { rows, nulls }) => sum + rows - nulls, 0);
  reporter.step(
    `Verified: ${values} values in ${columns.length} columns open, and none is plaintext`,
  );
}

function tablesOf({ columns }: Database) {
  return Map.groupBy(columns, ({ table }) => table);
}

function line({ table, column, plaintext, unreadableRows }: ColumnFindings): string {
  return `  ${table}.${column}: ${plaintext} in plaintext, ${unreadableRows} unreadable`;
}

/** The last step: from here on {@link areRowsEncrypted} holds. */
export async function refusePlaintext(database: Database): Promise<void> {
  const { pool, sequelize, models, columns } = database;
  const ingested = columns.filter(({ table }) => MIKRO_ORM_TABLES.includes(table));
  for (const { table, column } of ingested) {
    const { name, expression } = envelopeCheck(column);
    const constraint = escapeIdentifier(name);
    await pool.query(
      `ALTER TABLE ${escapeIdentifier(table)} DROP CONSTRAINT IF EXISTS ${constraint},
       ADD CONSTRAINT ${constraint} CHECK (${expression})`,
    );
  }
  const annotated = Object.values(models).filter(
    ({ tableName }) => !MIKRO_ORM_TABLES.includes(tableName),
  );
  const queries = sequelize.getQueryInterface();
  for (const model of annotated) {
    await removeEnvelopeCheck(queries, model);
    await addEnvelopeCheck(queries, model);
  }
}

/** Plaintext that the database still has in dead rows, statistics and its write-ahead log. */
export async function scrub(database: Database): Promise<void> {
  const { pool } = database;
  for (const table of tablesOf(database).keys()) {
    await pool.query(`VACUUM (FULL, ANALYZE) ${escapeIdentifier(table)}`);
  }
  // Needs rights that only a database of one's own gives; elsewhere the log expires with its retention.
  await pool.query("SELECT pg_switch_wal()").catch(() => {});
  await pool.query("CHECKPOINT").catch(() => {});
}
