// The body format: FLOE with AES-256-GCM and HKDF-Expand-SHA-384, as published. Segments of equal length that open one by
// one, each bound to its place and the last one to being the last.
// @see https://c2sp.org/FLOE and https://eprint.iacr.org/2025/2275
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  randomFillSync,
  timingSafeEqual,
  type KeyObject,
} from "node:crypto";
import { StorageError } from "@fieldseal/crypto";
import {
  FLOE_HEADER_BYTES,
  FloeLayout,
  IV_BYTES,
  PARAMETER_BYTES,
  SEGMENT_IV_BYTES,
  SEGMENT_OVERHEAD_BYTES,
  SEGMENT_START_BYTES,
  SEGMENT_TAG_BYTES,
  TAG_BYTES,
} from "./floe-layout.ts";
import { release } from "./release.ts";

const NOT_FINAL = 0xffffffff;

export const DEFAULT_SEGMENT_BYTES: number = 64 * 1024;
/** A forged header must not make a reader allocate what it likes. */
export const MAX_SEGMENT_BYTES: number = 4 * 1024 * 1024;
/** The known answers go down to 64. */
const MIN_SEGMENT_BYTES: number = SEGMENT_OVERHEAD_BYTES + 1;
const MESSAGE_KEY_BYTES = 48;
const SEGMENT_KEY_BYTES = 32;
/** A segment key serves 2^20 segments: with random IVs AES-GCM stays far below NIST SP 800-38D's 2^32 uses of a key. */
const ROTATION_BITS = 20;

export interface FloeOptions {
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** What the body is bound to. */
  readonly associatedData: Uint8Array;
  /** Names the object in errors. */
  readonly objectKey: string;
  /** Only the published vectors use another than 20. */
  readonly rotationBits?: number;
}

/** Which segment. Its number is below 2^40. */
export interface SegmentPlace {
  readonly number: number;
  readonly isLast: boolean;
}

/** One body: its header, and its segments by number. */
export class Floe {
  readonly header: Buffer;
  readonly layout: FloeLayout;
  readonly #objectKey: string;
  readonly #derive: Derive;
  readonly #messageKey: KeyObject;
  readonly #rotationSpan: number;
  /** u64 number, u8 whether it is the last: written anew for each segment. */
  readonly #segmentData: Buffer = Buffer.alloc(9);
  #kept: { readonly span: number; readonly key: KeyObject } | undefined;

  private constructor(header: Buffer, derive: Derive, options: FloeOptions) {
    this.header = header;
    this.layout = new FloeLayout(header.readUInt32BE(2));
    this.#objectKey = options.objectKey;
    this.#derive = derive;
    this.#messageKey = createSecretKey(derive(options.key, "MESSAGE_KEY:", MESSAGE_KEY_BYTES));
    this.#rotationSpan = 2 ** (options.rotationBits ?? ROTATION_BITS);
  }

  /** A new body. `iv` is random but in the tests of the published vectors. */
  static create(
    options: FloeOptions,
    segmentBytes: number = DEFAULT_SEGMENT_BYTES,
    iv: Uint8Array = randomBytes(IV_BYTES),
  ): Floe {
    const start = Buffer.alloc(PARAMETER_BYTES + IV_BYTES);
    start.writeUInt32BE(segmentBytes, 2);
    start.writeUInt32BE(IV_BYTES, 6);
    start.set(iv, PARAMETER_BYTES);
    const derive = derivation(start, options.associatedData);
    const tag = derive(options.key, "HEADER_TAG:", TAG_BYTES);
    return new Floe(Buffer.concat([start, tag]), derive, options);
  }

  /**
   * The body that starts with this header.
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED`, `ERR_STORAGE_FORMAT`, `ERR_STORAGE_WRONG_KEY`
   */
  static open(header: Buffer, options: FloeOptions): Floe {
    const { objectKey } = options;
    if (header.length < FLOE_HEADER_BYTES) {
      throw bodyError(
        "ERR_STORAGE_TRUNCATED",
        objectKey,
        "it ends before its first byte of content",
      );
    }
    const segmentBytes = header.readUInt32BE(2);
    const isKnown = header.readUInt16BE(0) === 0 && header.readUInt32BE(6) === IV_BYTES;
    if (!isKnown || segmentBytes < MIN_SEGMENT_BYTES || segmentBytes > MAX_SEGMENT_BYTES) {
      throw bodyError("ERR_STORAGE_FORMAT", objectKey, "its body has no header of the format FLOE");
    }
    const start = header.subarray(0, PARAMETER_BYTES + IV_BYTES);
    const derive = derivation(start, options.associatedData);
    const tag = derive(options.key, "HEADER_TAG:", TAG_BYTES);
    if (!timingSafeEqual(tag, header.subarray(start.length, FLOE_HEADER_BYTES))) {
      throw bodyError(
        "ERR_STORAGE_WRONG_KEY",
        objectKey,
        "its body belongs to another key or object",
      );
    }
    return new Floe(header.subarray(0, FLOE_HEADER_BYTES), derive, options);
  }

