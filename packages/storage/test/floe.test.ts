import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { BodyReader } from "../src/body-reader.ts";
import { sealBody } from "../src/body-writer.ts";
import { FLOE_HEADER_BYTES, FloeLayout } from "../src/floe-layout.ts";
import { Floe, type FloeOptions } from "../src/floe.ts";
import { bodyOf, collect, inChunks, codeOf, readFrom, thrownBy } from "./support/bodies.ts";

const folder = fileURLToPath(new URL("vectors/floe/", import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith("_ct.txt"))
  .map((name) => name.replace("_ct.txt", ""));

function vector(name: string): { body: Buffer; plaintext: Buffer; options: FloeOptions } {
  const hex = (part: string): Buffer =>
    Buffer.from(readFileSync(`${folder}${name}_${part}.txt`, "utf8").trim(), "hex");
  const options = {
    key: Buffer.alloc(32),
    associatedData: Buffer.from("This is AAD"),
    objectKey: "k",
    ...(name.includes("rotation") && { rotationBits: 2 }),
  };
  return { body: hex("ct"), plaintext: hex("pt"), options };
}

describe("FLOE's known answers", () => {
  it("are all here", () => expect(names.length).to.equal(14));

  for (const name of names) {
    it(`${name}: opens whole, in a stream of single bytes, and at every offset`, async () => {
      const { body, plaintext, options } = vector(name);
      const floe = Floe.open(body, options);
      for (const chunkBytes of [body.length, 1, 7]) {
        const reader = new BodyReader(floe, bodyOf(body, chunkBytes));
        await reader.checkEnd();
        expect(reader.size).to.equal(plaintext.length);
        const opened = await collect(reader.stream(0, reader.size));
        expect(opened.equals(plaintext)).to.equal(true);
      }
      const reader = new BodyReader(floe, bodyOf(body));
      for (let offset = 0; offset < plaintext.length; offset += 61) {
        const end = Math.min(plaintext.length, offset + 100);
        expect(
          (await readFrom(reader, offset, end)).equals(plaintext.subarray(offset, end)),
        ).to.equal(true);
      }
    });

    it(`${name}: sealing with its IVs gives its bytes`, () => {
      const { body, plaintext, options } = vector(name);
      const segmentBytes = body.readUInt32BE(2);
      const floe = Floe.create(options, segmentBytes, body.subarray(10, 42));
      expect(floe.header.equals(body.subarray(0, FLOE_HEADER_BYTES))).to.equal(true);
      const segments = floe.layout.segmentsIn(body.length);
      const target = Buffer.alloc(body.length);
      let at = floe.header.copy(target);
      for (let number = 0; number < segments; number++) {
        const from = number * floe.layout.plainBytes;
        const piece = plaintext.subarray(from, from + floe.layout.plainBytes);
        const iv = body.subarray(at + 4, at + 16);
        const halves = [piece.subarray(0, 5), piece.subarray(5)];
        at = floe.seal({ number, isLast: number === segments - 1 }, halves, target, at, iv);
      }
      expect(target.equals(body)).to.equal(true);
    });
  }
});

describe("a FLOE body", () => {
  const options: FloeOptions = {
    key: randomBytes(32),
    associatedData: Buffer.from("object"),
    objectKey: "a/b",
  };

  it("round-trips at every length around the ends of segments, from chunks of any length", async () => {
    const segmentBytes = 4096;
    const plain = segmentBytes - 32;
    const sizes = [
      0,
      1,
      plain - 1,
      plain,
      plain + 1,
      2 * plain - 1,
      2 * plain,
      2 * plain + 1,
      700_000,
    ];
    for (const size of sizes) {
      const plaintext = randomBytes(size);
      for (const chunkBytes of [1000, plain, size + 1]) {
        const floe = Floe.create(options, segmentBytes);
        const body = await collect(sealBody(floe, inChunks(plaintext, chunkBytes)));
        expect(body.length).to.equal(floe.layout.bodyBytes(size));
        expect(floe.layout.plaintextBytes(body.length)).to.equal(size);
        const reader = new BodyReader(Floe.open(body, options), bodyOf(body, 5000));
        expect((await collect(reader.stream(0, size))).equals(plaintext)).to.equal(true);
      }
    }
  });

  it("is never twice the same, in no run of 16 bytes", async () => {
    const plaintext = Buffer.alloc(70_000, "same");
    const [a, b] = await Promise.all(
      [1, 2].map(() => collect(sealBody(Floe.create(options), inChunks(plaintext, 50_000)))),
    );
    const runs = new Set<string>();
    for (let at = 10; at + 16 <= a!.length; at++) runs.add(a!.toString("latin1", at, at + 16));
    for (let at = 10; at + 16 <= b!.length; at++) {
      expect(runs.has(b!.toString("latin1", at, at + 16))).to.equal(false);
    }
  });

  it("refuses headers of other parameters, and segments too long to allocate", () => {
    const { header } = Floe.create(options);
    for (const [offset, value] of [
      [0, 1],
      [1, 1],
      [9, 16],
      [2, 1],
    ] as const) {
      const forged = Buffer.from(header);
      forged[offset] = value;
      expect(codeOf(() => Floe.open(forged, options))).to.equal("ERR_STORAGE_FORMAT");
    }
    const tiny = Buffer.from(header);
    tiny.writeUInt32BE(32, 2);
    expect(codeOf(() => Floe.open(tiny, options))).to.equal("ERR_STORAGE_FORMAT");
  });

  it("does not open with another key, context, or a changed header", () => {
    const { header } = Floe.create(options);
    expect(codeOf(() => Floe.open(header, { ...options, key: randomBytes(32) }))).to.equal(
      "ERR_STORAGE_WRONG_KEY",
    );
    const other = { ...options, associatedData: Buffer.from("another") };
    expect(codeOf(() => Floe.open(header, other))).to.equal("ERR_STORAGE_WRONG_KEY");
    for (let offset = 10; offset < FLOE_HEADER_BYTES; offset++) {
      const changed = Buffer.from(header);
      changed[offset] = changed[offset]! ^ 1;
      expect(codeOf(() => Floe.open(changed, options))).to.equal("ERR_STORAGE_WRONG_KEY");
    }
    expect(codeOf(() => Floe.open(header.subarray(0, 73), options))).to.equal(
      "ERR_STORAGE_TRUNCATED",
    );
  });

  it("lies in segments as its layout says", () => {
    const layout = new FloeLayout(65_536);
    expect(layout.bodyBytes(0)).to.equal(74 + 32);
    expect(layout.plaintextBytes(74 + 31)).to.equal(-1);
    expect(layout.plaintextBytes(74 + 65_536)).to.equal(65_504);
    expect(layout.plaintextBytes(74 + 65_536 + 10)).to.equal(-1);
    expect(layout.segmentAt(65_504)).to.equal(1);
    expect(layout.offsetOf(3)).to.equal(74 + 3 * 65_536);
  });
});

describe("attacks on a FLOE body", () => {
  const segmentBytes = 4096;
  const plaintext = randomBytes(4 * (segmentBytes - 32) + 1000);
  const options: FloeOptions = {
    key: randomBytes(32),
    associatedData: Buffer.from("object"),
    objectKey: "a/b",
  };
  let body: Buffer;
  let sibling: Buffer;
  const at = (segment: number): number => FLOE_HEADER_BYTES + segment * segmentBytes;
  const segment = (of: Buffer, number: number): Buffer => of.subarray(at(number), at(number + 1));

  before(async () => {
    const seal = (): Promise<Buffer> =>
      collect(sealBody(Floe.create(options, segmentBytes), inChunks(plaintext, 10_000)));
    [body, sibling] = await Promise.all([seal(), seal()]);
  });

  const openAll = async (forged: Buffer): Promise<Buffer> => {
    const reader = new BodyReader(Floe.open(forged, options), bodyOf(forged));
    await reader.checkEnd();
    return collect(reader.stream(0, reader.size));
  };

  const attacks: Record<string, { forge: () => Buffer; code: string }> = {
    "the last byte cut": { forge: () => body.subarray(0, -1), code: "ERR_STORAGE_TRUNCATED" },
    "cut at the end of a segment": {
      forge: () => body.subarray(0, at(3)),
      code: "ERR_STORAGE_TRUNCATED",
    },
    "cut within the last segment's start": {
      forge: () => body.subarray(0, at(4) + 20),
      code: "ERR_STORAGE_TRUNCATED",
    },
    "the header only": {
      forge: () => body.subarray(0, FLOE_HEADER_BYTES),
      code: "ERR_STORAGE_TRUNCATED",
    },
    nothing: { forge: () => Buffer.alloc(0), code: "ERR_STORAGE_TRUNCATED" },
    "two segments swapped": {
      forge: () =>
        Buffer.concat([
          body.subarray(0, at(1)),
          segment(body, 2),
          segment(body, 1),
          body.subarray(at(3)),
        ]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "a segment in place of its neighbour": {
      forge: () =>
        Buffer.concat([
          body.subarray(0, at(1)),
          segment(body, 1),
          segment(body, 1),
          body.subarray(at(3)),
        ]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "a segment taken out": {
      forge: () => Buffer.concat([body.subarray(0, at(1)), body.subarray(at(2))]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "a byte appended": {
      forge: () => Buffer.concat([body, Buffer.of(0)]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "a segment appended": {
      forge: () => Buffer.concat([body, segment(body, 1)]),
      code: "ERR_STORAGE_TRUNCATED",
    },
    "a segment of another body under the same key": {
      forge: () =>
        Buffer.concat([body.subarray(0, at(1)), segment(sibling, 1), body.subarray(at(2))]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "the header of another body under the same key": {
      forge: () => Buffer.concat([sibling.subarray(0, at(0)), body.subarray(at(0))]),
      code: "ERR_STORAGE_TAMPERED",
    },
    "a middle segment marked as the last": {
      forge: () => {
        const forged = Buffer.from(body.subarray(0, at(3)));
        forged.writeUInt32BE(segmentBytes, at(2));
        return forged;
      },
      code: "ERR_STORAGE_TAMPERED",
    },
    "the last segment marked as a middle one": {
      forge: () => {
        const forged = Buffer.from(body);
        forged.writeUInt32BE(0xffffffff, at(4));
        return forged;
      },
      code: "ERR_STORAGE_TRUNCATED",
    },
  };
  for (const [title, { forge, code }] of Object.entries(attacks)) {
    it(`${title}: ${code}`, async () => {
      const error = await thrownBy(() => openAll(forge()));
      expect(error).to.have.property("code", code);
      expect(error.message).to.include('"a/b"');
    });
  }

  it("any changed byte of a segment is found, and the others still open", async () => {
    for (let offset = at(1); offset < at(2); offset += 53) {
      const forged = Buffer.from(body);
      forged[offset] = forged[offset]! ^ 0x10;
      const reader = new BodyReader(Floe.open(forged, options), bodyOf(forged));
      await reader.checkEnd();
      const plain = segmentBytes - 32;
      expect(await thrownBy(() => readFrom(reader, plain + 5, plain + 9))).to.have.property(
        "code",
        "ERR_STORAGE_TAMPERED",
      );
      expect((await readFrom(reader, 0, plain)).equals(plaintext.subarray(0, plain))).to.equal(
        true,
      );
      const rest = await readFrom(reader, 2 * plain, plaintext.length);
      expect(rest.equals(plaintext.subarray(2 * plain))).to.equal(true);
    }
  });

  it("a changed segment is an error after all that come before it, also where they came at once", async () => {
    const forged = Buffer.from(body);
    forged[at(2) + 100]! ^= 1;
    const reader = new BodyReader(Floe.open(forged, options), bodyOf(forged));
    const seen: Buffer[] = [];
    const error = await thrownBy(async () => {
      for await (const piece of reader.stream(5, reader.size)) seen.push(piece);
    });
    expect(error).to.have.property("code", "ERR_STORAGE_TAMPERED");
    const intact = plaintext.subarray(5, 2 * (segmentBytes - 32));
    expect(Buffer.concat(seen).equals(intact)).to.equal(true);
  });

  it("a stream that ends before the range does is an error, after the intact bytes", async () => {
    const reader = new BodyReader(
      Floe.open(body, options),
      bodyOf(body, 4096, { streamEndsAt: at(2) }),
    );
    let bytes = 0;
    const error = await thrownBy(async () => {
      for await (const piece of reader.stream(0, reader.size)) bytes += piece.length;
    });
    expect(error).to.have.property("code", "ERR_STORAGE_TRUNCATED");
    expect(bytes).to.equal(2 * (segmentBytes - 32));
  });
});
