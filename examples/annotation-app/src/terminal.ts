// What the start tells people: a line a step, and a bar that moves where there is a terminal.
import type { WriteStream } from "node:tty";

export interface Reporter {
  step(sentence: string): void;
  progress(what: string, done: number, total: number): void;
}

const BAR = 28;

export class Terminal implements Reporter {
  readonly #out: WriteStream;
  #shown = "";

  constructor(out: WriteStream) {
    this.#out = out;
  }

  step(sentence: string): void {
    this.#out.write(`${sentence}\n`);
  }

  progress(what: string, done: number, total: number): void {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const full = Math.round(share * BAR);
    const percent = `${Math.round(share * 100)}`.padStart(3);
    const line = `${what.padEnd(32)} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${percent} %`;
    if (line === this.#shown) return;
    this.#shown = line;
    // Into a file or a pipe only the end of each bar is written.
    if (this.#out.isTTY) this.#out.write(`\r${line}${share === 1 ? "\n" : ""}`);
    else if (share === 1) this.#out.write(`${line}\n`);
  }
}
