import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import sharp from "sharp";
import type { UploadedFile, VideoSummary } from "../web/src/data/contract.ts";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client } from "./client.ts";

const CLIP = join(import.meta.dirname, "../media/camera-pan.mp4");

function bytes(content: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(content);
}

describe("Uploads", () => {
  let app: TestApplication;
  let ada: Client;

  before(async function () {
    this.timeout(60_000);
    app = await startTestApplication({ SEED: "none" });
    ada = await Client.signedIn(app.url);
  });

  after(() => app.stop());

  const stored = async (): Promise<number> => {
    const [row] = await app.database.query<{ n: number }>(
      "SELECT (SELECT count(*) FROM frame)::int + (SELECT count(*) FROM video)::int AS n",
    );
    return row?.n ?? -1;
  };

  it("become frames with a thumbnail, under a name without folders", async () => {
    const picture = await sharp({
      create: { width: 300, height: 200, channels: 3, background: "#357" },
    })
      .png()
      .toBuffer();
    const { status, body } = await ada.upload<UploadedFile>(
      "../../etc/a\u0007b.png",
      bytes(picture),
    );
    expect({ status, ...body }).to.deep.include({
      status: 200,
      kind: "frame",
      removedMetadata: [],
    });
    const frame = await ada.frameNamed("ab.png");
    expect(frame).to.include({ width: 300, height: 200, camera: "Uploads", version: 0 });
    const thumbnail = await ada.get<Buffer>(`/api/frames/${frame.id}/thumbnail`);
    expect(await sharp(thumbnail).metadata()).to.include({ format: "webp", width: 160 });
  });

  it("become clips that play by ranges, with their length", async () => {
    const clip = await readFile(CLIP);
    const { body } = await ada.upload<UploadedFile>("door.mp4", bytes(clip));
    expect(body.kind).to.equal("video");
    const [video] = await ada.get<VideoSummary[]>("/api/videos");
    expect(video).to.include({ name: "door.mp4", sizeBytes: clip.length });
    expect(video?.durationSeconds).to.be.closeTo(24, 0.2);
    const path = `/api/videos/${body.id}/media`;
    const whole = await ada.send<Buffer>("GET", path);
    expect(whole.headers.get("cache-control")).to.equal("no-store");
    expect(whole.body.length).to.equal(clip.length);
    const tail = await ada.send<Buffer>("GET", path, undefined, { range: "bytes=-100" });
    expect(tail.status).to.equal(206);
    expect(tail.body.equals(whole.body.subarray(-100))).to.equal(true);
    const beyond = await ada.send("GET", path, undefined, { range: "bytes=99999999-" });
    expect(beyond.status).to.equal(416);
  });

  it("are refused by their bytes, whatever they are called, and leave nothing", async () => {
    const before = await stored();
    const page = bytes(Buffer.from("<script>alert(1)</script>".padEnd(100)));
    expect((await ada.upload("cat.jpg", page)).status).to.equal(415);
    expect((await ada.upload("empty.jpg", new Uint8Array(0))).status).to.equal(415);
    const clip = await readFile(CLIP);
    const half = await ada.upload("half.mp4", bytes(clip.subarray(0, clip.length >> 1)));
    expect(half.status).to.equal(422);
    const large = Buffer.alloc(21 * 1024 * 1024);
    Buffer.of(0xff, 0xd8, 0xff).copy(large);
    expect((await ada.upload("large.jpg", bytes(large))).status).to.equal(413);
    expect(await stored()).to.equal(before);
    const objects = await ada.get<{ objects: number }[]>("/api/keys");
    expect(objects[0]?.objects).to.equal(3);
  });

  it("that are refused half way keep no later request of their connection waiting", async function () {
    this.timeout(10_000);
    const large = Buffer.alloc(21 * 1024 * 1024);
    Buffer.of(0xff, 0xd8, 0xff).copy(large);
    for (let tries = 0; tries < 3; tries += 1) {
      expect((await ada.upload("large.jpg", bytes(large))).status).to.equal(413);
      for (let next = 0; next < 3; next += 1) await ada.get("/api/videos");
    }
  });

  it("keep the picture of a frame that is there, though its thumbnail cannot be made or put off", async () => {
    const { query } = app.database;
    const thumbnails = join(app.folder, "data/objects/thumbnails");
    await rename(thumbnails, `${thumbnails}.away`);
    await writeFile(thumbnails, "");
    await query("ALTER TABLE retry_job ADD CONSTRAINT full_disk CHECK (false) NOT VALID");
    const image = sharp({ create: { width: 30, height: 20, channels: 3, background: "#357" } });
    const { status } = await ada.upload("alone.png", bytes(await image.png().toBuffer()));
    await query("ALTER TABLE retry_job DROP CONSTRAINT full_disk");
    await rm(thumbnails);
    await rename(`${thumbnails}.away`, thumbnails);
    expect(status).to.equal(500);
    const { id } = await ada.frameNamed("alone.png");
    for (const what of ["image", "thumbnail"]) {
      expect((await ada.send("GET", `/api/frames/${id}/${what}`)).status).to.equal(200);
    }
  });
});
