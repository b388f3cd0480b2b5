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
  /** Trimmed, NFKC, lower case. Dots and plus tags are kept: providers differ about them. */
  email: (text: string): string => text.trim().normalize("NFKC").toLowerCase(),
  /** Digits only. */
  digits: (text: string): string => text.normalize("NFKC").replace(/\D/gu, ""),
  /** Digits, with a leading plus sign if there is one: "+41 79 …" and "(079) …" stay different. */
  phone: (text: string): string =>
    (/^\s*\+/u.test(text) ? "+" : "") + text.normalize("NFKC").replace(/\D/gu, ""),
} as const;

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` for an unknown name */
export function resolveNormalizer(normalizer: Normalizer, where: string): (text: string) => string {
  if (typeof normalizer === "function") return normalizer;
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
