// "What the database sees": rows by plain SQL, past both ORMs, beside what the same cells open to. The experiments
// change copies in memory; nothing here writes.
import { EncryptionError } from "@fieldseal/crypto";
import { escapeIdentifier } from "pg";
import type { RawCell, RawRow, RawTable, TamperResult } from "../../web/src/data/contract.ts";
import { OTHER_ROW } from "../annotate/frame-detail.ts";
import type { Database, OwnedColumn } from "../database/database.ts";
import { notFound, Problem } from "../http/problem.ts";

/** What people ask about first. The others follow; accounts are nobody's to look at. */
const FIRST = ["annotation_example", "frame", "event_detection", "activity"];
const HIDDEN = new Set(["account"]);
const ROWS = 24;
/** Of an envelope: magic, suite, key id, content. */
const HEADER_BYTES = 9;

type Stored = Readonly<Record<string, string | null>>;

export async function listTables(database: Database): Promise<RawTable[]> {
  const tables = Map.groupBy(shownColumns(database), ({ table }) => table);
  return Promise.all(
    [...tables].toSorted(byInterest).map(async ([name, encrypted]) => {
      const [types, count] = await Promise.all([
        columnTypes(database, name),
        database.pool.query<{ rows: number }>(
          `SELECT count(*)::integer AS rows FROM ${escapeIdentifier(name)}`,
        ),
      ]);
      return {
        name,
        writtenBy: encrypted[0]?.writtenBy ?? "Sequelize",
        rows: count.rows[0]?.rows ?? 0,
        columns: types.map((column) => ({
          name: column.name,
          isEncrypted: encrypted.some((known) => known.column === column.name),
        })),
      };
    }),
  );
}

function byInterest([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  const rank = (name: string): number =>
    FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length;
  return rank(a) - rank(b) || a.localeCompare(b);
}

export async function listRows(database: Database, table: string): Promise<RawRow[]> {
  const encrypted = columnsOf(database, table);
  const rows = await readRaw(database, table, undefined);
  return rows.map((row) => {
    const id = idOf(row, encrypted);
    const cells = Object.entries(row).map(([name, stored]): [string, RawCell] => {
      const column = encrypted.find((known) => known.column === name);
      return [name, { stored, opened: column ? open(column, stored, id).opened : stored }];
    });
    return { id, cells: Object.fromEntries(cells) };
  });
}

export interface CellReference {
  readonly table: string;
  readonly id: string;
  readonly column: string;
}

/** One bit in the middle of the ciphertext. */
export async function flipByte(database: Database, cell: CellReference): Promise<TamperResult> {
  const { column, stored } = await readCell(database, cell);
  const bytes = Buffer.from(stored, "base64");
  const changedByte = HEADER_BYTES + Math.floor((bytes.length - HEADER_BYTES) / 2);
  bytes.writeUInt8((bytes[changedByte] ?? 0) ^ 1, changedByte);
  const text = bytes.toString("base64");
  return { stored: text, changedByte, ...open(column, text, cell.id) };
}

/** The value of another row in the place of this one's. */
export async function swap(
  database: Database,
  cell: CellReference & { readonly otherId: string },
): Promise<TamperResult> {
  const { column, stored } = await readCell(database, { ...cell, id: cell.otherId });
  return { stored, changedByte: null, ...open(column, stored, cell.id) };
}

/** What the application makes of a stored value in this row. */
function open(
  { cipher, table, column }: OwnedColumn,
  stored: string | null,
  id: string,
): Pick<TamperResult, "opened" | "error"> {
  if (stored === null) return { opened: null, error: null };
  try {
    const value = cipher.open(stored);
    const isForeign = table === "annotation_example" && column === "box" && ownerOf(value) !== id;
    if (isForeign) return { opened: null, error: OTHER_ROW };
    return { opened: typeof value === "string" ? value : JSON.stringify(value), error: null };
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    return { opened: null, error: { code: error.code, message: error.message } };
  }
}

function ownerOf(box: unknown): unknown {
  return (box as { readonly of?: unknown } | null)?.of;
}

async function readCell(
  database: Database,
  { table, id, column: name }: CellReference,
): Promise<{ column: OwnedColumn; stored: string }> {
  const column = columnsOf(database, table).find((known) => known.column === name);
  if (!column) throw notFound("encrypted column");
  const [row] = await readRaw(database, table, id);
  if (!row) throw notFound("row");
  const stored = row[name];
  if (typeof stored !== "string") throw new Problem(422, "NULL", "There is nothing stored here.");
  return { column, stored };
}

/** Every cell as text, bytes as base64. */
async function readRaw(
  database: Database,
  table: string,
  id: string | undefined,
): Promise<readonly Stored[]> {
  const [first] = columnsOf(database, table);
  const [key = "id"] = first?.primaryKey ?? [];
  const types = await columnTypes(database, table);
  const cells = types.map(({ name, type }) => {
    const column = escapeIdentifier(name);
    return type === "bytea" ? `encode(${column}, 'base64') AS ${column}` : `${column}::text`;
  });
  const name = escapeIdentifier(table);
  const where = id === undefined ? "" : `WHERE ${escapeIdentifier(key)}::text = $1`;
  const { rows } = await database.pool.query<Stored>(
    `SELECT ${cells.join(", ")} FROM ${name} ${where}
     ORDER BY ${name}.${escapeIdentifier(key)} LIMIT ${ROWS}`,
    id === undefined ? [] : [id],
  );
  return rows;
}

function idOf(row: Stored, columns: readonly OwnedColumn[]): string {
  return (columns[0]?.primaryKey ?? []).map((name) => row[name]).join(",");
}

/** Only names of this list get into SQL. */
function columnsOf(database: Database, table: string): readonly OwnedColumn[] {
  const columns = shownColumns(database).filter((column) => column.table === table);
  if (columns.length === 0) throw notFound("table");
  return columns;
}

function shownColumns({ columns }: Database): readonly OwnedColumn[] {
  return columns.filter(({ table }) => !HIDDEN.has(table));
}

async function columnTypes(
  { pool }: Database,
  table: string,
): Promise<readonly { name: string; type: string }[]> {
  const { rows } = await pool.query<{ name: string; type: string }>(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
     WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position`,
    [table],
  );
  return rows;
}
