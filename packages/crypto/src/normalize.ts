// What a blind index treats as the same value. Applied to stored and searched values alike; changing a
// column's normaliser means filling its index anew.
import { ConfigError } from "./errors.ts";

export type NormalizerName = keyof typeof NAMED;
/** A name, a function of your own (pure, and the same in every process), or several applied in order. */
export type Normalizer = NormalizerName | ((text: string) => string) | readonly Normalizer[];

const NAMED = {
  /** As it is. */
  exact: (text: string): string => text,
  /** Unicode NFC, so that composed and decomposed accents are equal. */
  nfc: (text: string): string => text.normalize("NFC"),
  /** NFKC and lower case, independent of locale. */
  "case-insensitive": (text: string): string => text.normalize("NFKC").toLowerCase(),
  /** No white space at either end. */
  trim: (text: string): string => text.trim(),
  /** Runs of white space become one space; none at either end. */
  whitespace: (text: string): string => text.trim().replace(/\s+/gu, " "),
  /**
   * Trimmed, NFC, lower case. Not NFKC, which makes addresses equal that are two mailboxes (`ﬁ@…` and `fi@…`): whoever
   * registers the one would be found by the other. Dots and plus tags are kept: providers differ about them.
   * @see RFC 6532 section 3.1
   */
  email: (text: string): string => text.trim().normalize("NFC").toLowerCase(),
  /** Decimal digits of any script, as ASCII; text without a digit as it is. */
  digits: (text: string): string => digitsOf(text) || text,
  /** As `digits`, with a leading plus sign if there is one: "+41 79 …" and "(079) …" stay different. */
  phone: (text: string): string => {
    const digits = digitsOf(text);
    const isInternational = /^\s*\+/u.test(text.normalize("NFKC"));
    return digits && isInternational ? `+${digits}` : digits || text;
  },
} as const;

/** "n/a" must not be found by "unknown": a caller who gets "" has to fall back to the text. */
function digitsOf(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/\P{Nd}/gu, "")
    .replace(/[^0-9]/gu, asciiDigit);
}

/** Unicode lays decimal digits out in runs from zero to nine (chapter 4.6); some runs touch each other. */
function asciiDigit(digit: string): string {
  const codePoint = digit.codePointAt(0) as number;
  let first = codePoint;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first--;
  return String((codePoint - first) % 10);
}

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` for an unknown name */
export function resolveNormalizer(normalizer: Normalizer, where: string): (text: string) => string {
  if (typeof normalizer === "function") return (text) => checkResult(normalizer(text), where);
  if (typeof normalizer !== "string") {
    const steps = normalizer.map((step) => resolveNormalizer(step, where));
    return (text) => steps.reduce((result, step) => step(result), text);
  }
  if (!Object.hasOwn(NAMED, normalizer)) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${where}: blindIndex.normalize must be a function or one of ${Object.keys(NAMED).join(", ")}.`,
    );
  }
  return NAMED[normalizer];
}

/** Node's own error would quote the value. */
function checkResult(result: unknown, where: string): string {
  if (typeof result === "string") return result;
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `${where}: blindIndex.normalize returned a value of type ${typeof result}; it must return a string.`,
  );
}
