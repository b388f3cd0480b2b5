// The database's own guards against plaintext, installed and taken away.
import {
  finalizeColumns,
  undoFinalize,
  type FinalizedColumn,
  type FinalizeProgress,
  type FinalizeStep,
} from "@fieldseal/migrate";
import { nameOfColumn, requireColumns, type Session } from "./session.ts";
import { EXIT } from "./exit.ts";
import { bad, counted, dim, good, type Output } from "./output.ts";

export interface FinalizeCommand {
  readonly fenceFirst?: boolean;
  readonly undo?: boolean;
}

export async function finalize(
  { pool, columns, signal }: Session,
  { fenceFirst = false, undo = false }: FinalizeCommand,
  output: Output,
): Promise<number> {
  requireColumns({ columns });
  const onStep = (progress: FinalizeProgress): void => {
    const { table, column, step } = progress;
    output.line(
      dim(`${[table, ...(column === undefined ? [] : [column])].join(".")}: ${STEPS[step]}`),
    );
    output.event(progress);
  };
  const reports = undo
    ? await undoFinalize(pool, columns, { onStep, signal })
    : await finalizeColumns(pool, columns, { onStep, fenceFirst, signal });
  output.table([
    ["", "", ""],
    ...reports.map((report) => [
      nameOfColumn(columns, report),
      undo ? undone(report) : report.isValidated ? good("final") : bad("not final"),
      undo ? "" : explain(report),
    ]),
  ]);
  if (undo) {
    output.json({ columns: reports });
    return EXIT.ok;
  }
  const final = reports.filter(({ isValidated }) => isValidated).length;
  if (final === reports.length) {
    output.line("What the plaintext has left behind in the database: fieldseal migrate scrub");
  }
  output.json({ columns: reports });
  return final === reports.length ? EXIT.ok : final === 0 ? EXIT.findings : EXIT.partial;
}

const STEPS: Readonly<Record<FinalizeStep, string>> = {
  survey: "counting what is no envelope",
  fence: "raising the fence",
  constraint: "adding the constraint",
  validate: "validating the constraint",
  undo: "taking the guards away",
};

function undone({ changes }: FinalizedColumn): string {
  return changes.length > 0 ? "guards taken away" : "had no guards";
}

function explain({ remaining, constraint, hasFence, changes, ...report }: FinalizedColumn): string {
  if (!report.isValidated) {
    const fence = hasFence ? "; the fence keeps more from coming" : "";
    return `${counted(remaining, "value")} ${remaining === 1 ? "is" : "are"} no envelope${fence}. Run "fieldseal migrate run", then this again.`;
  }
  const state = changes.length > 0 ? "guarded now" : "was guarded already";
  const options = report.obsoleteOptions.map((name) => OPTION_TEXTS[name]);
  const advice =
    options.length > 0 ? ` Take ${options.join(" and ")} out of its options and deploy.` : "";
  return `${state}, constraint ${constraint}.${advice}`;
}

const OPTION_TEXTS = { plaintext: 'plaintext: "accept"', legacy: "legacy" };
