// What options take, checked before anything begins.
import { InvalidArgumentError } from "commander";

/** Which of the two a command is to look at. */
export type Part = "columns" | "storage";

export function positive(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("A whole number above 0 is needed.");
}

/** More than any server has use for. */
export const MOST_WORKERS = 100;

export function workers(value: string): number {
  if (positive(value) <= MOST_WORKERS) return Number(value);
  throw new InvalidArgumentError(`At most ${MOST_WORKERS}; more processes may join.`);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** Bytes, as `20MB`. */
export function size(value: string): number {
  const { amount, unit = "" } =
    /^(?<amount>\d+(?:\.\d+)?) ?(?<unit>[KMG]B)?$/i.exec(value)?.groups ?? {};
  const bytes = Math.round(Number(amount) * (UNITS[unit.toUpperCase()] ?? Number.NaN));
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError("A size is needed, as 512KB, 20MB or 1GB.");
}

export function runNumber(value: string): string {
  if (/^[1-9]\d{0,17}$/.test(value)) return value;
  throw new InvalidArgumentError('A number is needed, as "fieldseal migrate status" shows it.');
}
