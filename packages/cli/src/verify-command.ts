// What is really in the database and in the store: every value opened, column by column, file by file.
import type { EncryptedColumn } from "@fieldseal/crypto";
import {
  verifyColumns,
  type ColumnFindings,
  type FoundRow,
  type UnreadableRow,
} from "@fieldseal/migrate";
import { columnWidths, type ColumnWidth } from "./column-width.ts";
import { EXIT } from "./exit.ts";
import type { Part } from "./option-values.ts";
import { bad, bold, caution, count, counted, dim, good, type Output } from "./output.ts";
import { progressDisplay } from "./progress-bar.ts";
import { partsOf } from "./rotate-command.ts";
import { nameRow } from "./run-command.ts";
import { nameOfColumn, type Session } from "./session.ts";
import { printFiles, verifyFiles } from "./verify-files.ts";

export interface VerifyCommand {
  readonly only?: Part;
  /** Of files: envelope and last segment instead of every byte. */
  readonly quick?: boolean;
  readonly prefix?: string;
  /** Rows and files that are named, of each kind. */
  readonly limit: number;
}

type Found = ColumnFindings & { readonly width: ColumnWidth | null };

export async function verify(
  session: Session,
  { only, quick = false, prefix, limit }: VerifyCommand,
  output: Output,
): Promise<number> {
  const { hasColumns, hasFiles } = partsOf(session, only);
  const columns = hasColumns ? await readColumns(session, output) : [];
  for (const one of columns) printColumn(one, { session, limit }, output);
  const depth = quick ? "envelope" : "body";
  const files = hasFiles ? await verifyFiles(session, { prefix, depth }, output) : undefined;
  if (files !== undefined) printFiles(files, limit, output);
  const isOk = columns.every(({ isStrict }) => isStrict) && files?.isOk !== false;
  output.json({ isOk, columns, storage: files ?? null });
  return isOk ? EXIT.ok : EXIT.findings;
}

async function readColumns(session: Session, output: Output): Promise<Found[]> {
  const { pool, columns, sources, signal } = session;
  const display = progressDisplay(output);
  try {
    const findings = await verifyColumns(pool, columns, {
      sources,
      signal,
      onProgress: ({ table, rowsSeen }) => {
        display.update({ id: table, name: table, unit: "rows", done: rowsSeen, total: undefined });
        output.event({ table, rowsSeen });
      },
    });
    const widths = await columnWidths(pool, columns);
    return findings.map((one) => ({
      ...one,
      width: widths.get(`${one.model}.${one.field}`) ?? null,
    }));
  } finally {
    display.stop();
  }
}

function printColumn(
  one: Found,
  { session, limit }: { readonly session: Session; readonly limit: number },
  output: Output,
): void {
  const cipher = session.columns.find(
    ({ model, field }) => model === one.model && field === one.field,
  )?.cipher;
  output.line(
    `${bold(nameOfColumn(session.columns, one))}  ${counted(one.rows, "row")}  ${one.isStrict ? good("ok") : bad("findings")}`,
  );
  output.table([["", "", ""], ...factsOf(one, { primaryKeyId: cipher?.primaryKeyId, limit })]);
  for (const advice of adviceFor(one, cipher)) output.line(`  ${advice}`);
}

