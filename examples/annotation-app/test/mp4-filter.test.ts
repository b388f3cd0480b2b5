import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { expect } from "chai";
import { Problem } from "../src/http/problem.ts";
import { isMp4, Mp4Filter } from "../src/ingest/mp4-filter.ts";

const CLIP = join(import.meta.dirname, "../media/rocket-pan.mp4");

function box(type: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length, 0);
  header.write(type, 4, "latin1");
  return Buffer.concat([header, body]);
}

/** A movie header, version 0: timescale and duration behind flags and times. */
function movieHeader(timescale: number, duration: number): Buffer {
  const body = Buffer.alloc(100);
  body.writeUInt32BE(timescale, 12);
  body.writeUInt32BE(duration, 16);
  return box("mvhd", body);
}

const SECRET = Buffer.from("+48.8584+002.2945/");

async function filtered(file: Buffer, pieceBytes = file.length) {
  const pieces: Buffer[] = [];
  for (let at = 0; at < file.length; at += pieceBytes)
    pieces.push(file.subarray(at, at + pieceBytes));
  const filter = new Mp4Filter();
  const out: Buffer[] = [];
  await pipeline(Readable.from(pieces), filter, async (source) => {
    for await (const piece of source as AsyncIterable<Buffer>) out.push(piece);
  });
  return { content: Buffer.concat(out), filter };
}

function synthetic(): Buffer {
  return Buffer.concat([
    box("ftyp", Buffer.from("isom")),
    box(
      "moov",
      movieHeader(1000, 4500),
      box("trak", box("udta", SECRET)),
      box("udta", box("loci", SECRET)),
    ),
    box("uuid", SECRET),
    box("mdat", Buffer.alloc(300, 7)),
  ]);
}

describe("Mp4Filter", () => {
  it("passes a clip on as it is, where it has no metadata, and knows its length", async () => {
    const file = await readFile(CLIP);
    const { content, filter } = await filtered(file, 4096);
    expect(content).to.have.length(file.length);
    expect(filter.durationSeconds).to.be.closeTo(24, 0.2);
    expect(isMp4(file)).to.equal(true);
  });

  it("empties position and device, wherever they stand, and moves nothing", async () => {
    const file = synthetic();
    const { content, filter } = await filtered(file);
    expect(content).to.have.length(file.length);
    expect(content.includes(SECRET)).to.equal(false);
    expect(content.indexOf("mdat")).to.equal(file.indexOf("mdat"));
    expect(filter.durationSeconds).to.equal(4.5);
    expect(filter.removedMetadata).to.deep.equal(["clip metadata"]);
  });

  it("gives the same whatever pieces the file comes in", async () => {
    const whole = await filtered(synthetic());
    for (const bytes of [1, 7, 8, 9, 100]) {
      expect((await filtered(synthetic(), bytes)).content).to.deep.equal(whole.content);
    }
  });

  it("refuses a file that breaks off, at every byte", async () => {
    const file = synthetic();
    // Behind the index every end of a box could be the end of a file.
    const ends = ["uuid", "mdat"].map((type) => file.indexOf(type) - 4);
    for (let length = 1; length < file.length; length++) {
      const error = await filtered(file.subarray(0, length)).catch((caught: unknown) => caught);
      if (!ends.includes(length)) expect(error, `${length} bytes`).to.be.instanceOf(Problem);
    }
  });

  it("refuses boxes that claim more than there is, and a file without an index", async () => {
    const lying = Buffer.concat([box("ftyp"), box("moov", movieHeader(0, 1))]);
    const bare = Buffer.concat([box("ftyp"), box("mdat", Buffer.alloc(20))]);
    const short = Buffer.concat([box("ftyp"), box("moov", box("mvhd", Buffer.of(1)))]);
    for (const file of [lying, bare, short]) {
      expect(await filtered(file).catch((error: unknown) => error)).to.be.instanceOf(Problem);
    }
  });
});
