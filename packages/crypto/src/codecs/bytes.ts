import { ValueTypeError } from "../errors.ts";
import type { ValueCodec } from "./codec.ts";
import { kindOf } from "./text.ts";

/** Bytes as they are. Reads give a Buffer with memory of its own. */
export const bytesCodec: ValueCodec<Buffer> = {
  content: "bytes",
  storage: "binary",
  encode: encodeBytes,
  read: readBytes,
  encodeLegacy: encodeBytes,
  readLegacy: readBytes,
  isEqual: (a, b) => Buffer.compare(a, b) === 0,
};

function encodeBytes(value: unknown, where: string): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    const kind = kindOf(value);
    throw new ValueTypeError(
      "ERR_VALUE_TYPE",
      `${where} takes a Buffer or Uint8Array, not ${kind}.`,
    );
  }
  return value;
}

function readBytes(buffer: Buffer, start: number, end: number): Buffer {
  // Not from Node's pool, where neighbours could be reached through `.buffer`.
  const copy = Buffer.allocUnsafeSlow(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}
