// The Range header, as far as a single range goes: what players and downloads send.
// @see RFC 9110 section 14
import type { Span } from "./byte-range.ts";

const RANGE: RegExp = /^bytes=(\d*)-(\d*)$/i;

/**
 * The bytes to send; undefined for all of them, which is also the answer to a header that is malformed or asks for
 * several ranges (RFC 9110 section 14.2 allows to ignore it); `"unsatisfiable"` where 416 is the answer.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): Span | "unsatisfiable" | undefined {
  const match = RANGE.exec(header?.replaceAll(" ", "") ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const suffix = Math.min(Number(last), size);
    return suffix === 0 ? "unsatisfiable" : { start: size - suffix, end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}
