// JSON text can hold numbers that JavaScript rounds (20-digit ids, NUMERIC in a jsonb). Sealing what was parsed would lose
// their digits for good, so such values are left as they are, and reported.
import { ValueTypeError, type ColumnCipher } from "@fieldseal/crypto";

/** No double has more than 17 significant digits; shorter runs of digits always survive up to 15. */
const MAY_BE_ROUNDED = /\d[\d.]{15,}|\d[eE]/;

/** @throws {@link ValueTypeError} `ERR_VALUE_ENCODING` */
export function refuseLossyJson(cipher: ColumnCipher<unknown>, stored: string | Buffer): void {
  if (cipher.codec.content !== "json") return;
  const text = stored.toString();
  if (!MAY_BE_ROUNDED.test(text) || isLossless(text)) return;
  throw new ValueTypeError(
    "ERR_VALUE_ENCODING",
    `${cipher.label}: a stored JSON value holds a number that JavaScript would round.`,
  );
}

function isLossless(text: string): boolean {
  let isSame = true;
  // The reviver's third argument, in V8 since 11.4, is not in TypeScript's library yet.
  const reviver = (
    _key: string,
    value: unknown,
    context?: { readonly source?: string },
  ): unknown => {
    if (typeof value === "number" && context?.source !== undefined) {
      isSame &&= decimal(context.source) === decimal(String(value));
    }
    return value;
  };
  try {
    JSON.parse(text, reviver);
    return isSame;
  } catch {
    return true; // no JSON: opening it has been reported already
  }
}

/** Digits without leading and trailing zeros, and where the point stands: 1.50 and 15e-1 are one number. */
function decimal(number: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = parts ?? [];
  const all = (whole + fraction).replace(/^0+/, "");
  const digits = all.replace(/0+$/, "");
  if (digits === "") return "0";
  return `${sign}${digits}e${Number(exponent) - fraction.length + all.length - digits.length}`;
}
