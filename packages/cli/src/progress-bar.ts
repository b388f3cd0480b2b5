// How far a run is: a bar on a terminal, a line per tenth of the rows elsewhere, nothing with --json.
import type { Progress } from "@fieldseal/migrate";
import { SingleBar } from "cli-progress";
import { count, type Output } from "./output.ts";
import { formatSeconds } from "./quantities.ts";

export interface ProgressDisplay {
  readonly update: (progress: Progress) => void;
  readonly stop: () => void;
}

export function progressDisplay(output: Output): ProgressDisplay {
  if (output.isJson) return { update: () => {}, stop: () => {} };
  return process.stdout.isTTY ? progressBar() : progressLines(output);
}

/** What stands beside a bar of no width, with a long table name and large numbers. */
const TEXT_WIDTH = 62;
const MAX_NAME = 20;

function progressBar(): ProgressDisplay {
  const barsize = Math.max(8, Math.min(40, process.stdout.columns - TEXT_WIDTH));
  const bar = new SingleBar({
    format: "{name} {bar} {percentage}%  {seen}  {rate}/s  {rest}",
    barsize,
    hideCursor: true,
    stopOnComplete: false,
    linewrap: false,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
  });
  let shown: string | undefined;
  let meter = new Meter(0);
  return {
    update: (progress) => {
      const { runId, pass, rowsSeen, rowsTotal } = progress;
      const total = Math.max(1, rowsSeen, rowsTotal);
      const bars = `${runId} ${pass}`; // each pass begins anew
      if (shown !== bars) meter = new Meter(rowsSeen);
      const payload = payloadOf(progress, meter);
      if (shown?.split(" ")[0] !== runId) {
        if (shown !== undefined) bar.stop(); // the bar of the table before stays on the screen
        bar.start(total, rowsSeen, payload);
      } else {
        bar.setTotal(total);
        bar.update(rowsSeen, payload);
      }
      shown = bars;
    },
    stop: () => {
      if (shown !== undefined) bar.stop();
      shown = undefined;
    },
  };
}

function payloadOf(progress: Progress, meter: Meter): Record<string, string> {
  const { table, pass, rowsSeen, rowsTotal, waitingFor } = progress;
  const rate = meter.rate(rowsSeen);
  const rowsLeft = Math.max(0, rowsTotal - rowsSeen);
  const left = rate === 0 ? [] : [`${formatSeconds(rowsLeft / rate)} left`];
  const again = pass > 0 ? [`pass ${pass + 1}`] : [];
  const name = table.length > MAX_NAME ? `${table.slice(0, MAX_NAME - 1)}\u2026` : table;
  return {
    name,
    seen: `${count(rowsSeen)} rows`,
    rate: count(Math.round(rate)),
    rest: waitingFor === undefined ? [...again, ...left].join(", ") : `waiting: ${waitingFor}`,
  };
}

/** Rows a second of the last moments: what a run did before it was paused says nothing. */
class Meter {
  #rows: number;
  #at = performance.now();
  #rate = 0;

  constructor(rows: number) {
    this.#rows = rows;
  }

  rate(rows: number): number {
    const seconds = (performance.now() - this.#at) / 1000;
    if (seconds < 0.2) return this.#rate;
    const current = Math.max(0, rows - this.#rows) / seconds;
    this.#rate = this.#rate === 0 ? current : 0.8 * this.#rate + 0.2 * current;
    this.#rows = rows;
    this.#at = performance.now();
    return this.#rate;
  }
}

function progressLines(output: Output): ProgressDisplay {
  let last = "";
  return {
    update: ({ runId, table, pass, rowsSeen, rowsTotal, waitingFor }) => {
      const tenth = rowsTotal === 0 ? 10 : Math.min(10, Math.floor((rowsSeen / rowsTotal) * 10));
      const state = `${runId} ${pass} ${tenth} ${waitingFor}`;
      if (state === last) return;
      last = state;
      const suffix = waitingFor === undefined ? "" : `, waiting: ${waitingFor}`;
      const again = pass > 0 ? `, pass ${pass + 1}` : "";
      output.line(`${table}: ${count(rowsSeen)} of ${count(rowsTotal)} rows${again}${suffix}`);
    },
    stop: () => {},
  };
}
