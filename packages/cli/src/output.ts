// What the command prints: text for people, one JSON value for machines.
import { stripVTControlCharacters, styleText } from "node:util";

export interface Output {
  readonly isJson: boolean;
  /** For people only. */
  line(text: string): void;
  table(rows: readonly (readonly string[])[]): void;
  /** For machines only; at most once. */
  json(value: unknown): void;
}

export function createOutput(isJson: boolean): Output {
  const print = (text: string): void => void (isJson || process.stdout.write(text));
  return {
    isJson,
    line: (text) => print(`${wrap(text, screenWidth()).join("\n")}\n`),
    table: (rows) => print(formatTable(rows, screenWidth())),
    json: (value) => void (isJson && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
  };
}

/** What is piped into a file or another program is never cut or wrapped. */
function screenWidth(): number {
  return process.stdout.isTTY ? Math.max(40, process.stdout.columns) : Number.POSITIVE_INFINITY;
}

const GAP = "  ";

/**
 * Columns as wide as they need; the first row is the head, unless it is empty. Numbers stand right. The last column
 * wraps within the given width.
 */
export function formatTable(rows: readonly (readonly string[])[], width: number): string {
  const last = (rows[0] ?? []).length - 1;
  const widths = Array.from({ length: last }, (_, i) =>
    Math.max(...rows.map((row) => textWidth(row[i] ?? ""))),
  );
  const indent = widths.reduce((sum, one) => sum + one + GAP.length, 0);
  const lines = rows.flatMap((row, index) => {
    if (index === 0 && row.every((cell) => cell === "")) return [];
    const start = widths.map((columnWidth, i) => pad(row[i] ?? "", columnWidth) + GAP).join("");
    const [first = "", ...rest] = wrap(row[last] ?? "", Math.max(10, width - indent));
    const text = [start + first, ...rest.map((line) => " ".repeat(indent) + line)];
    return text.map((line) => (index === 0 ? dim(line.trimEnd()) : line.trimEnd()));
  });
  return lines.map((line) => `${line}\n`).join("");
}

function pad(cell: string, width: number): string {
  const space = " ".repeat(width - textWidth(cell));
  return /^[\d,.]+( %)?$/.test(cell) ? space + cell : cell + space;
}

/** Escape sequences take no room on the screen. */
function textWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Breaks at spaces; what is longer than a line stays whole, so that it can be copied. Keeps the indent. */
function wrap(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  const indent = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(" ")) {
    const longer = line === "" ? indent + word : `${line} ${word}`;
    if (line !== "" && textWidth(longer) > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = longer;
  }
  return [...lines, line];
}

/** Colour where the terminal has it and nobody asked for none (NO_COLOR, see no-color.org). */
export function dim(text: string): string {
  return styleText("dim", text, { stream: process.stdout });
}

export function bold(text: string): string {
  return styleText("bold", text, { stream: process.stdout });
}

export function good(text: string): string {
  return styleText("green", text, { stream: process.stdout });
}

export function caution(text: string): string {
  return styleText("yellow", text, { stream: process.stdout });
}

export function bad(text: string): string {
  return styleText("red", text, { stream: process.stdout });
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** `counted(1, "row")` is "1 row". */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}
