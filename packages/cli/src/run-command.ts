// Re-encryption of columns with its progress, and what it came to.
import {
  migrate,
  type PoisonRow,
  type Progress,
  type RunOptions,
  type RunReport,
} from "@fieldseal/migrate";
import { checkCanaries } from "./canary.ts";
import { EXIT } from "./exit.ts";
import { bad, caution, counted, dim, good, printable, type Output } from "./output.ts";
import { closing, leaseNote, NEXT } from "./run-advice.ts";
import { progressDisplay, type Task } from "./progress-bar.ts";
import { nameOfTable, requireColumns, type Session } from "./session.ts";

export type RunCommand = Omit<RunOptions, "signal" | "onProgress" | "sources" | "previous">;

export async function runMigration(
  session: Session,
  options: RunCommand,
  output: Output,
): Promise<number> {
  requireColumns(session);
  const again = `fieldseal migrate run${options.direction === "decrypt" ? " --reverse" : ""}`;
  const reports = await runColumns(session, { ...options, again }, output);
  const exitCode = exitCodeOf(reports);
  if (exitCode === EXIT.ok) output.line(NEXT[options.direction ?? "encrypt"]);
  output.json({ runs: reports });
  return exitCode;
}

/** Ctrl-C pauses: `again`, the same command, goes on. */
export async function runColumns(
  { pool, database, columns, sources, previous, signal }: Session,
  { again, ...options }: RunCommand & { readonly again: string },
  output: Output,
): Promise<RunReport[]> {
  output.line(dim(`Database ${database}`));
  await checkCanaries(pool);
  const display = progressDisplay(output);
  const explainLease = leaseNote(output);
  try {
    const reports = await migrate(pool, columns, {
      ...options,
      sources,
      previous,
      signal,
      onProgress: (progress) => {
        // Of the tables behind an interruption there is nothing to show.
        if (!signal.aborted || progress.rowsSeen > 0) display.update(taskOf(progress));
        explainLease(progress);
        output.event(progress);
      },
    });
    display.stop();
    for (const report of reports) printReport(report, output);
    for (const sentence of closing(reports, again)) output.line(sentence);
    return reports;
  } finally {
    display.stop();
  }
}

export function exitCodeOf(reports: readonly RunReport[]): number {
  return reports.every(({ state }) => state === "done") ? EXIT.ok : EXIT.partial;
}

function taskOf({ runId, pass, rowsSeen, rowsTotal, ...progress }: Progress): Task {
  const { waitingFor, waitingSeconds } = progress;
  return {
    id: runId,
    name: nameOfTable(progress),
    unit: "rows",
    done: rowsSeen,
    total: rowsTotal,
    pass,
    waitingFor,
    waitingSeconds,
  };
}

const COLOURS: Readonly<Record<RunReport["state"], (text: string) => string>> = {
  running: caution,
  paused: caution,
  cancelled: caution,
  partial: bad,
  done: good,
};

const MAX_NAMED = 10;

function printReport(report: RunReport, output: Output): void {
  const { state, rowsWritten, rowsSkipped, poisonRows, poison } = report;
  const colour = COLOURS[state];
  const left = [
    ...(poisonRows > 0 ? [`${counted(poisonRows, "row")} cannot be read`] : []),
    ...(rowsSkipped > 0 ? [`${counted(rowsSkipped, "row")} stayed locked or as they were`] : []),
  ];
  output.line(
    `${nameOfTable(report)}: ${colour(state)}, ${[`${counted(rowsWritten, "row")} written`, ...left].join(", ")}`,
  );
  const rows = Map.groupBy(poison, ({ primaryKey }) => nameRow(primaryKey));
  for (const [name, values] of [...rows].slice(0, MAX_NAMED)) {
    output.line(`  ${name}: ${describePoison(values)}`);
  }
  if (poisonRows > MAX_NAMED) {
    output.line(
      `  and ${counted(poisonRows - MAX_NAMED, "row")} more; --json lists a thousand values`,
    );
  }
}

/** "email, notes ERR_KEY_UNKNOWN; name ERR_DECRYPT_FAILED" */
function describePoison(values: readonly PoisonRow[]): string {
  const causes = Map.groupBy(
    values,
    ({ code, reason }) => code + (reason === undefined ? "" : ` (${reason})`),
  );
  return [...causes]
    .map(
      ([cause, of]) =>
        `${of
          .map(({ column }) => column)
          .toSorted()
          .join(", ")} ${cause}`,
    )
    .join("; ");
}

/** "id 7", or "tenant 1, id 7". */
export function nameRow(primaryKey: Readonly<Record<string, string>>): string {
  return Object.entries(primaryKey)
    .map(([name, value]) => `${name} ${printable(value)}`)
    .join(", ");
}
