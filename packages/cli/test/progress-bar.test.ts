// The bar on a terminal, with the cursor's movements taken away.
import { stripVTControlCharacters } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { createOutput } from "../src/output.ts";
import { progressDisplay, type ProgressDisplay, type Task } from "../src/progress-bar.ts";

const TASK: Task = { id: "1", name: "users", unit: "rows", done: 0, total: 100_000 };

describe("The progress bar", () => {
  /** All that a terminal of so many columns was sent. */
  async function shown(
    columns: number,
    use: (display: ProgressDisplay) => Promise<void>,
  ): Promise<string> {
    const { stderr } = process;
    const { write, isTTY, columns: width } = stderr;
    let text = "";
    Object.assign(stderr, {
      isTTY: true,
      columns,
      write: (part: string) => Boolean((text += part)),
    });
    const display = progressDisplay(createOutput("text"));
    try {
      await use(display);
    } finally {
      display.stop();
      Object.assign(stderr, { write, isTTY, columns: width });
    }
    return text;
  }

  const lines = (text: string): string[] =>
    stripVTControlCharacters(text.replaceAll("\u001b[1G", "\r")) // to the line's beginning
      .split(/[\r\n]/)
      .filter((line) => line.trim() !== "");

  for (const columns of [80, 120]) {
    it(`fits ${columns} columns with the longest names and numbers`, async () => {
      const text = await shown(columns, async (display) => {
        const task = { ...TASK, name: "a_table_with_a_very_long_name", total: 987_654_321 };
        display.update({ ...task, done: 0 });
        await sleep(210);
        display.update({ ...task, done: 123_456, pass: 0 });
        await sleep(150);
        display.update({ ...task, done: 123_456_789 });
        await sleep(250);
      });
      const last = lines(text).at(-1)!;
      expect(last).to.match(
        /^a_table_with_a_very\u2026 [\u2588\u2591]+ \d+% {2}[\d,]+ rows {2}[\d,]+\/s/,
      );
      for (const line of lines(text)) expect(line.length, line).to.be.lessThan(columns + 1);
    });
  }

  it("says what a run waits for, and which pass it is in", async () => {
    const text = await shown(80, async (display) => {
      display.update({ ...TASK, done: 50_000 });
      await sleep(150);
      display.update({ ...TASK, done: 50_000, waitingFor: "replication lag" });
      await sleep(150);
      display.update({ ...TASK, done: 0, pass: 1 });
      await sleep(150);
    });
    expect(text).to.include("50%").and.include("waiting: replication lag").and.include("pass 2");
  });

  it("says how long a wait can last, and no rate meanwhile", async () => {
    const text = await shown(80, async (display) => {
      const waitingFor = "lease of another process";
      display.update({ ...TASK, done: 50_000, waitingFor, waitingSeconds: 27 });
    });
    const [line] = lines(text);
    expect(line).to.match(/50% {2}50,000 rows {2}waiting 27 s: lease of another process *$/);
    expect(line!.length).to.be.lessThan(81);
  });

  it("is drawn anew below a note, and nothing is written over it", async () => {
    const output = createOutput("text");
    const { write, isTTY } = process.stderr;
    let text = "";
    Object.assign(process.stderr, { isTTY: true, write: (part: string) => (text += part) !== "" });
    try {
      const display = progressDisplay(output);
      display.update({ ...TASK, done: 50_000 });
      output.note("Stopping.");
      display.update({ ...TASK, done: 60_000 });
      display.stop();
    } finally {
      Object.assign(process.stderr, { write, isTTY });
    }
    const [before = "", after = ""] = text.split("Stopping.\n");
    expect(before).to.include("50%");
    // The line of the first bar is taken away before the note stands in its place.
    expect(before.slice(before.lastIndexOf("50%")))
      .to.include("\u001b[2K")
      .and.not.include("\n");
    // The place where the second one begins is remembered: its end would be written over the note otherwise.
    expect(after).to.include("\u001b7").and.include("60%").and.match(/\n$/);
  });

  it("leaves the bar of a task that ended, and clears numbers without an end", async () => {
    const text = await shown(80, async (display) => {
      display.update({ ...TASK, done: 100_000 });
      display.update({ ...TASK, id: "2", name: "visits", done: 1, total: 2 });
    });
    expect(lines(text).filter((line) => line.startsWith("users"))).to.have.length.above(0);
    expect(stripVTControlCharacters(text)).to.match(/users .*100%[^]*\n[^]*visits .*50%/);
    const endless = await shown(80, async (display) => {
      display.update({ ...TASK, total: undefined, done: 7 });
    });
    expect(endless).to.include("users 7 rows").and.not.include("\u2588");
    expect(endless).not.to.include("\n");
  });
});
