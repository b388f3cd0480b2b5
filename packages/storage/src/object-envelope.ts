// What stands beside a body: which object it is, its wrapped data key, and its encrypted metadata. Layout in
// docs/reference/format.md, section 13. Changing the key that wraps changes this and never the body.
import { StorageError } from "@fieldseal/crypto";

const VERSION = 1;
const OBJECT_ID_BYTES = 16;
/** u8 version, u8 protection, object id, u16 length of the wrapped key. */
const START_BYTES: number = 2 + OBJECT_ID_BYTES + 2;

/** The second byte of an envelope. */
const PROTECTIONS = ["plaintext", "encrypted"] as const;

export interface ObjectEnvelope {
  readonly protection: "encrypted" | "plaintext";
  /** 16 random bytes. */
  readonly objectId: Buffer;
  /** A Fieldseal envelope (version 1) of the 32-byte data key; empty for plaintext. */
  readonly wrappedKey: Buffer;
  /** Nonce, ciphertext and tag; the metadata itself for plaintext. */
  readonly metadata: Buffer;
}

export function encodeObjectEnvelope(envelope: ObjectEnvelope): Buffer {
  const { protection, objectId, wrappedKey, metadata } = envelope;
  const start = Buffer.alloc(START_BYTES);
  start[0] = VERSION;
  start[1] = PROTECTIONS.indexOf(protection);
  start.set(objectId, 2);
  start.writeUInt16BE(wrappedKey.length, 2 + OBJECT_ID_BYTES);
  return Buffer.concat([start, wrappedKey, metadata]);
}

/** @throws {@link StorageError} `ERR_STORAGE_FORMAT` */
export function decodeObjectEnvelope(bytes: Buffer, objectKey: string): ObjectEnvelope {
  const protection = PROTECTIONS[bytes[1] ?? PROTECTIONS.length];
  const isKnown = bytes.length > START_BYTES && bytes[0] === VERSION && protection !== undefined;
  const keyEnd = isKnown ? START_BYTES + bytes.readUInt16BE(2 + OBJECT_ID_BYTES) : 0;
  if (!isKnown || keyEnd >= bytes.length) {
    throw new StorageError(
      "ERR_STORAGE_FORMAT",
      `The object "${objectKey}" has an envelope that this version cannot read. Was it written by a newer one?`,
      { objectKey },
    );
  }
  return {
    protection,
    objectId: bytes.subarray(2, 2 + OBJECT_ID_BYTES),
    wrappedKey: bytes.subarray(START_BYTES, keyEnd),
    metadata: bytes.subarray(keyEnd),
  };
}
