// Where everything lies in a FLOE body: lengths and offsets, no cryptography.
// @see https://c2sp.org/FLOE

/** 0 AES-256-GCM, 0 HKDF-Expand-SHA-384, u32 segment length, u32 length of the IV: the parameters of the format. */
export const PARAMETER_BYTES: number = 10;
export const IV_BYTES: number = 32;
export const TAG_BYTES: number = 32;
export const FLOE_HEADER_BYTES: number = PARAMETER_BYTES + IV_BYTES + TAG_BYTES;

export const SEGMENT_IV_BYTES: number = 12;
export const SEGMENT_TAG_BYTES: number = 16;
/** u32 length, IV; then ciphertext; then tag. */
export const SEGMENT_START_BYTES: number = 4 + SEGMENT_IV_BYTES;
export const SEGMENT_OVERHEAD_BYTES: number = SEGMENT_START_BYTES + SEGMENT_TAG_BYTES;

/** How a length of plaintext lies in segments. Throws nothing; {@link Floe} refuses impossible lengths. */
export class FloeLayout {
  readonly segmentBytes: number;
  /** Plaintext of every segment but the last. */
  readonly plainBytes: number;

  constructor(segmentBytes: number) {
    this.segmentBytes = segmentBytes;
    this.plainBytes = segmentBytes - SEGMENT_OVERHEAD_BYTES;
  }

  bodyBytes(plaintextBytes: number): number {
    const segments = Math.max(1, Math.ceil(plaintextBytes / this.plainBytes));
    return FLOE_HEADER_BYTES + plaintextBytes + segments * SEGMENT_OVERHEAD_BYTES;
  }

  /** Number of segments of a body. */
  segmentsIn(bodyBytes: number): number {
    return Math.max(1, Math.ceil((bodyBytes - FLOE_HEADER_BYTES) / this.segmentBytes));
  }

  /** Negative when no plaintext has a body of this length. */
  plaintextBytes(bodyBytes: number): number {
    const segments = this.segmentsIn(bodyBytes);
    const last = bodyBytes - this.offsetOf(segments - 1) - SEGMENT_OVERHEAD_BYTES;
    // An empty last segment stands alone, or where the writer did not know that it had come to the end.
    return last < 0 ? -1 : (segments - 1) * this.plainBytes + last;
  }

  /** Where a segment starts in the body. */
  offsetOf(segment: number): number {
    return FLOE_HEADER_BYTES + segment * this.segmentBytes;
  }

  segmentAt(plaintextOffset: number): number {
    return Math.floor(plaintextOffset / this.plainBytes);
  }
}
