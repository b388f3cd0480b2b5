// What is really in the database, column by column.
import { verifyColumns, type ColumnFindings } from "@fieldseal/migrate";
import type { Session } from "./config.ts";
import { EXIT } from "./exit.ts";
import { bad, count, good, type Output } from "./output.ts";

export async function verify({ pool, columns }: Session, output: Output): Promise<number> {
  const findings = await verifyColumns(pool, columns);
  output.table([
    [
      "column",
      "rows",
      "by key",
      "plaintext",
      "legacy",
      "other form",
      "index drift",
      "unreadable",
      "",
    ],
    ...findings.map((one) => [
      `${one.table}.${one.column}`,
      count(one.rows),
      Object.entries(one.byKey)
        .map(([id, rows]) => `${id} ${count(rows)}`)
        .join(", ") || "none",
      ...[one.plaintext, one.legacy, one.otherForm, one.indexDrift ?? 0, one.unreadableRows].map(
        count,
      ),
      one.isStrict ? good("ok") : bad("findings"),
    ]),
  ]);
  for (const advice of findings.flatMap(adviceFor)) output.line(advice);
  output.json(findings);
  return findings.every(({ isStrict }) => isStrict) ? EXIT.ok : EXIT.findings;
}

function adviceFor(one: ColumnFindings): string[] {
  const name = `${one.table}.${one.column}`;
  const open = one.plaintext + one.legacy + one.otherForm + (one.indexDrift ?? 0);
  return [
    ...(open > 0
      ? [`${name}: "fieldseal migrate run" brings ${count(open)} values into form.`]
      : []),
    ...(one.plaintext === 0 && one.isStrict && one.rows > 0
      ? []
      : one.unreadable
          .slice(0, 5)
          .map(
            ({ primaryKey, code }) =>
              `${name}: row ${JSON.stringify(primaryKey)} cannot be read (${code}).`,
          )),
  ];
}