  /**
   * Plaintext bytes of a body of this length.
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED` when no plaintext has such a body
   */
  plaintextBytes(bodyBytes: number): number {
    const plaintextBytes = this.layout.plaintextBytes(bodyBytes);
    if (plaintextBytes < 0) {
      throw bodyError("ERR_STORAGE_TRUNCATED", this.#objectKey, "it ends within a segment");
    }
    return plaintextBytes;
  }

  /**
   * Encrypts a segment, given in pieces, into `target` at `at`; returns its end. `iv` is random but in the tests of the
   * published vectors.
   */
  seal(
    segment: SegmentPlace,
    pieces: readonly Uint8Array[],
    target: Buffer,
    at: number,
    iv = nextIv(),
  ): number {
    const cipher = createCipheriv("aes-256-gcm", this.#segmentKey(segment.number), iv);
    cipher.setAAD(this.#associatedData(segment));
    let end = at + SEGMENT_START_BYTES;
    for (const piece of pieces) {
      const ciphertext = cipher.update(piece);
      target.set(ciphertext, end);
      end += ciphertext.length;
      release(ciphertext);
    }
    cipher.final();
    target.set(cipher.getAuthTag(), end);
    end += SEGMENT_TAG_BYTES;
    target.writeUInt32BE(segment.isLast ? end - at : NOT_FINAL, at);
    target.set(iv, at + 4);
    return end;
  }

  /**
   * The plaintext of one whole segment.
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED`, `ERR_STORAGE_TAMPERED`
   */
  open(segment: SegmentPlace, bytes: Buffer): Buffer {
    this.#checkLength(segment, bytes);
    const key = this.#segmentKey(segment.number);
    const iv = bytes.subarray(4, SEGMENT_START_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: SEGMENT_TAG_BYTES });
    decipher.setAAD(this.#associatedData(segment));
    const tagAt = bytes.length - SEGMENT_TAG_BYTES;
    decipher.setAuthTag(bytes.subarray(tagAt));
    const plaintext = decipher.update(bytes.subarray(SEGMENT_START_BYTES, tagAt));
    try {
      decipher.final();
    } catch {
      plaintext.fill(0);
      throw bodyError(
        "ERR_STORAGE_TAMPERED",
        this.#objectKey,
        `segment ${segment.number} is not what was written`,
      );
    }
    return plaintext;
  }

  #checkLength({ number, isLast }: SegmentPlace, bytes: Buffer): void {
    const { segmentBytes } = this.layout;
    const stated = bytes.length < SEGMENT_OVERHEAD_BYTES ? -1 : bytes.readUInt32BE(0);
    const isWhole = isLast ? stated === bytes.length : bytes.length === segmentBytes;
    if (isWhole && (isLast || stated === NOT_FINAL)) return;
    // The length stands outside the tag: whether it was cut or changed cannot be told, but what it looks like.
    const looksCut = isLast
      ? stated === NOT_FINAL || stated > bytes.length
      : bytes.length < segmentBytes;
    throw looksCut
      ? bodyError(
          "ERR_STORAGE_TRUNCATED",
          this.#objectKey,
          `it ends with segment ${number}, which is not the last`,
        )
      : bodyError(
          "ERR_STORAGE_TAMPERED",
          this.#objectKey,
          `segment ${number} is not what was written`,
        );
  }

  #segmentKey(number: number): KeyObject {
    const span = Math.floor(number / this.#rotationSpan);
    if (this.#kept?.span !== span) {
      const purpose = Buffer.alloc(12, "DEK:");
      purpose.writeBigUInt64BE(BigInt(span * this.#rotationSpan), 4);
      const key = this.#derive(this.#messageKey, purpose, SEGMENT_KEY_BYTES);
      this.#kept = { span, key: createSecretKey(key) };
    }
    return this.#kept.key;
  }

  #associatedData({ number, isLast }: SegmentPlace): Buffer {
    const data = this.#segmentData;
    data.writeUInt32BE(Math.floor(number / 2 ** 32), 0);
    data.writeUInt32BE(number % 2 ** 32, 4);
    data[8] = isLast ? 1 : 0;
    return data;
  }
}

type Derive = (key: Uint8Array | KeyObject, purpose: string | Uint8Array, bytes: number) => Buffer;

/** HKDF-Expand-SHA-384 for up to 48 bytes: one HMAC. RFC 5869 section 2.3. */
function derivation(parametersAndIv: Uint8Array, associatedData: Uint8Array): Derive {
  const counter = Buffer.of(1);
  return (key, purpose, bytes) =>
    createHmac("sha384", key)
      .update(parametersAndIv)
      .update(purpose)
      .update(associatedData)
      .update(counter)
      .digest()
      .subarray(0, bytes);
}

/** IVs are drawn in blocks: a call of the system's generator costs as much for 4 KB as for 12 bytes. */
const ivPool: Buffer = Buffer.allocUnsafeSlow(SEGMENT_IV_BYTES * 256);
let ivsLeft = 0;

function nextIv(): Buffer {
  if (ivsLeft === 0) {
    randomFillSync(ivPool);
    ivsLeft = 256;
  }
  ivsLeft--;
  return ivPool.subarray(ivsLeft * SEGMENT_IV_BYTES, (ivsLeft + 1) * SEGMENT_IV_BYTES);
}

function bodyError(
  code:
    | "ERR_STORAGE_TRUNCATED"
    | "ERR_STORAGE_TAMPERED"
    | "ERR_STORAGE_FORMAT"
    | "ERR_STORAGE_WRONG_KEY",
  objectKey: string,
  finding: string,
): StorageError {
  return new StorageError(code, `The object "${objectKey}" cannot be read: ${finding}.`, {
    objectKey,
  });
}
