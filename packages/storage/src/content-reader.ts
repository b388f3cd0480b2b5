// What opens in different ways, read in one.

export interface ContentReader {
  /** Plaintext bytes. */
  readonly size: number;
  /** Fills `target` with the bytes from `start`: as many as there are, or the caller asked for too much. */
  readInto(target: Uint8Array, start: number): Promise<void>;
  /** Bytes from `start` up to, not including, `end`, which is at most the size. A piece belongs to the caller. */
  stream(start: number, end: number): AsyncIterable<Buffer>;
}
