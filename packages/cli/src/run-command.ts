// Re-encryption of columns with its progress, and what it came to.
import {
  migrate,
  type PoisonRow,
  type Progress,
  type RunOptions,
  type RunReport,
} from "@fieldseal/migrate";
import { EXIT } from "./exit.ts";
import { bad, caution, count, counted, dim, good, printable, type Output } from "./output.ts";
import { progressDisplay, type Task } from "./progress-bar.ts";
import { requireColumns, type Session } from "./session.ts";

export type RunCommand = Omit<RunOptions, "signal" | "onProgress" | "sources" | "previous">;

export async function runMigration(
  session: Session,
  options: RunCommand,
  output: Output,
): Promise<number> {
  requireColumns(session);
  const reports = await runColumns(session, options, output);
  output.json({ runs: reports });
  return exitCodeOf(reports);
}

/** Ctrl-C pauses: the same command goes on. */
export async function runColumns(
  { pool, database, columns, sources, previous, signal }: Session,
  options: RunCommand,
  output: Output,
): Promise<RunReport[]> {
  output.line(dim(`Database ${database}`));
  const display = progressDisplay(output);
  try {
    const reports = await migrate(pool, columns, {
      ...options,
      sources,
      previous,
      signal,
      onProgress: (progress) => {
        display.update(taskOf(progress));
        output.event(progress);
      },
    });
    display.stop();
    for (const report of reports) printReport(report, output);
    if (reports.some(({ state }) => state === "paused")) {
      const reverse = options.direction === "decrypt" ? " --reverse" : "";
      output.line(
        `Paused; what is written is complete. Go on with: fieldseal migrate resume${reverse}`,
      );
    }
    return reports;
  } finally {
    display.stop();
  }
}

export function exitCodeOf(reports: readonly RunReport[]): number {
  return reports.every(({ state }) => state === "done") ? EXIT.ok : EXIT.partial;
}

function taskOf({ runId, table, pass, rowsSeen, rowsTotal, waitingFor }: Progress): Task {
  return {
    id: runId,
    name: table.replaceAll('"', ""),
    unit: "rows",
    done: rowsSeen,
    total: rowsTotal,
    pass,
    waitingFor,
  };
}

const MAX_NAMED = 20;

function printReport(report: RunReport, output: Output): void {
  const { state, rowsWritten, rowsSkipped, poisonRows, poison } = report;
  const colour = state === "done" ? good : state === "paused" ? caution : bad;
  const left = [
    ...(poisonRows > 0 ? [`${counted(poisonRows, "row")} cannot be read`] : []),
    ...(rowsSkipped > 0 ? [`${counted(rowsSkipped, "row")} stayed locked or as they were`] : []),
  ];
  output.line(
    `${report.table}: ${colour(state)}, ${[`${counted(rowsWritten, "row")} written`, ...left].join(", ")}`,
  );
  for (const row of poison.slice(0, MAX_NAMED)) output.line(`  ${describePoison(row)}`);
  if (poisonRows > MAX_NAMED) {
    output.line(`  and ${count(poisonRows - MAX_NAMED)} more; --json lists a thousand`);
  }
}

function describePoison({ primaryKey, column, code, reason }: PoisonRow): string {
  return `${nameRow(primaryKey)}: ${column} ${code}${reason === undefined ? "" : ` (${reason})`}`;
}

/** "id 7", or "tenant 1, id 7". */
export function nameRow(primaryKey: Readonly<Record<string, string>>): string {
  return Object.entries(primaryKey)
    .map(([name, value]) => `${name} ${printable(value)}`)
    .join(", ");
}
