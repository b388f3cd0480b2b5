// What is really in the database, column by column.
import { verifyColumns, type ColumnFindings } from "@fieldseal/migrate";
import type { Session } from "./config.ts";
import { EXIT } from "./exit.ts";
import { bad, bold, count, counted, good, type Output } from "./output.ts";

export async function verify({ pool, columns }: Session, output: Output): Promise<number> {
  const findings = await verifyColumns(pool, columns);
  const statuses = new Map(
    columns.map(({ table, column, cipher }) => [`${table}.${column}`, cipher.primaryKeyId]),
  );
  for (const one of findings) {
    const name = `${one.table}.${one.column}`;
    output.line(
      `${bold(name)}  ${counted(one.rows, "row")}  ${one.isStrict ? good("ok") : bad("findings")}`,
    );
    output.table([["", "", ""], ...factsOf(one, statuses.get(name))]);
    for (const advice of adviceFor(one)) output.line(`  ${advice}`);
  }
  if (findings.length === 0) output.line("The configuration names no encrypted column.");
  output.json(findings);
  return findings.every(({ isStrict }) => isStrict) ? EXIT.ok : EXIT.findings;
}

/** One line per kind of value that occurs: a column in order is two lines long. */
function factsOf(one: ColumnFindings, primaryKeyId: string | undefined): string[][] {
  const keys = Object.entries(one.byKey).map(([id, rows]) => [
    `  key ${id}`,
    count(rows),
    id === primaryKeyId ? "primary" : bad('older key: "fieldseal rotate"'),
  ]);
  const other = [
    ["NULL", one.nulls, ""],
    ["plaintext", one.plaintext, "not encrypted"],
    ["legacy", one.legacy, "older layout, not authenticated"],
    ["other form", one.otherForm, "another suite than the column declares"],
    ["index drift", one.indexDrift ?? 0, "the blind index does not match the value"],
    ["unreadable", one.unreadableRows, "does not open for this column with these keys"],
  ] as const;
  return [
    ...keys,
    ...other
      .filter(([, rows]) => rows > 0)
      .map(([name, rows, text]) => [`  ${name}`, count(rows), name === "NULL" ? "" : bad(text)]),
  ];
}

const MAX_NAMED = 5;

function adviceFor(one: ColumnFindings): string[] {
  const open = one.plaintext + one.legacy + one.otherForm + (one.indexDrift ?? 0);
  const named = one.unreadable.slice(0, MAX_NAMED);
  const more = one.unreadableRows - named.length;
  return [
    ...named.map(({ primaryKey, code }) => `row ${JSON.stringify(primaryKey)}: ${code}`),
    ...(more > 0 ? [`and ${counted(more, "row")} more; --json lists the first hundred`] : []),
    ...(open > 0 ? [`"fieldseal migrate run" brings ${counted(open, "value")} into form.`] : []),
  ];
}
