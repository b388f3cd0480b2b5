// PostgreSQL's binary array format. `pg` sends a Buffer as a binary parameter, so an array made here needs no
// escaping and no parsing: 20 to 50 % more rows a second than text arrays.
// @see PostgreSQL source, src/backend/utils/adt/arrayfuncs.c, array_recv

const TEXT_OID = 25;
const BYTEA_OID = 17;
const XID_OID = 28;
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;

/** `text[]` */
export function textArray(values: readonly (string | null)[]): Buffer {
  const lengths = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)));
  return build(TEXT_OID, values, lengths, (target, at, value) => target.write(value, at));
}

/** `bytea[]` */
export function byteaArray(values: readonly (Uint8Array | null)[]): Buffer {
  const lengths = values.map((value) => value?.length ?? 0);
  return build(BYTEA_OID, values, lengths, (target, at, value) => void target.set(value, at));
}

/** `xid[]`, from the decimal text that `xmin::text` gives. */
export function xidArray(values: readonly string[]): Buffer {
  const lengths = values.map(() => 4);
  return build(XID_OID, values, lengths, (target, at, value) =>
    target.writeUInt32BE(Number(value), at),
  );
}

function build<T>(
  oid: number,
  values: readonly (T | null)[],
  lengths: readonly number[],
  write: (target: Buffer, at: number, value: T) => unknown,
): Buffer {
  const size = lengths.reduce((sum, length) => sum + 4 + length, 0);
  const target = Buffer.alloc(values.length === 0 ? 12 : HEADER_BYTES + size);
  target.writeInt32BE(values.length === 0 ? 0 : 1, 0); // dimensions
  target.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  target.writeInt32BE(oid, 8);
  if (values.length === 0) return target;
  target.writeInt32BE(values.length, 12);
  target.writeInt32BE(1, 16); // lower bound
  let at = HEADER_BYTES;
  values.forEach((value, i) => {
    target.writeInt32BE(value === null ? NULL_LENGTH : (lengths[i] as number), at);
    at += 4;
    if (value === null) return;
    write(target, at, value);
    at += lengths[i] as number;
  });
  return target;
}
