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
  const isSearchable = options.deterministic === true || options.blindIndex !== undefined;
  const advice = isSearchable
    ? "It can be searched by equality only; do the rest after loading."
    : "Declare it deterministic or give it a blindIndex to search by equality; do the rest after loading.";
  return new UnsupportedQueryError(`${label} is encrypted and ${problem}. ${advice}`, target);
}
