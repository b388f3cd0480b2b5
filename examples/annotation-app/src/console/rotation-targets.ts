// What a re-encryption goes over: tables with their encrypted columns, and the files.
import type { EncryptedStorage } from "@fieldseal/storage";
import { escapeIdentifier } from "pg";
import type { Database, OwnedColumn } from "../database/database.ts";

export interface TableTarget {
  readonly table: string;
  readonly columns: readonly OwnedColumn[];
  readonly rows: number;
}

export interface Targets {
  readonly tables: readonly TableTarget[];
  /** Names in the object store. */
  readonly files: readonly string[];
  /** Rows and files together. */
  readonly total: number;
}

export async function readTargets(
  { pool, columns }: Database,
  storage: EncryptedStorage,
): Promise<Targets> {
  const tables: TableTarget[] = [];
  for (const [table, owned] of Map.groupBy(columns, (column) => column.table)) {
    const { rows } = await pool.query<{ rows: number }>(
      `SELECT count(*)::integer AS rows FROM ${escapeIdentifier(table)}`,
    );
    tables.push({ table, columns: owned, rows: rows[0]?.rows ?? 0 });
  }
  const files: string[] = [];
  for await (const { key } of storage.list()) files.push(key);
  return { tables, files, total: rowsOf(tables) + files.length };
}

export function rowsOf(tables: readonly TableTarget[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}
