// PostgreSQL's binary array format. `pg` sends a Buffer as a binary parameter, so an array made here needs no
// escaping and no parsing: 20 to 50 % more rows a second than text arrays.
// @see PostgreSQL source, src/backend/utils/adt/arrayfuncs.c, array_recv

const TEXT_OID = 25;
const BYTEA_OID = 17;
const XID_OID = 28;
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;

/** `text[]`. */
export function textArray(values: readonly (string | null)[], room = newRoom): Buffer {
  const lengths = values.map((value) => (value === null ? 0 : Buffer.byteLength(value)));
  return build(TEXT_OID, { values, lengths, room }, (target, at, value) => target.write(value, at));
}

/** `bytea[]`. */
export function byteaArray(values: readonly (Uint8Array | null)[], room = newRoom): Buffer {
  const lengths = values.map((value) => value?.length ?? 0);
  return build(BYTEA_OID, { values, lengths, room }, (target, at, value) => target.set(value, at));
}

/** `xid[]`, from the decimal text that `xmin::text` gives. */
export function xidArray(values: readonly string[]): Buffer {
  const lengths = values.map(() => 4);
  return build(XID_OID, { values, lengths, room: newRoom }, (target, at, value) =>
    target.writeUInt32BE(Number(value), at),
  );
}

/** Where an array of so many bytes is made; whatever was there is overwritten. */
export type Room = (sizeBytes: number) => Buffer;

const newRoom: Room = (sizeBytes) => Buffer.allocUnsafeSlow(sizeBytes);

/**
 * Room for one array after the other: for what is sent before the next one is made. Each megabyte that is allocated for
 * a moment brings Node's next garbage collection nearer, which costs a run as much as encrypting does.
 */
export function reusedRoom(): Room {
  let room = Buffer.alloc(0);
  return (sizeBytes) => {
    if (room.length < sizeBytes) room = Buffer.allocUnsafeSlow(Math.ceil(sizeBytes * 1.25));
    return room.subarray(0, sizeBytes);
  };
}

function build<T>(
  oid: number,
  {
    values,
    lengths,
    room,
  }: {
    readonly values: readonly (T | null)[];
    readonly lengths: readonly number[];
    readonly room: Room;
  },
  write: (target: Buffer, at: number, value: T) => unknown,
): Buffer {
  const size = lengths.reduce((sum, length) => sum + 4 + length, 0);
  const target = room(values.length === 0 ? 12 : HEADER_BYTES + size);
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
