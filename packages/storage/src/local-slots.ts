// The first 8 KiB of a file on disk: envelope and tags, twice, so that a write that is cut short leaves one of them.
// Then comes the body, byte for byte as the format says: `tail -c +8193 file`.
import { createHash } from "node:crypto";
import { StorageError } from "@fieldseal/crypto";
import type { Tags } from "./tags.ts";

export const SLOT_BYTES = 4096;
export const PREFIX_BYTES: number = 2 * SLOT_BYTES;
export const MAX_LOCAL_ENVELOPE_BYTES = 2700;

const MAGIC: Buffer = Buffer.from("FSOBJ\u0001\r\n", "latin1");
const HASH_BYTES = 32;
/** Magic, u64 generation, u16 envelope length, u16 tags length. */
const START_BYTES: number = MAGIC.length + 8 + 2 + 2;

/** What is left of a slot beside the longest envelope. */
export const MAX_LOCAL_TAG_BYTES: number =
  SLOT_BYTES - START_BYTES - MAX_LOCAL_ENVELOPE_BYTES - HASH_BYTES;

/** What one slot holds. */
export interface Slot {
  /** Grows by one with every change; the higher one counts. */
  readonly generation: bigint;
  readonly envelope: Buffer;
  readonly tags: Tags;
}

export interface Prefix extends Slot {
  /** 0 or 1: where the next change is written first. */
  readonly idleSlot: number;
  /** The slots differ: one is damaged, or a change was interrupted. */
  readonly isUneven: boolean;
}

export function encodeSlot({ generation, envelope, tags }: Slot): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  const tagBytes = Buffer.from(JSON.stringify(tags));
  slot.set(MAGIC);
  slot.writeBigUInt64BE(generation, MAGIC.length);
  slot.writeUInt16BE(envelope.length, MAGIC.length + 8);
  slot.writeUInt16BE(tagBytes.length, MAGIC.length + 10);
  slot.set(envelope, START_BYTES);
  slot.set(tagBytes, START_BYTES + envelope.length);
  slot.set(checksum(slot), SLOT_BYTES - HASH_BYTES);
  return slot;
}

/**
 * Undefined when a file does not begin like this: another program wrote it.
 * @throws {@link StorageError} `ERR_STORAGE_FORMAT` when it does, but both slots are damaged
 */
export function decodePrefix(bytes: Buffer, objectKey: string): Prefix | undefined {
  const slots = [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
  const [first, second] = slots;
  if (first === undefined && second === undefined) {
    const isOurs = [0, SLOT_BYTES].some((at) => isMagic(bytes.subarray(at)));
    if (!isOurs) return undefined;
    throw new StorageError(
      "ERR_STORAGE_FORMAT",
      `Both copies of the envelope of "${objectKey}" are damaged. The body may be intact: restore the first 8 KiB of the file.`,
      { objectKey },
    );
  }
  const isFirst =
    second === undefined || (first !== undefined && first.generation >= second.generation);
  const isUneven = !bytes.subarray(0, SLOT_BYTES).equals(bytes.subarray(SLOT_BYTES, PREFIX_BYTES));
  return { ...((isFirst ? first : second) as Slot), idleSlot: isFirst ? 1 : 0, isUneven };
}

function decodeSlot(bytes: Buffer): Slot | undefined {
  if (bytes.length < SLOT_BYTES || !isMagic(bytes)) return undefined;
  const slot = bytes.subarray(0, SLOT_BYTES);
  if (!checksum(slot).equals(slot.subarray(SLOT_BYTES - HASH_BYTES))) return undefined;
  const tagsAt = START_BYTES + slot.readUInt16BE(MAGIC.length + 8);
  const tagsEnd = tagsAt + slot.readUInt16BE(MAGIC.length + 10);
  const tags = decodeTags(slot.toString("utf8", tagsAt, tagsEnd));
  if (tags === undefined || tagsEnd > SLOT_BYTES - HASH_BYTES) return undefined;
  const envelope = Buffer.from(slot.subarray(START_BYTES, tagsAt));
  return { generation: slot.readBigUInt64BE(MAGIC.length), envelope, tags };
}

/** Undefined for what {@link encodeSlot} does not write. */
function decodeTags(text: string): Tags | undefined {
  try {
    const tags = JSON.parse(text) as unknown;
    if (typeof tags !== "object" || tags === null) return undefined;
    return Object.values(tags).every((value) => typeof value === "string")
      ? (tags as Tags)
      : undefined;
  } catch {
    return undefined;
  }
}

function isMagic(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

/** Against torn writes only: whoever can change the file can compute it. What is authentic, the envelope tells. */
function checksum(slot: Buffer): Buffer {
  return createHash("sha256")
    .update(slot.subarray(0, SLOT_BYTES - HASH_BYTES))
    .digest();
}

/** Changes with envelope and tags. */
export function versionOf({ envelope, tags }: Pick<Slot, "envelope" | "tags">): string {
  return createHash("sha256").update(envelope).update(JSON.stringify(tags)).digest("base64url");
}
