// What the command prints: text for people, JSON for machines, never both.
import { stripVTControlCharacters, styleText } from "node:util";
import type { Failure } from "./failure.ts";

/** `ndjson`: one JSON value a line, progress as it comes and the result last. */
export type Format = "text" | "json" | "ndjson";

export interface Output {
  readonly format: Format;
  /** For people only. */
  line(text: string): void;
  table(rows: readonly (readonly string[])[]): void;
  /** For people, beside the result: on standard error. */
  note(text: string): void;
  /** What takes a progress bar off the screen before a note is written; undefined: there is none any more. */
  beforeNote(clear: (() => void) | undefined): void;
  /** For machines: progress, where it was asked for. */
  event(value: object): void;
  /** For machines: the result, once. */
  json(value: object): void;
  /** The end of a command that failed: for people on standard error, for machines in place of the result. */
  failure(failure: Failure): void;
}

export function createOutput(format: Format): Output {
  const isText = format === "text";
  const print = (text: string): void => void (isText && process.stdout.write(text));
  const warn = (text: string): void => void (isText && process.stderr.write(text));
  let isAnswered = false;
  let clearScreen: (() => void) | undefined;
  const object = (type: "progress" | "result" | "error", value: object): void => {
    if (isText) return;
    isAnswered ||= type !== "progress";
    const text =
      format === "json" ? JSON.stringify(value, null, 2) : JSON.stringify({ type, ...value });
    process.stdout.write(`${text}\n`);
  };
  return {
    format,
    line: (text) => print(`${wrap(text, screenWidth(process.stdout)).join("\n")}\n`),
    table: (rows) => print(formatTable(rows, screenWidth(process.stdout))),
    beforeNote: (clear) => void (clearScreen = clear),
    note: (text) => {
      clearScreen?.();
      warn(`${atLineStart()}${wrap(text, screenWidth(process.stderr)).join("\n")}\n`);
    },
    event: (value) => void (format === "ndjson" && object("progress", value)),
    json: (value) => object("result", value),
    failure: ({ code, message, fix, details }) => {
      const text = formatFailure({ code, message, fix }, screenWidth(process.stderr));
      // What fails after the result, as closing a connection, must not become a second document.
      if (isText || isAnswered) process.stderr.write(text);
      else
        object("error", {
          error: { code, message, ...(fix !== undefined && { fix }), ...details },
        });
    },
  };
}

/** What the terminal echoes of Ctrl-C would stand before a note. */
function atLineStart(): string {
  return process.stderr.isTTY ? "\r\u001b[K" : "";
}

function formatFailure({ code, message, fix }: Omit<Failure, "exitCode">, width: number): string {
  const mark = (style: "red" | "dim", text: string): string =>
    styleText(style, text, { stream: process.stderr });
  const rows = [
    [mark("red", "error"), `${printable(message)} ${mark("dim", `[${code}]`)}`],
    ...(fix === undefined ? [] : [["fix", printable(fix)]]),
  ];
  return formatTable([["", ""], ...rows], width);
}

/**
 * Names that come from data: a primary key or object key with control characters could move the cursor, change the
 * terminal's title, or turn the direction of the text that follows.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, "\u{fffd}");
}

/** What is piped into a file or another program is never cut or wrapped. */
function screenWidth({ isTTY, columns }: NodeJS.WriteStream): number {
  return isTTY ? Math.max(40, columns) : Number.POSITIVE_INFINITY;
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
