// What a run would do and meet.
import {
  planMigration,
  type ColumnPlan,
  type Estimate,
  type Finding,
  type MigrationPlan,
  type PlanOptions,
  type Severity,
  type TablePlan,
} from "@fieldseal/migrate";
import { nameOfTable, requireColumns, type Session } from "./session.ts";
import { EXIT } from "./exit.ts";
import { bad, bold, caution, count, counted, dim, good, type Output } from "./output.ts";
import { formatBytes, formatSeconds } from "./quantities.ts";

export async function plan(
  { pool, database, columns, sources, signal }: Session,
  options: PlanOptions,
  output: Output,
): Promise<number> {
  requireColumns({ columns });
  const result = await planMigration(pool, columns, { ...options, sources, signal });
  output.line(dim(`Database ${database}`));
  if (result.findings.length > 0) output.line(bold("server"));
  printFindings(result.findings, output);
  for (const table of result.tables) printTable(table, output);
  output.line(conclusion(result));
  output.json(result);
  return result.isPossible ? EXIT.ok : EXIT.findings;
}

function printTable(table: TablePlan, output: Output): void {
  output.line([bold(nameOfTable(table)), ...describeSize(table)].join("  "));
  output.table([["", "", ""], ...table.columns.map(describeColumn)]);
  if (table.estimate) output.table([["", ""], ...describeEstimate(table.estimate)]);
  printFindings(table.findings, output);
}

/** Nothing of a table that is not there; no count where none was made, because the run is refused anyway. */
function describeSize({ columns, rows, isSampled, bytes, findings }: TablePlan): string[] {
  const isMissing = findings.some(({ kind, column }) => kind === "missing" && column === undefined);
  if (isMissing) return [];
  const isCounted = columns.some(({ from }) => from !== undefined);
  const counting = isCounted
    ? `${isSampled ? "about " : ""}${counted(rows, "row")}`
    : "rows not counted";
  const size = formatBytes(bytes.table + bytes.toast);
  return [`${counting}, ${size}, indexes ${formatBytes(bytes.indexes)}`];
}

function describeColumn({ column, type, source, from, to }: ColumnPlan): string[] {
  const holds = from && [
    ...from.envelopes.map(({ suite, keyId, values }) => `key ${keyId} ${suite} ${count(values)}`),
    ...(from.legacy > 0 ? [`legacy ${count(from.legacy)}`] : []),
    ...(from.plaintext > 0 ? [`plaintext ${count(from.plaintext)}`] : []),
    ...(from.nulls > 0 ? [`NULL ${count(from.nulls)}`] : []),
  ];
  const now =
    holds === undefined ? "not counted" : holds.length === 0 ? "no rows" : holds.join(", ");
  const then = to.form === "plaintext" ? "plaintext" : `key ${to.keyId} ${to.suite}`;
  const index = to.blindIndex === undefined ? "" : `, blind index ${to.blindIndex}`;
  const taken = source === undefined ? "" : ` (taken from ${source})`;
  return [`  ${column}`, type ?? "missing", `${now}${taken} -> ${then}${index}`];
}

function describeEstimate(estimate: Estimate): string[][] {
  const { rowsToWrite, walBytes, growthBytes, temporaryBytes, seconds } = estimate;
  if (rowsToWrite === 0) return [["  to write", "nothing"]];
  const [least, most] = [formatSeconds(seconds.least), formatSeconds(seconds.most)];
  const growth =
    growthBytes < 0 ? `${formatBytes(-growthBytes)} less` : `${formatBytes(growthBytes)} more`;
  return [
    ["  to write", `${counted(rowsToWrite, "row")}, about ${formatBytes(walBytes)} of WAL`],
    ["  disk", `${growth} for good, up to ${formatBytes(temporaryBytes)} until VACUUM`],
    ["  time", seconds.least === seconds.most ? `about ${least}` : `${least} to ${most}`],
  ];
}

const LABELS: Readonly<Record<Severity, (text: string) => string>> = {
  refusal: bad,
  warning: caution,
  note: dim,
};

function printFindings(findings: readonly Finding[], output: Output): void {
  output.table([
    ["", ""],
    ...findings.flatMap(({ severity, message, fix }) => [
      [`  ${LABELS[severity](severity)}`, message],
      ...(fix === undefined ? [] : [["", dim(fix)]]),
    ]),
  ]);
}

function conclusion({ isPossible, direction, tables, findings }: MigrationPlan): string {
  const run = direction === "encrypt" ? "fieldseal migrate run" : "fieldseal migrate run --reverse";
  if (isPossible) return `${good("The run can begin:")} ${run}`;
  const all = [...findings, ...tables.flatMap((table) => table.findings)];
  const refusals = all.filter(({ severity }) => severity === "refusal").length;
  return bad(`The run would fail or leave values behind: ${counted(refusals, "refusal")}.`);
}
