// Hiding the length of a value: ISO/IEC 7816-4 padding (0x80, then zeros) up to a step, before encryption.
import { ConfigError } from "./errors.ts";

/** A multiple in bytes (2 to 65536), or Padmé: from 64 bytes on at most 12.5 % more, hiding all but O(log log) bits of the length. */
export type PadOption = number | "padme";

const MARK = 0x80;
const MAX_STEP_BYTES = 65536;

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
export function checkPad(pad: unknown, where: string): void {
  const isStep = Number.isInteger(pad) && (pad as number) >= 2 && (pad as number) <= MAX_STEP_BYTES;
  if (pad !== undefined && pad !== "padme" && !isStep) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${where}: pad must be "padme" or a whole number of bytes from 2 to ${MAX_STEP_BYTES}.`,
    );
  }
}

/** Length after padding, in bytes; always more than before, for the mark. */
export function paddedLength(lengthBytes: number, pad: PadOption): number {
  const marked = lengthBytes + 1;
  return pad === "padme" ? padmeLength(marked) : Math.ceil(marked / pad) * pad;
}

/** @see Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019, algorithm 1 */
function padmeLength(lengthBytes: number): number {
  if (lengthBytes < 2) return lengthBytes;
  const exponent = Math.floor(Math.log2(lengthBytes));
  const exponentBits = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - exponentBits);
  return Math.ceil(lengthBytes / step) * step;
}

/** Pads `buffer[start .. start + lengthBytes)`; returns the new length. */
export function addPadding(
  buffer: Buffer,
  start: number,
  lengthBytes: number,
  pad: PadOption,
): number {
  const padded = paddedLength(lengthBytes, pad);
  buffer[start + lengthBytes] = MARK;
  buffer.fill(0, start + lengthBytes + 1, start + padded);
  return padded;
}

/** End of the value in `buffer[start..end)`, or -1 without a mark. Runs on authenticated bytes only. */
export function removePadding(buffer: Buffer, start: number, end: number): number {
  let at = end - 1;
  while (at >= start && buffer[at] === 0) at--;
  return at >= start && buffer[at] === MARK ? at : -1;
}
