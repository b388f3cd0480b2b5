// Ranges as callers give them (both ends included) and as the readers take them (end excluded).
import { StorageError } from "@fieldseal/crypto";
import type { ByteRange } from "./contract.ts";

export interface Span {
  readonly start: number;
  /** Not included. */
  readonly end: number;
}

/** @throws {@link StorageError} `ERR_STORAGE_RANGE` */
export function spanOf(range: ByteRange | undefined, size: number, objectKey: string): Span {
  if (range === undefined) return { start: 0, end: size };
  const { start, end = size - 1 } = range;
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0;
  if (!isRange || start >= size || end < start) {
    throw new StorageError(
      "ERR_STORAGE_RANGE",
      `Bytes ${start} to ${range.end ?? "the end"} were asked of "${objectKey}", which has ${size}.`,
      { objectKey },
    );
  }
  return { start, end: Math.min(end, size - 1) + 1 };
}
