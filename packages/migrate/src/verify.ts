// Reads every value and proves that it opens under its context: what is really in the database, not what should be.
import {
  formatKeyId,
  parseEnvelope,
  type ColumnCipher,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import type { ColumnFindings, PoisonRow } from "./contract.ts";
import { readNext, type ReadRow } from "./read.ts";
import { refuseUnknownColumns } from "./sources.ts";
import { describeTable, groupByTable, type Table } from "./table.ts";
import type { Cell } from "./rewrite.ts";

export interface VerifyOptions {
  /** As of the run: what plain columns hold and the encrypted ones do not counts as plaintext. Defaults to none. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Rows read at once. Defaults to 1000. */
  readonly batchRows?: number;
  /** Rejects with its reason after the batch at hand: half a verification proves nothing. */
  readonly signal?: AbortSignal;
  /** Called after every batch. */
  readonly onProgress?: (progress: { readonly table: string; readonly rowsSeen: number }) => void;
}

type Counts = { -readonly [Name in keyof ColumnFindings]: ColumnFindings[Name] } & {
  byKey: Record<string, number>;
  unreadable: PoisonRow[];
};

const MAX_LISTED = 100;

/**
 * What each column holds. Changes nothing.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`
 */
export async function verifyColumns(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: VerifyOptions = {},
): Promise<ColumnFindings[]> {
  const { sources = {} } = options;
  refuseUnknownColumns(columns, { sources });
  const findings: ColumnFindings[] = [];
  const client = await pool.connect();
  try {
    for (const target of groupByTable(columns)) {
      const table = await describeTable(client, target, { sources });
      findings.push(...(await verifyTable(client, table, options)));
    }
  } finally {
    client.release();
  }
  return findings;
}

async function verifyTable(
  client: ClientBase,
  table: Table,
  { batchRows = 1000, signal, onProgress }: VerifyOptions,
): Promise<ColumnFindings[]> {
  const counts = table.columns.map(emptyCounts);
  let after: readonly string[] | null = null;
  for (let rowsSeen = 0; ;) {
    signal?.throwIfAborted();
    const rows: ReadRow[] = await readNext(client, table, { after, limit: batchRows });
    countRows(table, rows, counts);
    rowsSeen += rows.length;
    onProgress?.({ table: table.table, rowsSeen });
    if (rows.length < batchRows) break;
    after = rows.at(-1)?.key ?? null;
  }
  return counts.map((one, i) => ({
    ...one,
    isStrict: isStrict(one, (table.columns[i] as EncryptedColumn).cipher),
  }));
}

function emptyCounts({ model, field, table, column, cipher }: EncryptedColumn): Counts {
  return {
    model,
    field,
    table,
    column,
    rows: 0,
    nulls: 0,
    byKey: {},
    plaintext: 0,
    legacy: 0,
    otherForm: 0,
    indexDrift: cipher.blindIndex && 0,
    unreadable: [],
    unreadableRows: 0,
    isStrict: false,
  };
}

function countRows(table: Table, rows: readonly ReadRow[], counts: readonly Counts[]): void {
  table.migrated.forEach(({ column: { column, cipher }, valueAt, tokenAt, sourceAt }, i) => {
    const found = counts[i] as Counts;
    for (const { key, cells } of rows) {
      const plain = sourceAt === undefined ? null : (cells[sourceAt] as Cell);
      if (plain !== null && cells[valueAt] === null) {
        // The JSON text "null" is stored as NULL.
        const isNull = cipher.codec.content === "json" && plain.toString() === "null";
        found.rows++;
        found[isNull ? "nulls" : "plaintext"]++;
        continue;
      }
      const token = tokenAt === undefined ? undefined : (cells[tokenAt] as Cell);
      const fault = countCell(found, cipher, { stored: cells[valueAt] as Cell, token });
      if (fault === undefined) continue;
      found.unreadableRows++;
      if (found.unreadable.length >= MAX_LISTED) continue;
      const primaryKey = Object.fromEntries(
        table.primaryKey.map((name, k) => [name, key[k] as string]),
      );
      found.unreadable.push({ primaryKey, column, code: fault });
    }
  });
}

/** The error code of a value that does not open. */
function countCell(
  counts: Counts,
  cipher: ColumnCipher<unknown>,
  { stored, token }: { readonly stored: Cell; readonly token: Cell | undefined },
): string | undefined {
  counts.rows++;
  if (stored === null) {
    counts.nulls++;
    if (token !== undefined && token !== null) counts.indexDrift = (counts.indexDrift ?? 0) + 1;
    return undefined;
  }
  let value: unknown;
  try {
    value = cipher.open(stored);
  } catch (error) {
    return (error as { code?: string }).code ?? "ERR_DECRYPT_FAILED";
  }
  countForm(counts, cipher, stored);
  if (token !== undefined && token !== cipher.indexToken(value)) {
    counts.indexDrift = (counts.indexDrift ?? 0) + 1;
  }
  return undefined;
}

function countForm(counts: Counts, cipher: ColumnCipher<unknown>, stored: Cell): void {
  const header = stored === null ? undefined : parseEnvelope(stored)?.header;
  if (header === undefined) {
    if (cipher.options.legacy === undefined) counts.plaintext++;
    else counts.legacy++;
    return;
  }
  const keyId = formatKeyId(header.keyId);
  counts.byKey[keyId] = (counts.byKey[keyId] ?? 0) + 1;
  if (header.suite !== cipher.suite) counts.otherForm++;
}

function isStrict(counts: Counts, cipher: ColumnCipher<unknown>): boolean {
  const keys = Object.keys(counts.byKey);
  const isPrimaryOnly = keys.every((keyId) => keyId === cipher.primaryKeyId);
  const faults = [counts.plaintext, counts.legacy, counts.otherForm, counts.indexDrift ?? 0];
  return isPrimaryOnly && counts.unreadableRows === 0 && faults.every((count) => count === 0);
}
