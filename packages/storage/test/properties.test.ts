// Whatever the size, the pieces it comes in and the part that is asked for: what is read is that part of what was put.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import fc from "fast-check";
import { BodyReader } from "../src/body-reader.ts";
import { sealBody } from "../src/body-writer.ts";
import { Floe } from "../src/floe.ts";
import { bodyOf, collect, readFrom } from "./support/bodies.ts";

const SEGMENT = 65_504;
const OVERHEAD = 32;

/** In pieces of these lengths, again and again; empty ones among them. */
async function* inPieces(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] as number;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** At least one of them is not empty. */
const pieceLengths = (longest: number): fc.Arbitrary<number[]> =>
  fc
    .array(fc.nat(longest), { minLength: 0, maxLength: 5 })
    .chain((some) => fc.integer({ min: 1, max: longest }).map((last) => [...some, last]));

/** Whole numbers up to some segments, often beside the end of one. */
const sizes = (segment: number, segments: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.nat(segment * segments),
    fc
      .tuple(fc.integer({ min: 1, max: segments }), fc.integer({ min: -2, max: 2 }))
      .map(([count, beside]) => Math.max(0, count * segment + beside)),
  );

/** Two places in what is that long; what is between them is a range. */
const spans = (size: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);

describe("any part of any object", () => {
  it("is that part of what was sealed: size, segments, pieces, range and pieces of the store at random", async () => {
    const cases = fc.integer({ min: 1, max: 400 }).chain((plainBytes) =>
      sizes(plainBytes, 6).chain((size) =>
        fc.record({
          segmentBytes: fc.constant(plainBytes + OVERHEAD),
          size: fc.constant(size),
          lengths: pieceLengths(1000),
          span: spans(size),
          storePieceBytes: fc.integer({ min: 1, max: 1500 }),
        }),
      ),
    );
    const property = fc.asyncProperty(
      cases,
      async ({ segmentBytes, size, lengths, span: [start, end], storePieceBytes }) => {
        const plaintext = randomBytes(size);
        const options = { key: randomBytes(32), associatedData: Buffer.of(1), objectKey: "k" };
        const floe = Floe.create(options, segmentBytes);
        const body = await collect(sealBody(floe, inPieces(plaintext, lengths)));
        expect(body.length).to.equal(floe.layout.bodyBytes(size));
        const reader = new BodyReader(Floe.open(body, options), bodyOf(body, storePieceBytes));
        await reader.checkEnd();
        expect(reader.size).to.equal(size);
        const part = plaintext.subarray(start, end);
        expect((await readFrom(reader, start, end)).equals(part)).to.equal(true);
        expect((await collect(reader.stream(start, end))).equals(part)).to.equal(true);
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });

  describe("on disk", () => {
    let folder: string;
    let storage: EncryptedLocalStorage;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "fieldseal-properties-"));
      const keyring = Keyring.fromKey(generateRootKey());
      storage = new EncryptedLocalStorage({ path: folder, keyring, durability: "none" });
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    it("comes back: a hundred random sizes, from bytes and from streams", async () => {
      const property = fc.asyncProperty(
        sizes(SEGMENT, 5),
        pieceLengths(200_000),
        async (size, lengths) => {
          const bytes = randomBytes(size);
          await storage.put("bytes", bytes);
          await storage.put("stream", inPieces(bytes, lengths));
          for (const key of ["bytes", "stream"]) {
            expect((await storage.head(key)).size, key).to.equal(size);
            const got = await storage.get(key);
            expect((await got.bytes()).equals(bytes), key).to.equal(true);
          }
        },
      );
      await fc.assert(property, { numRuns: 100 });
    });

    it("comes back in ranges, through get and through open", async () => {
      const cases = sizes(SEGMENT, 4).chain((size) =>
        fc.tuple(
          fc.constant(Math.max(1, size)),
          pieceLengths(100_000),
          fc.array(spans(Math.max(1, size)), { minLength: 1, maxLength: 6 }),
        ),
      );
      const property = fc.asyncProperty(cases, async ([size, lengths, ranges]) => {
        const bytes = randomBytes(size);
        await storage.put("k", inPieces(bytes, lengths));
        await using object = await storage.open("k");
        for (const [start, end] of ranges) {
          const part = bytes.subarray(start, end);
          expect((await object.read(start, end - start)).equals(part)).to.equal(true);
          if (start === end) continue;
          const got = await storage.get("k", { range: { start, end: end - 1 } });
          expect((await collect(got.stream)).equals(part)).to.equal(true);
        }
      });
      await fc.assert(property, { numRuns: 100 });
    });
  });
});