/** One line per kind of value that occurs, and one that names rows: a column in order is two lines long. */
function factsOf(
  one: Found,
  { primaryKeyId, limit }: { readonly primaryKeyId: string | undefined; readonly limit: number },
): string[][] {
  const keys = Object.entries(one.byKey).map(([id, rows]) => [
    `  key ${id}`,
    count(rows),
    id === primaryKeyId ? "primary" : bad("older key"),
  ]);
  const moved = one.unreadable.filter(({ movedFrom }) => movedFrom !== undefined);
  const closed = one.unreadable.filter(({ movedFrom }) => movedFrom === undefined);
  const found = (kind: FoundRow["kind"]): string[] =>
    one.found.filter((row) => row.kind === kind).map(({ primaryKey }) => nameRow(primaryKey));
  const facts: readonly [name: string, rows: number, text: string, named: readonly string[]][] = [
    ["NULL", one.nulls, "", []],
    ["plaintext", one.plaintext, bad("not encrypted"), found("plaintext")],
    ["legacy", one.legacy, bad("legacy layout, not authenticated"), found("legacy")],
    ["other form", one.otherForm, bad("not of the declared suite or padding"), found("other-form")],
    [
      "index drift",
      one.indexDrift ?? 0,
      bad("the search token is not that of the value"),
      found("index-drift"),
    ],
    [
      "moved",
      one.movedRows,
      bad("a value of another column"),
      moved.map(({ primaryKey, movedFrom }) => `${nameRow(primaryKey)} of ${movedFrom}`),
    ],
    [
      "unreadable",
      one.unreadableRows - one.movedRows,
      bad("does not open here with these keys"),
      namesByReason(closed.slice(0, limit)),
    ],
  ];
  const lines = facts.flatMap(([name, rows, text, named]) =>
    rows === 0 ? [] : [[`  ${name}`, count(rows), text], ...namesLine(rows, named.slice(0, limit))],
  );
  return [...keys, ...lines, ...widthFact(one.width)];
}

/** The reason behind the last row that it is true of: "id 1", "id 2 [ERR_KEY_UNKNOWN, key 0a1b2c3d]". */
function namesByReason(rows: readonly UnreadableRow[]): string[] {
  const reasonOf = ({ code, keyId }: UnreadableRow): string =>
    `[${code}${keyId === undefined ? "" : `, key ${keyId}`}]`;
  return rows.map((row, i) => {
    const next = rows[i + 1];
    const isShared = next !== undefined && reasonOf(next) === reasonOf(row);
    return nameRow(row.primaryKey) + (isShared ? "" : ` ${reasonOf(row)}`);
  });
}

/** "id 1; id 2; and 19 more". */
function namesLine(rows: number, named: readonly string[]): string[][] {
  if (named.length === 0) return [];
  const more = rows - named.length;
  return [["", "", dim([...named, ...(more > 0 ? [`and ${count(more)} more`] : [])].join("; "))]];
}

const NARROW = 0.9;

function widthFact(width: ColumnWidth | null): string[][] {
  if (width === null) return [];
  const { limit, longest } = width;
  const text = `characters of ${count(limit)}`;
  const isNarrow = longest > NARROW * limit;
  return [
    ["  longest", count(longest), isNarrow ? caution(`${text}: make the column text`) : text],
  ];
}

/** What to do, in this order. */
function adviceFor(one: Found, cipher: EncryptedColumn["cipher"] | undefined): string[] {
  const { plaintext, legacy } = cipher?.options ?? {};
  const primaryKeyId = cipher?.primaryKeyId;
  const open = one.plaintext + one.legacy + one.otherForm + (one.indexDrift ?? 0);
  const tolerant = [
    ...(plaintext === "accept" ? ['plaintext: "accept"'] : []),
    ...(legacy === undefined ? [] : ["legacy"]),
  ];
  return [
    ...missingKeys(one),
    ...(open > 0 ? ['"fieldseal migrate run" brings it into form.'] : []),
    ...(open === 0 && Object.keys(one.byKey).some((id) => id !== primaryKeyId)
      ? ['"fieldseal rotate" brings it under the primary key.']
      : []),
    ...(one.isStrict && tolerant.length > 0
      ? [
          `It can turn strict: take ${tolerant.join(" and ")} out of the options of ${one.model}.${one.field} and deploy, then "fieldseal migrate finalize".`,
        ]
      : []),
  ];
}

const KEY_FIXES: Readonly<Record<string, string>> = {
  ERR_KEY_UNKNOWN: "is not configured here: add it to ENCRYPTION_PREVIOUS_KEYS, or to the keyset",
  ERR_KEY_DISABLED: 'is disabled: set its status to "decrypt-only" in the keyset',
  ERR_KEY_DESTROYED: "was destroyed: only a backup of it opens these values",
};

function missingKeys({ unreadable }: Found): string[] {
  const fixes = unreadable.flatMap(({ code, keyId }) => {
    const fix = KEY_FIXES[code];
    return fix === undefined || keyId === undefined ? [] : [`Key ${keyId} ${fix}.`];
  });
  return [...new Set(fixes)];
}
