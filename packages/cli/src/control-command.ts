// Runs, seen and steered from any terminal.
import { MigrationError } from "@fieldseal/crypto";
import { cancelRun, listRuns, pauseRun, type Progress } from "@fieldseal/migrate";
import { nameOfTable, type Session } from "./session.ts";
import { EXIT } from "./exit.ts";
import { bad, caution, count, good, type Output } from "./output.ts";

export async function showRuns({ pool }: Session, output: Output): Promise<number> {
  const runs = await listRuns(pool);
  if (runs.length === 0) output.line("No run yet.");
  else {
    output.table([
      ["run", "table", "state", "seen", "written", "left"],
      ...runs.map((run) => [
        run.runId,
        nameOfTable(run),
        isStopped(run) ? caution("stopped") : STATES[run.state](run.state),
        `${percent(run)} of ${count(run.rowsTotal)}`,
        count(run.rowsWritten),
        leftOf(run),
      ]),
    ]);
    for (const sentence of adviceFor(runs)) output.line(sentence);
  }
  output.json({ runs });
  return EXIT.ok;
}

const STATES: Readonly<Record<Progress["state"], (text: string) => string>> = {
  running: (text) => text,
  paused: caution,
  cancelled: caution,
  partial: bad,
  done: good,
};

/** By an error, or by force: nobody has said that it is over. */
function isStopped({ state, chunksAtWork }: Progress): boolean {
  return state === "running" && chunksAtWork === 0;
}

function adviceFor(runs: readonly Progress[]): string[] {
  const again =
    'go on with the command that began it: "fieldseal migrate run", or "fieldseal rotate".';
  return [
    ...(runs.some(({ state }) => state === "paused") ? [`paused: ${again}`] : []),
    ...(runs.some(isStopped)
      ? [
          `stopped: no process works on it; it ended by an error, or all of them wait. When that is over, ${again}`,
        ]
      : []),
  ];
}

function percent({ rowsSeen, rowsTotal }: Progress): string {
  return rowsTotal === 0 ? "100 %" : `${Math.min(100, Math.floor((rowsSeen / rowsTotal) * 100))} %`;
}

function leftOf({ poisonRows, rowsSkipped }: Progress): string {
  return [
    ...(poisonRows > 0 ? [`${count(poisonRows)} unreadable`] : []),
    ...(rowsSkipped > 0 ? [`${count(rowsSkipped)} locked`] : []),
  ].join(", ");
}

export async function steerRun(
  { pool }: Session,
  { action, runId }: { readonly action: "pause" | "cancel"; readonly runId: string },
  output: Output,
): Promise<number> {
  // Before the first run there is nothing to look it up in.
  if ((await listRuns(pool)).length === 0) {
    throw new MigrationError("ERR_MIGRATE_STATE", "There is no run yet.", { runId });
  }
  await (action === "pause" ? pauseRun(pool, runId) : cancelRun(pool, runId));
  const [state, advice] =
    action === "pause"
      ? [
          "paused",
          ' What began it goes on with it: "fieldseal migrate run", or "fieldseal rotate".',
        ]
      : ["cancelled", " What it wrote stays, and is read as before."];
  output.line(`Run ${runId} is ${state}.${advice}`);
  output.json({ runId, state });
  return EXIT.ok;
}
