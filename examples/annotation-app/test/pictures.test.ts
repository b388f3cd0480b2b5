import { expect } from "chai";
import sharp from "sharp";
import { Problem } from "../src/http/problem.ts";
import { blurBoxes } from "../src/media/blurred-picture.ts";
import { cleanPicture, pictureFormatOf, thumbnailOf } from "../src/ingest/pictures.ts";

const GPS_DEGREES = "48/1 51/1 29/1";

function picture(width = 60, height = 40) {
  return sharp({ create: { width, height, channels: 3, background: "#386" } });
}

/** A photograph as a phone writes it: turned by a tag, with where and when. */
function photograph(): Promise<Buffer> {
  return picture()
    .jpeg()
    .withMetadata({ orientation: 6 })
    .withExifMerge({
      IFD0: { Model: "Phone 9" },
      IFD2: { DateTimeOriginal: "2026:11:20 10:11:12" },
      IFD3: { GPSLatitudeRef: "N", GPSLatitude: GPS_DEGREES },
    })
    .toBuffer();
}

async function refusal(file: Buffer): Promise<Problem> {
  return cleanPicture(file).then(
    () => expect.fail("accepted"),
    (error: unknown) => (error instanceof Problem ? error : expect.fail(String(error))),
  );
}

describe("cleanPicture", () => {
  it("takes position, camera and time out of the file, and says so", async () => {
    const file = await photograph();
    expect(file.includes("Phone 9")).to.equal(true);
    const clean = await cleanPicture(file);
    expect(clean.removedMetadata).to.include.members([
      "GPS position",
      "camera model",
      "time of capture",
      "EXIF",
    ]);
    const { exif, xmp, iptc, icc } = await sharp(clean.content).metadata();
    expect([exif, xmp, iptc, icc]).to.deep.equal([undefined, undefined, undefined, undefined]);
    expect(clean.content.includes("Phone 9")).to.equal(false);
  });

  it("keeps what the tags said about the picture: upright, and when it was taken", async () => {
    const clean = await cleanPicture(await photograph());
    expect(clean).to.include({ width: 40, height: 60, contentType: "image/jpeg" });
    expect(clean.capturedAt?.toISOString()).to.equal("2026-11-20T10:11:12.000Z");
  });

  it("drops a second file behind the picture", async () => {
    const file = Buffer.concat([await picture().png().toBuffer(), Buffer.from("PK\x03\x04secret")]);
    const clean = await cleanPicture(file);
    expect(clean.content.includes("secret")).to.equal(false);
    expect(clean.removedMetadata).to.deep.equal([]);
  });

  it("refuses a picture that breaks off", async () => {
    const file = await sharp({
      create: {
        width: 400,
        height: 400,
        channels: 3,
        background: "#000",
        noise: { type: "gaussian", mean: 120, sigma: 40 },
      },
    })
      .jpeg()
      .toBuffer();
    expect((await refusal(file.subarray(0, file.length >> 1))).code).to.equal("DAMAGED");
  });

  it("refuses a small file of very many pixels before it is decoded", async () => {
    const bomb = await picture(9000, 9000).png({ compressionLevel: 9 }).toBuffer();
    expect(bomb.length).to.be.lessThan(500_000);
    expect((await refusal(bomb)).code).to.equal("TOO_MANY_PIXELS");
  });

  it("refuses formats that only call themselves pictures", async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    expect((await refusal(svg)).status).to.equal(422);
    expect(pictureFormatOf(svg)).to.equal(undefined);
  });
});

describe("thumbnailOf", () => {
  it("is small, of one size, and without metadata", async () => {
    const small = await thumbnailOf(await photograph());
    const { width, height, exif } = await sharp(small).metadata();
    expect({ width, height, exif }).to.deep.equal({ width: 160, height: 112, exif: undefined });
  });
});

describe("Pictures that come all at once", () => {
  it("are decoded two at a time, whatever for, and a damaged one keeps no turn", async () => {
    const file = await picture(900, 600).jpeg().toBuffer();
    const broken = file.subarray(0, -200);
    const work = Array.from({ length: 6 }, () => [
      cleanPicture(file),
      thumbnailOf(file),
      blurBoxes(file, []),
      refusal(broken),
    ]).flat();
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, sharp.counters().process);
    });
    await Promise.all(work);
    clearInterval(watch);
    expect(most).to.equal(2);
  });
});
