// Writes envelopes under one key: plaintext into place, padding, suite, header, stored form.
import type { Encoded } from "./codecs/codec.ts";
import { columnAead } from "./column-keys.ts";
import { encodeContext, type ColumnContext } from "./context.ts";
import { encodeHeader, HEADER_BYTES, type ContentType, type SuiteName } from "./envelope.ts";
import { ValueRangeError } from "./errors.ts";
import { writeUtf8 } from "./fast-buffer.ts";
import type { Key } from "./key.ts";
import { addPadding, paddedLength, type PadOption } from "./padding.ts";
import { toStored, type StorageForm, type Stored } from "./stored-form.ts";
import type { Aead, BodyRange } from "./suites/aead.ts";
import { workspace } from "./workspace.ts";

/** 256 MiB: its base64 still fits a JavaScript string and a PostgreSQL field. */
export const MAX_PLAINTEXT_BYTES: number = 2 ** 28;
/** Values are sealed and opened in batches of about this many bytes, so that a batch stays in the CPU's cache. */
export const BATCH_BYTES: number = 256 * 1024;
/** Above it, measuring a string beats reserving three bytes a character. */
const LONG_STRING = 8192;

export interface SealerOptions {
  readonly suite: SuiteName;
  readonly key: Key;
  readonly context: ColumnContext;
  readonly content: ContentType;
  readonly pad: PadOption | undefined;
  readonly storage: StorageForm;
}

export class EnvelopeSealer {
  readonly #aead: Aead;
  readonly #header: Buffer;
  readonly #associatedData: Buffer;
  readonly #pad: PadOption | undefined;
  readonly #storage: StorageForm;
  readonly #context: ColumnContext;

  constructor(options: SealerOptions) {
    const { suite, key, context, content, pad, storage } = options;
    this.#aead = columnAead(suite, key, context);
    this.#header = encodeHeader({
      suite,
      keyId: key.idNumber,
      content,
      isPadded: pad !== undefined,
    });
    this.#associatedData = Buffer.concat([this.#header, encodeContext(context)]);
    this.#pad = pad;
    this.#storage = storage;
    this.#context = context;
  }

  /** @throws {@link ValueRangeError} `ERR_VALUE_TOO_LARGE` */
  seal(value: Encoded, row?: string): Stored {
    const ad = row === undefined ? this.#associatedData : this.#withRow(row);
    const buffer = workspace(this.#slotBytes(value));
    const plaintextBytes = this.#writePlaintext(buffer, 0, value);
    const bodyBytes = this.#aead.seal(buffer, HEADER_BYTES, plaintextBytes, ad);
    return this.#finish(buffer, 0, bodyBytes);
  }

  /** {@link EnvelopeSealer.seal} for each value, with one cipher call per batch. */
  sealMany(values: readonly Encoded[]): Stored[] {
    const out: Stored[] = [];
    let batch: Encoded[] = [];
    let bytes = 0;
    for (const value of values) {
      const slotBytes = this.#slotBytes(value);
      if (bytes + slotBytes > BATCH_BYTES && batch.length > 0) {
        this.#sealBatch(batch, bytes, out);
        batch = [];
        bytes = 0;
      }
      batch.push(value);
      bytes += slotBytes;
    }
    if (batch.length > 0) this.#sealBatch(batch, bytes, out);
    return out;
  }

  #sealBatch(values: readonly Encoded[], batchBytes: number, out: Stored[]): void {
    const buffer = workspace(batchBytes);
    const plaintexts: BodyRange[] = [];
    let at = 0;
    for (const value of values) {
      const lengthBytes = this.#writePlaintext(buffer, at, value);
      plaintexts.push({ start: at + HEADER_BYTES, lengthBytes });
      at += HEADER_BYTES + lengthBytes + this.#aead.overheadBytes;
    }
    const bodyLengths = this.#aead.sealMany(buffer, plaintexts, this.#associatedData);
    plaintexts.forEach(({ start }, i) => {
      out.push(this.#finish(buffer, start - HEADER_BYTES, bodyLengths[i] as number));
    });
  }

  /** The most bytes that the envelope of this value takes. */
  #slotBytes(value: Encoded): number {
    let plaintextBytes: number;
    if (typeof value !== "string") plaintextBytes = value.length;
    else if (value.length <= LONG_STRING) plaintextBytes = value.length * 3;
    else plaintextBytes = Buffer.byteLength(value);
    if (plaintextBytes > MAX_PLAINTEXT_BYTES) {
      throw new ValueRangeError(
        `A value of ${this.#context.table}.${this.#context.column} has more than ${MAX_PLAINTEXT_BYTES} bytes. ` +
          "Store it as a file (@fieldseal/storage) and keep its id in the column.",
      );
    }
    if (this.#pad !== undefined) plaintextBytes = paddedLength(plaintextBytes, this.#pad);
    return HEADER_BYTES + plaintextBytes + this.#aead.overheadBytes;
  }

  #writePlaintext(buffer: Buffer, envelopeAt: number, value: Encoded): number {
    const at = envelopeAt + HEADER_BYTES + this.#aead.plaintextAt;
    let lengthBytes: number;
    if (typeof value === "string") {
      lengthBytes = writeUtf8(buffer, value, at);
    } else {
      buffer.set(value, at);
      lengthBytes = value.length;
    }
    return this.#pad === undefined ? lengthBytes : addPadding(buffer, at, lengthBytes, this.#pad);
  }

  #finish(buffer: Buffer, at: number, bodyBytes: number): Stored {
    buffer.set(this.#header, at);
    return toStored(buffer, at, at + HEADER_BYTES + bodyBytes, this.#storage);
  }

  #withRow(row: string): Buffer {
    return Buffer.concat([this.#header, encodeContext({ ...this.#context, row })]);
  }
}
