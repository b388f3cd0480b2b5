// The content of an object that is stored as it is.
import { StorageError } from "@fieldseal/crypto";
import type { OpenBody } from "./backend.ts";
import type { ContentReader } from "./content-reader.ts";
import { release } from "./release.ts";

const STEP_BYTES: number = 1024 * 1024;

export class PlainReader implements ContentReader {
  readonly size: number;
  readonly #body: OpenBody;
  readonly #objectKey: string;

  /**
   * @param expectedBytes the length that the object was put with, if known
   * @throws {@link StorageError} `ERR_STORAGE_TRUNCATED` if it has another one
   */
  constructor(body: OpenBody, objectKey: string, expectedBytes?: number) {
    this.#body = body;
    this.#objectKey = objectKey;
    this.size = body.object.bodyBytes;
    // Negative where a file was cut within its envelope.
    this.#expect(expectedBytes ?? Math.max(0, this.size), this.size);
  }

  async readInto(target: Uint8Array, start: number): Promise<void> {
    for (let at = 0; at < target.length; at += STEP_BYTES) {
      const length = Math.min(STEP_BYTES, target.length - at);
      const bytes = await this.#body.read(start + at, length);
      this.#expect(length, bytes.length);
      target.set(bytes, at);
      release(bytes);
    }
  }

  async *stream(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    let at = start;
    for await (const piece of this.#body.stream(start, end)) {
      at += piece.length;
      // The backend fills its buffers anew, and the caller may keep what it gets.
      yield Buffer.from(piece);
    }
    this.#expect(end, at);
  }

  /** What ends early must not look like the end of the object. */
  #expect(expected: number, actual: number): void {
    if (actual === expected) return;
    throw new StorageError(
      "ERR_STORAGE_TRUNCATED",
      `The object "${this.#objectKey}", stored in plaintext, ends before its end.`,
      { objectKey: this.#objectKey },
    );
  }
}
