// The contract of a suite's engine: one instance per derived key, working on bodies in place.

/** Turns authenticated plaintext bytes `buffer[start..end)` into a value; copies what it keeps. */
export type PlaintextReader<T> = (buffer: Buffer, start: number, end: number) => T;

/** Where a body stands in a buffer. */
export interface BodyRange {
  readonly start: number;
  readonly lengthBytes: number;
}

/**
 * Authenticated encryption of bodies under one derived key.
 *
 * A body is `nonce or IV | ciphertext | tag`, sizes fixed by the suite. Mistakes an implementer makes: letting
 * the cipher see a byte before the tag is checked (a padding oracle), comparing tags with an early exit, and
 * going on with a cipher object that threw.
 */
export interface Aead {
  /** Where the plaintext stands in a body before {@link Aead.seal}, in bytes from its start. */
  readonly plaintextAt: number;
  /** The most bytes by which a body is longer than its plaintext. */
  readonly overheadBytes: number;

  /**
   * Encrypts the plaintext at `buffer[start + plaintextAt ..]` in place; returns the body's length in bytes.
   * The buffer has room for `plaintextBytes + overheadBytes` bytes from `start`.
   */
  seal(buffer: Buffer, start: number, plaintextBytes: number, associatedData: Buffer): number;

  /** The value that `read` makes of the plaintext; undefined, without a reason, when the body is not authentic. */
  open<T>(
    buffer: Buffer,
    body: BodyRange,
    associatedData: Buffer,
    read: PlaintextReader<T>,
  ): T | undefined;

  /** {@link Aead.seal} for many bodies, whose ranges give the plaintext lengths. Returns the body lengths. */
  sealMany(buffer: Buffer, plaintexts: readonly BodyRange[], associatedData: Buffer): number[];

  /**
   * {@link Aead.openMany} straight from the base64 texts of short envelopes that all have this associated data's
   * header. Undefined, with nothing opened, when a text is not canonical or has an impossible length: the caller
   * then finds out which. For suites that gain by it.
   */
  openTexts?<T>(
    texts: readonly string[],
    associatedData: Buffer,
    read: PlaintextReader<T>,
  ): (T | undefined)[] | undefined;

  /** {@link Aead.open} for many bodies: undefined at the position of each that is not authentic. */
  openMany<T>(
    buffer: Buffer,
    bodies: readonly BodyRange[],
    associatedData: Buffer,
    read: PlaintextReader<T>,
  ): (T | undefined)[];
}

/** Base of the suites that gain nothing from a batch. */
export abstract class OneByOneAead implements Aead {
  abstract readonly plaintextAt: number;
  abstract readonly overheadBytes: number;
  abstract seal(buffer: Buffer, start: number, plaintextBytes: number, ad: Buffer): number;
  abstract open<T>(
    buffer: Buffer,
    body: BodyRange,
    ad: Buffer,
    read: PlaintextReader<T>,
  ): T | undefined;

  sealMany(buffer: Buffer, plaintexts: readonly BodyRange[], ad: Buffer): number[] {
    return plaintexts.map(({ start, lengthBytes }) => this.seal(buffer, start, lengthBytes, ad));
  }

  openMany<T>(
    buffer: Buffer,
    bodies: readonly BodyRange[],
    ad: Buffer,
    read: PlaintextReader<T>,
  ): (T | undefined)[] {
    return bodies.map((body) => this.open(buffer, body, ad, read));
  }
}
