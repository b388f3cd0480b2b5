// What every adapter says to a question that ciphertext cannot answer.
import type { ColumnCipher } from "./column-cipher.ts";
import { UnsupportedQueryError } from "./errors.ts";

/**
 * The error for a query that a column cannot serve, with the way out that fits its options.
 *
 * @param column its cipher; label and options do, where there is none yet
 * @param problem what goes on after "User.email is encrypted and": never with a value in it
 */
export function queryRefusal(
  { label, options }: Pick<ColumnCipher<unknown>, "label" | "options">,
  problem: string,
  target?: { readonly model?: string; readonly field?: string },
): UnsupportedQueryError {
  const [, advice = equalityAdvice(options)] =
    BEYOND_OPTIONS.find(([of]) => of.test(problem)) ?? [];
  return new UnsupportedQueryError(`${label} is encrypted and ${problem}. ${advice}`, target);
}

/** Problems that no option of the column would solve. */
const BEYOND_OPTIONS: readonly (readonly [problem: RegExp, advice: string])[] = [
  [/^cannot be sorted by/, "Ciphertext has no order. Sort after loading."],
  [/^cannot be (?:computed with|incremented)/, "Compute it after loading."],
  [/^cannot be copied/, "Read entities and write them."],
  [
    /^cannot be compared by "?\$?(?:not)?_?(?:[<>~]|[gl]te?\b|between|i?(?:like|regexp)|re\b|starts|ends|substring|fulltext|contain|overlap|match)/i,
    "No option compares ciphertext by order or pattern. Find the rows by other columns, and compare after loading.",
  ],
];

function equalityAdvice({ deterministic, blindIndex }: ColumnCipher<unknown>["options"]): string {
  return deterministic === true || blindIndex !== undefined
    ? "It can be searched by equality only; do the rest after loading."
    : "Declare it deterministic or give it a blindIndex to search by equality; do the rest after loading.";
}
