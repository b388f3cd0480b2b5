// How far a command is: a bar on a terminal, on standard error so that results can be redirected; a line per tenth
// elsewhere; nothing with --json.
import { SingleBar } from "cli-progress";
import { count, type Output } from "./output.ts";
import { formatSeconds } from "./quantities.ts";

export interface Task {
  /** Another one begins a new bar. */
  readonly id: string;
  readonly name: string;
  readonly unit: "rows" | "files";
  readonly done: number;
  /** Undefined where nobody knows: there is no bar then, only numbers, and on a terminal alone. */
  readonly total: number | undefined;
  /** Begins at 0; each pass begins anew. */
  readonly pass?: number;
  readonly waitingFor?: string | undefined;
  /** At most, where that is known. */
  readonly waitingSeconds?: number | undefined;
}

export interface ProgressDisplay {
  readonly update: (task: Task) => void;
  readonly stop: () => void;
}

export function progressDisplay(output: Output): ProgressDisplay {
  if (output.format !== "text") return { update: () => {}, stop: () => {} };
  return process.stderr.isTTY ? progressBar(output) : progressLines(output);
}

/** What stands beside a bar of no width, with a long table name and large numbers. */
const TEXT_WIDTH = 68;
const MAX_NAME = 20;

function progressBar(output: Output): ProgressDisplay {
  const barsize = Math.max(8, Math.min(40, process.stderr.columns - TEXT_WIDTH));
  const shape = {
    barsize,
    hideCursor: true,
    stopOnComplete: false,
    linewrap: false,
    fps: 8,
    barCompleteChar: "\u2588",
    barIncompleteChar: "\u2591",
  };
  let bar: SingleBar | undefined;
  let shown: string | undefined;
  let meter = new Meter(0);
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
    output.beforeNote(undefined);
  };
  /** The next update draws it below the note. */
  const clear = (): void => {
    const { options } = (bar ?? {}) as { options?: { clearOnComplete: boolean } };
    if (options !== undefined) options.clearOnComplete = true;
    stop();
  };
  return {
    update: (task) => {
      const { id, pass = 0, done, total } = task;
      const size = Math.max(1, done, total ?? 0);
      if (shown !== `${id} ${pass}`) meter = new Meter(done);
      const payload = payloadOf(task, meter);
      if (shown?.split(" ")[0] !== id || bar === undefined) {
        stop(); // the bar of the task before stays on the screen
        const middle = total === undefined ? "" : "{bar} {percentage}%  ";
        const clearOnComplete = total === undefined; // numbers of passing interest, then a report
        bar = new SingleBar({
          ...shape,
          clearOnComplete,
          format: `{name} ${middle}{seen}  {rest}`,
        });
        bar.start(size, done, payload);
        output.beforeNote(clear);
      } else {
        bar.setTotal(size);
        bar.update(done, payload);
      }
      shown = `${id} ${pass}`;
    },
    stop,
  };
}

function payloadOf(task: Task, meter: Meter): Record<string, string> {
  const { name, unit, pass = 0, done, total, waitingFor, waitingSeconds } = task;
  const rate = meter.rate(done);
  const left =
    rate === 0 || total === undefined || done >= total
      ? []
      : [`${formatSeconds((total - done) / rate)} left`];
  const again = pass > 0 ? [`pass ${pass + 1}`] : [];
  const time = waitingSeconds === undefined ? "" : ` ${formatSeconds(waitingSeconds)}`;
  return {
    name: name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}\u2026` : name,
    seen: `${count(done)} ${unit}`,
    rest:
      waitingFor === undefined
        ? [rate === 0 ? "" : `${count(Math.round(rate))}/s`, [...again, ...left].join(", ")].join(
            "  ",
          )
        : `waiting${time}: ${waitingFor}`,
  };
}

/** Rows a second of the last moments: what a run did before it was paused says nothing. */
class Meter {
  #done: number;
  #at = performance.now();
  #rate = 0;

  constructor(done: number) {
    this.#done = done;
  }

  rate(done: number): number {
    const seconds = (performance.now() - this.#at) / 1000;
    if (seconds < 0.2) return this.#rate;
    const current = Math.max(0, done - this.#done) / seconds;
    this.#rate = this.#rate === 0 ? current : 0.8 * this.#rate + 0.2 * current;
    this.#done = done;
    this.#at = performance.now();
    return this.#rate;
  }
}

function progressLines(output: Output): ProgressDisplay {
  let last = "";
  return {
    update: ({ id, name, unit, pass = 0, done, total, waitingFor }) => {
      if (total === undefined) return;
      const tenth = total === 0 ? 10 : Math.min(10, Math.floor((done / total) * 10));
      const state = `${id} ${pass} ${tenth} ${waitingFor}`;
      if (state === last) return;
      last = state;
      const suffix = waitingFor === undefined ? "" : `, waiting: ${waitingFor}`;
      const again = pass > 0 ? `, pass ${pass + 1}` : "";
      output.line(
        `${name}: ${count(done)} of ${count(Math.max(done, total))} ${unit}${again}${suffix}`,
      );
    },
    stop: () => {},
  };
}
