// What the command prints: text for people, one JSON value for machines.
import { styleText } from "node:util";

export interface Output {
  readonly isJson: boolean;
  /** For people only. */
  line(text: string): void;
  table(rows: readonly (readonly string[])[]): void;
  /** For machines only; at most once. */
  json(value: unknown): void;
}

export function createOutput(isJson: boolean): Output {
  return {
    isJson,
    line: (text) => void (isJson || process.stdout.write(`${text}\n`)),
    table: (rows) => void (isJson || process.stdout.write(formatTable(rows))),
    json: (value) => void (isJson && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
  };
}

/** Columns as wide as they need; the first row is the head. Numbers stand right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? "").length)),
  );
  const lines = rows.map((row, index) =>
    widths
      .map((width, i) => {
        const cell = row[i] ?? "";
        const padded =
          index > 0 && /^[\d,.]+$/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
        return index === 0 ? dim(padded) : padded;
      })
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** Colour where the terminal has it and nobody asked for none (NO_COLOR, see no-color.org). */
export function dim(text: string): string {
  return styleText("dim", text, { stream: process.stdout });
}

export function good(text: string): string {
  return styleText("green", text, { stream: process.stdout });
}

export function bad(text: string): string {
  return styleText("red", text, { stream: process.stdout });
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}
