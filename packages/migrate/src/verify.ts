// Reads every value and proves that it opens under its context: what is really in the database, not what should be.
import {
  formatKeyId,
  isMalformedEnvelope,
  parseEnvelope,
  type ColumnCipher,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { databaseError, withReader } from "./connections.ts";
import type { ColumnFindings, FoundRow, UnreadableRow } from "./contract.ts";
import { refuseSharedSessions } from "./pooler.ts";
import { orderedParts, readNext, type ReadRow } from "./read.ts";
import { refuseUnknownColumns } from "./sources.ts";
import { describeTable, groupByTable, qualifiedName, type Table } from "./table.ts";
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
  unreadable: UnreadableRow[];
  found: FoundRow[];
};

const MAX_LISTED = 100;

/**
 * What each column holds. Changes nothing.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`, also through a pooler in transaction mode; `ERR_MIGRATE_DATABASE` when row-level security hides rows
 */
export async function verifyColumns(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: VerifyOptions = {},
): Promise<ColumnFindings[]> {
  const { sources = {} } = options;
  refuseUnknownColumns(columns, { sources });
  await refuseSharedSessions(pool);
  return withReader(pool, async (client) => {
    const findings: ColumnFindings[] = [];
    for (const target of groupByTable(columns)) {
      const table = await describeTable(client, target, { sources, isOnlyRead: true });
      try {
        findings.push(...(await verifyTable(client, { table, others: columns }, options)));
      } catch (error) {
        throw databaseError(error, { table: target.table, what: "to read all", isReading: true });
      }
    }
    return findings;
  });
}

/** A table, and all columns that its values may have come from. */
interface Scene {
  readonly table: Table;
  readonly others: readonly EncryptedColumn[];
}

async function verifyTable(
  client: ClientBase,
  scene: Scene,
  { batchRows = 1000, signal, onProgress }: VerifyOptions,
): Promise<ColumnFindings[]> {
  const { table } = scene;
  const counts = table.columns.map(emptyCounts);
  let rowsSeen = 0;
  for (const part of orderedParts(table)) {
    let after: readonly string[] | null = null;
    for (;;) {
      signal?.throwIfAborted();
      const rows: ReadRow[] = await readNext(client, table, { part, after, limit: batchRows });
      countRows(scene, rows, counts);
      rowsSeen += rows.length;
      onProgress?.({ table: table.table, rowsSeen });
      if (rows.length < batchRows) break;
      after = rows.at(-1)?.key ?? null;
    }
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
    movedRows: 0,
    found: [],
    isStrict: false,
  };
}

function countRows(
  { table, others }: Scene,
  rows: readonly ReadRow[],
  counts: readonly Counts[],
): void {
  table.migrated.forEach(({ column, valueAt, tokenAt, sourceAt }, i) => {
    const found = counts[i] as Counts;
    for (const { key, cells } of rows) {
      const list = (kind: FoundRow["kind"]): void => {
        if (found.found.length >= MAX_LISTED) return;
        found.found.push({ kind, primaryKey: nameKey(table, key) });
      };
      const stored = cells[valueAt] as Cell;
      found.rows++;
      const plain = sourceAt === undefined ? null : (cells[sourceAt] as Cell);
      if (plain !== null && stored === null) {
        // The JSON text "null" is stored as NULL.
        const isNull = column.cipher.codec.content === "json" && plain.toString() === "null";
        found[isNull ? "nulls" : "plaintext"]++;
        if (!isNull) list("plaintext");
        continue;
      }
      const token = tokenAt === undefined ? undefined : (cells[tokenAt] as Cell);
      const code = countCell(found, column.cipher, { stored, token, list });
      if (code === undefined) continue;
      const movedFrom = originOf(stored, column, others);
      found.unreadableRows++;
      if (movedFrom !== undefined) found.movedRows++;
      if (found.unreadable.length >= MAX_LISTED) continue;
      const primaryKey = nameKey(table, key);
      found.unreadable.push({
        primaryKey,
        column: column.column,
        code,
        ...(movedFrom !== undefined && { movedFrom }),
        ...(isOfKey(code) && keyNamedBy(stored)),
      });
    }
  });
}

function nameKey({ primaryKey }: Table, key: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(primaryKey.map((name, k) => [name, key[k] as string]));
}

/** The column that a value was sealed for, when it is not the one that holds it. */
function originOf(
  stored: Cell,
  here: EncryptedColumn,
  others: readonly EncryptedColumn[],
): string | undefined {
  if (stored === null || parseEnvelope(stored) === undefined) return undefined;
  const origin = others.find((other) => {
    if (other === here) return false;
    try {
      other.cipher.open(stored);
      return true;
    } catch {
      return false;
    }
  });
  return origin && qualifiedName(origin, origin.column);
}

/** Of the key that the value names, not of the value. */
function isOfKey(code: string): boolean {
  return ["ERR_KEY_UNKNOWN", "ERR_KEY_DISABLED", "ERR_KEY_DESTROYED"].includes(code);
}

function keyNamedBy(stored: Cell): Pick<UnreadableRow, "keyId"> | undefined {
  const header = stored === null ? undefined : parseEnvelope(stored)?.header;
  return header && { keyId: formatKeyId(header.keyId) };
}

/** The error code of a value that does not open. */
function countCell(
  counts: Counts,
  cipher: ColumnCipher<unknown>,
  {
    stored,
    token,
    list,
  }: {
    readonly stored: Cell;
    readonly token: Cell | undefined;
    readonly list: (kind: FoundRow["kind"]) => void;
  },
): string | undefined {
  const drift = (): void => {
    counts.indexDrift = (counts.indexDrift ?? 0) + 1;
    list("index-drift");
  };
  if (stored === null) {
    counts.nulls++;
    if (token !== undefined && token !== null) drift();
    return undefined;
  }
  let value: unknown;
  // A reader that accepts plaintext would take it for that; here it is what it looks like.
  if (isMalformedEnvelope(stored)) return "ERR_DECRYPT_FAILED";
  try {
    value = cipher.open(stored);
  } catch (error) {
    return (error as { code?: string }).code ?? "ERR_DECRYPT_FAILED";
  }
  const other = countForm(counts, cipher, stored);
  if (other !== undefined) list(other);
  if (token !== undefined && token !== cipher.indexToken(value)) drift();
  return undefined;
}

/** What is wrong with the form of a value that opens. */
function countForm(
  counts: Counts,
  cipher: ColumnCipher<unknown>,
  stored: Cell,
): FoundRow["kind"] | undefined {
  const header = stored === null ? undefined : parseEnvelope(stored)?.header;
  if (header === undefined) {
    const kind = cipher.options.legacy === undefined ? "plaintext" : "legacy";
    counts[kind]++;
    return kind;
  }
  const keyId = formatKeyId(header.keyId);
  counts.byKey[keyId] = (counts.byKey[keyId] ?? 0) + 1;
  const isPadded = cipher.options.pad !== undefined;
  if (header.suite === cipher.suite && header.isPadded === isPadded) return undefined;
  counts.otherForm++;
  return "other-form";
}

function isStrict(counts: Counts, cipher: ColumnCipher<unknown>): boolean {
  const keys = Object.keys(counts.byKey);
  const isPrimaryOnly = keys.every((keyId) => keyId === cipher.primaryKeyId);
  const faults = [counts.plaintext, counts.legacy, counts.otherForm, counts.indexDrift ?? 0];
  return isPrimaryOnly && counts.unreadableRows === 0 && faults.every((count) => count === 0);
}
