// What an encrypted table leaves behind of its plaintext: removed where the database can, named where it cannot.
import { scrubColumns, type Remnant, type ScrubStep } from "@fieldseal/migrate";
import { EXIT } from "./exit.ts";
import { bad, bold, caution, dim, good, type Output } from "./output.ts";
import { requireColumns, type Session } from "./session.ts";

export interface ScrubCommand {
  readonly rewrite?: boolean;
}

export async function scrub(
  { pool, database, columns, signal }: Session,
  { rewrite = false }: ScrubCommand,
  output: Output,
): Promise<number> {
  requireColumns({ columns });
  output.line(dim(`Database ${database}`));
  const report = await scrubColumns(pool, columns, {
    rewrite,
    signal,
    onStep: (step) => {
      output.line(dim(`${step.table ?? "server"}: ${STEPS[step.step]}`));
      output.event(step);
    },
  });
  for (const { table, remnants } of report.tables) print(table, remnants, output);
  print("server", report.remnants, output);
  output.json(report);
  // Of the write-ahead log something always remains for a while.
  const left = report.tables.flatMap(({ remnants }) => remnants);
  return left.some(({ state }) => state === "remains") ? EXIT.partial : EXIT.ok;
}

const STEPS: Readonly<Record<ScrubStep, string>> = {
  vacuum: "VACUUM",
  rewrite: "VACUUM FULL",
  analyze: "ANALYZE",
  statistics: "statistics",
  wal: "write-ahead log",
};

const STATES: Readonly<Record<Remnant["state"], (text: string) => string>> = {
  removed: good,
  remains: bad,
  unknown: caution,
};

function print(name: string, remnants: readonly Remnant[], output: Output): void {
  if (remnants.length === 0) return;
  output.line(bold(name));
  output.table([
    ["", "", ""],
    ...remnants.flatMap(({ kind, state, message, fix }) => [
      [
        `  ${kind.replace("-", " ")}`,
        STATES[state](state === "unknown" ? "yours" : state),
        message,
      ],
      ...(fix === undefined ? [] : [["", "", dim(fix)]]),
    ]),
  ]);
}
