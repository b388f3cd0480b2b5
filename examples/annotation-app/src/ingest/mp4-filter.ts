// An MP4 file on its way into the store, box by box: the length is read from it, and boxes that hold metadata (position,
// device, author) are emptied. Sizes stay as they are, so that the offsets inside the file still hold.
// Box layout: ISO/IEC 14496-12, section 4.2; movie header: section 8.2.2.
import { Transform, type TransformCallback } from "node:stream";
import { Problem } from "../http/problem.ts";

const HEADER_BYTES = 8;
const LARGE_HEADER_BYTES = 16;
/** The index of a clip of hours is a few megabytes; this bounds the memory. */
const MAX_INDEX_BYTES = 32 * 1024 * 1024;

const METADATA_BOXES = new Set(["udta", "meta", "uuid"]);
/** Boxes that hold boxes, on the way from the index to where metadata may stand. */
const CONTAINERS = new Set(["trak", "mdia", "minf", "stbl", "edts"]);

/** Whether a file starts like an MP4: its first box says which kind. */
export function isMp4(head: Buffer): boolean {
  return head.toString("latin1", 4, 8) === "ftyp";
}

type State =
  | { readonly kind: "header" }
  | { readonly kind: "pass"; left: number; readonly isEmptied: boolean }
  | { readonly kind: "index"; readonly size: number };

export class Mp4Filter extends Transform {
  #state: State = { kind: "header" };
  #buffer: Buffer = Buffer.alloc(0);
  #durationSeconds: number | undefined;
  readonly #removed = new Set<string>();

  /** @throws {@link Problem} 422 when the file had no index */
  get durationSeconds(): number {
    if (this.#durationSeconds === undefined) throw damaged();
    return this.#durationSeconds;
  }

  get removedMetadata(): readonly string[] {
    return [...this.#removed];
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    try {
      while (this.#step());
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const isWhole =
      this.#buffer.length === 0 &&
      (this.#state.kind === "header" ||
        (this.#state.kind === "pass" && this.#state.left === Infinity));
    done(isWhole && this.#durationSeconds !== undefined ? null : damaged());
  }

  /** @returns false when more bytes are needed */
  #step(): boolean {
    const state = this.#state;
    if (state.kind === "header") return this.#readHeader();
    if (state.kind === "index") return this.#readIndex(state.size);
    if (this.#buffer.length === 0) return false;
    const part = this.#take(Math.min(state.left, this.#buffer.length));
    this.push(state.isEmptied ? Buffer.alloc(part.length) : part);
    state.left -= part.length;
    if (state.left === 0) this.#state = { kind: "header" };
    return true;
  }

  #readHeader(): boolean {
    if (this.#buffer.length < LARGE_HEADER_BYTES) return this.#readShortTail();
    const { type, size, headerBytes } = headerAt(this.#buffer, 0);
    if (size < headerBytes) throw damaged();
    if (type === "moov") {
      if (size > MAX_INDEX_BYTES) throw damaged();
      this.#state = { kind: "index", size };
      return true;
    }
    const isEmptied = METADATA_BOXES.has(type);
    const header = Buffer.from(this.#take(headerBytes));
    if (isEmptied) this.#empty(header, 0);
    this.push(header);
    this.#state = { kind: "pass", left: size - headerBytes, isEmptied };
    if (size === headerBytes) this.#state = { kind: "header" };
    return true;
  }

  /** Boxes of 8 to 15 bytes at the very end. */
  #readShortTail(): boolean {
    if (this.#buffer.length < HEADER_BYTES) return false;
    const size = this.#buffer.readUInt32BE(0);
    if (size < HEADER_BYTES || size > this.#buffer.length) return false;
    this.push(this.#take(size));
    return true;
  }

  #readIndex(size: number): boolean {
    if (this.#buffer.length < size) return false;
    const index = Buffer.from(this.#take(size));
    this.#walk(index, headerAt(index, 0).headerBytes, index.length);
    this.push(index);
    this.#state = { kind: "header" };
    return true;
  }

  #walk(index: Buffer, from: number, to: number): void {
    for (let at = from; at + HEADER_BYTES <= to;) {
      const { type, size, headerBytes } = headerAt(index, at);
      if (size < headerBytes || at + size > to) throw damaged();
      if (METADATA_BOXES.has(type)) {
        this.#empty(index, at);
        index.fill(0, at + headerBytes, at + size);
      } else if (type === "mvhd") {
        this.#durationSeconds = durationOf(index.subarray(at + headerBytes, at + size));
      } else if (CONTAINERS.has(type)) this.#walk(index, at + headerBytes, at + size);
      at += size;
    }
  }

  /** A box of type "free" is one that players skip. */
  #empty(bytes: Buffer, at: number): void {
    this.#removed.add("clip metadata");
    bytes.write("free", at + 4, "latin1");
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }
}

interface BoxHeader {
  readonly type: string;
  /** Of the whole box; Infinity for one that goes on to the end of the file. */
  readonly size: number;
  readonly headerBytes: number;
}

function headerAt(bytes: Buffer, at: number): BoxHeader {
  const type = bytes.toString("latin1", at + 4, at + 8);
  const short = bytes.readUInt32BE(at);
  if (short === 0) return { type, size: Infinity, headerBytes: HEADER_BYTES };
  if (short !== 1) return { type, size: short, headerBytes: HEADER_BYTES };
  if (at + LARGE_HEADER_BYTES > bytes.length) throw damaged();
  const size = Number(bytes.readBigUInt64BE(at + HEADER_BYTES));
  return { type, size, headerBytes: LARGE_HEADER_BYTES };
}

/** Version 1 has 64-bit times. */
function durationOf(header: Buffer): number {
  const isLong = header[0] === 1;
  if (header.length < (isLong ? 32 : 20)) throw damaged();
  const timescale = header.readUInt32BE(isLong ? 20 : 12);
  const duration = isLong ? Number(header.readBigUInt64BE(24)) : header.readUInt32BE(16);
  if (timescale === 0) throw damaged();
  return duration / timescale;
}

function damaged(): Problem {
  return new Problem(422, "DAMAGED", "The clip is damaged, or no MP4 file.");
}
