// What is really in the database and in the store: every value opened, column by column, file by file.
import { verifyColumns, type ColumnFindings } from "@fieldseal/migrate";
import { columnWidths, type ColumnWidth } from "./column-width.ts";
import { EXIT } from "./exit.ts";
import type { Part } from "./option-values.ts";
import { bad, bold, caution, count, counted, good, type Output } from "./output.ts";
import { progressDisplay } from "./progress-bar.ts";
import { partsOf } from "./rotate-command.ts";
import { nameRow } from "./run-command.ts";
import type { Session } from "./session.ts";
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
    return findings.map((one) => ({ ...one, width: widths.get(nameOf(one)) ?? null }));
  } finally {
    display.stop();
  }
}

function nameOf({ table, column }: ColumnFindings): string {
  return `${table}.${column}`;
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
    `${bold(nameOf(one))}  ${counted(one.rows, "row")}  ${one.isStrict ? good("ok") : bad("findings")}`,
  );
  output.table([["", "", ""], ...factsOf(one, cipher?.primaryKeyId)]);
  output.table([["", ""], ...rowsOf(one, limit)]);
  const isTolerant = cipher?.options.plaintext === "accept" || cipher?.options.legacy !== undefined;
  for (const advice of adviceFor(one, isTolerant)) output.line(`  ${advice}`);
}

/** One line per kind of value that occurs: a column in order is two lines long. */
function factsOf(one: Found, primaryKeyId: string | undefined): string[][] {
  const keys = Object.entries(one.byKey).map(([id, rows]) => [
    `  key ${id}`,
    count(rows),
    id === primaryKeyId ? "primary" : bad("older key"),
  ]);
  const other = [
    ["NULL", one.nulls, ""],
    ["plaintext", one.plaintext, "not encrypted"],
    ["legacy", one.legacy, "older layout, not authenticated"],
    ["other form", one.otherForm, "another suite than the column declares"],
    ["index drift", one.indexDrift ?? 0, "the blind index does not match the value"],
    ["moved", one.movedRows, "a value of another column"],
    ["unreadable", one.unreadableRows - one.movedRows, "does not open here with these keys"],
  ] as const;
  return [
    ...keys,
    ...other
      .filter(([, rows]) => rows > 0)
      .map(([name, rows, text]) => [`  ${name}`, count(rows), name === "NULL" ? "" : bad(text)]),
    ...widthFact(one.width),
  ];
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

function rowsOf({ unreadable, unreadableRows, found }: Found, limit: number): string[][] {
  const more = unreadableRows - Math.min(limit, unreadable.length);
  const unreadableLines = unreadable
    .slice(0, limit)
    .map(({ primaryKey, code, movedFrom }) => [
      `  ${nameRow(primaryKey)}`,
      movedFrom === undefined ? code : `of ${movedFrom}`,
    ]);
  const kinds = [...new Set(found.map(({ kind }) => kind))];
  const foundLines = kinds.flatMap((kind) =>
    found
      .filter((row) => row.kind === kind)
      .slice(0, limit)
      .map(({ primaryKey }) => [`  ${nameRow(primaryKey)}`, kind.replace("-", " ")]),
  );
  const rest =
    more > 0 ? [["  ...", `and ${count(more)} more; --limit <n> or --json lists up to 100`]] : [];
  return [...unreadableLines, ...rest, ...foundLines];
}

function adviceFor(one: Found, isTolerant: boolean): string[] {
  const open = one.plaintext + one.legacy + one.otherForm + (one.indexDrift ?? 0);
  if (open > 0) return ['"fieldseal migrate run" brings it into form.'];
  if (Object.keys(one.byKey).length > 1)
    return ['"fieldseal rotate" brings it under the primary key.'];
  if (one.isStrict && isTolerant) return ['It can turn strict: "fieldseal migrate finalize".'];
  return [];
}
