// Re-encryption with a progress bar, and its control from another terminal.
import {
  cancelRun,
  listRuns,
  migrate,
  pauseRun,
  type Direction,
  type Progress,
} from "@fieldseal/migrate";
import { SingleBar } from "cli-progress";
import type { Session } from "./config.ts";
import { EXIT } from "./exit.ts";
import { bad, count, good, type Output } from "./output.ts";

export interface RunCommand {
  readonly direction: Direction;
  readonly batchRows: number | undefined;
  readonly maxRowsPerSecond: number | undefined;
  readonly workers: number | undefined;
}

/** Ctrl-C pauses: the same command goes on. */
export async function runMigration(
  { pool, columns }: Session,
  { direction, batchRows, maxRowsPerSecond, workers }: RunCommand,
  output: Output,
): Promise<number> {
  const controller = new AbortController();
  const pause = (): void => controller.abort();
  process.once("SIGINT", pause);
  process.once("SIGTERM", pause);
  const bar = progressBar(output);
  try {
    const reports = await migrate(pool, columns, {
      direction,
      signal: controller.signal,
      onProgress: bar.update,
      ...(batchRows !== undefined && { batchRows }),
      ...(maxRowsPerSecond !== undefined && { maxRowsPerSecond }),
      ...(workers !== undefined && { workers }),
    });
    bar.stop();
    for (const report of reports) {
      const state = report.state === "done" ? good(report.state) : bad(report.state);
      output.line(
        `${report.table}: ${state}, ${count(report.rowsWritten)} rows written, ${count(report.poisonRows)} cannot be read`,
      );
      for (const { primaryKey, column, code } of report.poison) {
        output.line(`  ${JSON.stringify(primaryKey)} ${column} ${code}`);
      }
    }
    if (controller.signal.aborted)
      output.line("Paused. The same command goes on where it stopped.");
    output.json(reports);
    return reports.some(({ state }) => state !== "done") ? EXIT.partial : EXIT.ok;
  } finally {
    bar.stop();
    process.off("SIGINT", pause);
    process.off("SIGTERM", pause);
  }
}

interface Bar {
  readonly update: (progress: Progress) => void;
  readonly stop: () => void;
}

/** A bar on a terminal; a line per tenth of the rows elsewhere; nothing with --json. */
function progressBar(output: Output): Bar {
  if (output.isJson) return { update: () => {}, stop: () => {} };
  if (!process.stdout.isTTY) return progressLines(output);
  const bar = new SingleBar({
    format:
      "{table} {bar} {percentage}%  {value}/{total} rows  {rate} rows/s  {eta_formatted} left",
    barsize: 24,
    hideCursor: true,
    stopOnComplete: false,
    etaBuffer: 50,
  });
  let shown: string | undefined;
  const start = performance.now();
  return {
    update: ({ table, runId, rowsSeen, rowsTotal }) => {
      const rate = count(Math.round((rowsSeen / Math.max(1, performance.now() - start)) * 1000));
      const total = Math.max(rowsSeen, rowsTotal);
      if (shown !== runId) bar.start(total, rowsSeen, { table, rate });
      else bar.update(rowsSeen, { table, rate });
      shown = runId;
    },
    stop: () => {
      if (shown !== undefined) bar.stop();
      shown = undefined;
    },
  };
}

function progressLines(output: Output): Bar {
  let last = -1;
  return {
    update: ({ table, rowsSeen, rowsTotal }) => {
      const tenth = rowsTotal === 0 ? 10 : Math.floor((rowsSeen / rowsTotal) * 10);
      if (tenth === last) return;
      last = tenth;
      output.line(`${table}: ${count(rowsSeen)} of ${count(rowsTotal)} rows`);
    },
    stop: () => {},
  };
}

export async function showRuns({ pool }: Session, output: Output): Promise<number> {
  const runs = await listRuns(pool);
  if (runs.length === 0) output.line("No run yet.");
  else {
    output.table([
      ["run", "table", "state", "seen", "rows", "written", "unreadable", "chunks left"],
      ...runs.map((run) => [
        run.runId,
        run.table,
        run.state,
        ...[run.rowsSeen, run.rowsTotal, run.rowsWritten, run.poisonRows, run.chunksLeft].map(
          count,
        ),
      ]),
    ]);
  }
  output.json(runs);
  return EXIT.ok;
}

export async function steerRun(
  { pool }: Session,
  { action, runId }: { readonly action: "pause" | "cancel"; readonly runId: string },
  output: Output,
): Promise<number> {
  await (action === "pause" ? pauseRun(pool, runId) : cancelRun(pool, runId));
  output.line(action === "pause" ? `Run ${runId} is paused.` : `Run ${runId} is cancelled.`);
  output.json({ runId, state: action === "pause" ? "paused" : "cancelled" });
  return EXIT.ok;
}
