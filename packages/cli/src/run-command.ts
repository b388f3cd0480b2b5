// Re-encryption with its progress, and what it came to.
import { migrate, type RunOptions, type RunReport } from "@fieldseal/migrate";
import type { Session } from "./config.ts";
import { EXIT } from "./exit.ts";
import { bad, caution, count, counted, good, type Output } from "./output.ts";
import { progressDisplay } from "./progress-bar.ts";

export type RunCommand = Omit<RunOptions, "signal" | "onProgress" | "sources">;

/** Ctrl-C pauses: the same command goes on. A second Ctrl-C ends the process, which harms nothing either. */
export async function runMigration(
  { pool, columns, sources }: Session,
  options: RunCommand,
  output: Output,
): Promise<number> {
  const controller = new AbortController();
  const pause = (): void => controller.abort();
  process.once("SIGINT", pause);
  process.once("SIGTERM", pause);
  const display = progressDisplay(output);
  try {
    const { signal } = controller;
    const reports = await migrate(pool, columns, {
      ...options,
      sources,
      signal,
      onProgress: display.update,
    });
    display.stop();
    for (const report of reports) printReport(report, output);
    if (signal.aborted) output.line("Paused. The same command goes on where it stopped.");
    if (reports.length === 0) output.line("The configuration names no encrypted column.");
    output.json(reports);
    return reports.some(({ state }) => state !== "done") ? EXIT.partial : EXIT.ok;
  } finally {
    display.stop();
    process.off("SIGINT", pause);
    process.off("SIGTERM", pause);
  }
}

const MAX_NAMED = 20;

function printReport(report: RunReport, output: Output): void {
  const { state, rowsWritten, rowsSkipped, poisonRows, poison } = report;
  const colour = state === "done" ? good : state === "paused" ? caution : bad;
  const left = [
    ...(poisonRows > 0 ? [`${count(poisonRows)} cannot be read`] : []),
    ...(rowsSkipped > 0 ? [`${count(rowsSkipped)} stayed locked or as they were`] : []),
  ];
  output.line(
    `${report.table}: ${colour(state)}, ${[`${counted(rowsWritten, "row")} written`, ...left].join(", ")}`,
  );
  for (const { primaryKey, column, code } of poison.slice(0, MAX_NAMED)) {
    output.line(`  ${JSON.stringify(primaryKey)} ${column} ${code}`);
  }
  if (poison.length > MAX_NAMED) {
    output.line(`  and ${counted(poisonRows - MAX_NAMED, "row")} more; --json lists a thousand`);
  }
}
