// The services as processes of their own over one database, one folder and one key; and the objects in S3.
import { readFileSync } from "node:fs";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { expect } from "chai";
import sharp from "sharp";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { createTestBucket, type TestBucket } from "../../../test/support/radosgw.ts";
import { isMp4 } from "../src/ingest/mp4-filter.ts";
import { pictureFormatOf } from "../src/ingest/pictures.ts";
import type { FrameDetail, FrameList, KeyInfo, UploadedFile } from "../web/src/data/contract.ts";
import { startTestApplication, type TestApplication } from "./application.ts";
import { Client, newBox } from "./client.ts";
import { CommandFolder, StartedCommand } from "./started-command.ts";

async function photograph(): Promise<Uint8Array<ArrayBuffer>> {
  const { data } = await sharp({
    create: { width: 200, height: 100, channels: 3, background: "#258" },
  })
    .jpeg()
    .toBuffer({ resolveWithObject: true });
  return new Uint8Array(data);
}

describe("Services in processes of their own", function () {
  this.timeout(120_000);
  const SERVICES = ["ingest", "annotate", "media", "console"] as const;
  type Urls = Record<(typeof SERVICES)[number], string>;
  let database: TestDatabase;
  let folder: CommandFolder;
  let commands: StartedCommand[] = [];
  let urls: Urls;

  before(async () => {
    database = await createTestDatabase({ name: "services" });
    folder = await CommandFolder.make();
    commands = SERVICES.map(
      (service) => new StartedCommand(folder, { SERVICES: service, DATABASE_URL: database.url }),
    );
    const addresses = await Promise.all(commands.map((command) => command.url()));
    urls = Object.fromEntries(SERVICES.map((service, i) => [service, addresses[i]])) as Urls;
  });

  after(async () => {
    for (const command of commands) command.interrupt();
    for (const command of commands) await command.untilGone(folder);
    await folder.remove();
    await database.drop();
  });

  it("agree on one key, one filling and one encryption, though they were started at the same moment", () => {
    const said = commands.map((command) => command.said);
    const times = (pattern: RegExp): number => said.filter((text) => pattern.test(text)).length;
    expect(times(/Made the encryption key/)).to.equal(1);
    expect(times(/Filled the database/)).to.equal(1);
    expect(times(/none is plaintext/)).to.equal(1);
    expect(readFileSync(folder.envFile, "utf8").match(/^ENCRYPTION_KEY=/gm)).to.have.length(1);
  });

  it("do one piece of work together, each its part of it", async () => {
    const ada = await Client.signedIn(urls.annotate);
    const [ingest, media, keys] = [ada.at(urls.ingest), ada.at(urls.media), ada.at(urls.console)];
    const { body: added } = await ingest.upload<UploadedFile>("gate.jpg", await photograph());
    const frame = await ada.get<FrameDetail>(`/api/frames/${added.id}`);
    const box = newBox({ label: "wheelbarrow" });
    const saved = await ada.send("PUT", `/api/frames/${frame.id}/annotations`, {
      version: frame.version,
      isReviewed: true,
      boxes: [box],
    });
    expect(saved.status).to.equal(200);
    const { frames } = await ingest.get<FrameList>("/api/frames?label=wheelbarrow");
    expect(frames.map(({ name, boxCount }) => [name, boxCount])).to.deep.equal([["gate.jpg", 1]]);
    const picture = await media.get<Buffer>(`/api/frames/${frame.id}/image`);
    expect(await sharp(picture).metadata()).to.include({ width: 200, height: 100 });
    const [key, ...others] = await keys.get<KeyInfo[]>("/api/keys");
    expect(others).to.deep.equal([]);
    expect(key?.objects).to.equal(54);

    expect((await ingest.send("GET", `/api/frames/${frame.id}`)).status).to.equal(404);
    expect((await media.send("GET", "/api/frames")).status).to.equal(404);
    await ada.send("DELETE", "/api/session");
    expect((await media.send("GET", `/api/frames/${frame.id}/image`)).status).to.equal(401);
  });

  it("take up a new key from the console before anything is written under it", async () => {
    const ada = await Client.signedIn(urls.annotate);
    await ada.at(urls.console).post("/api/keys");
    const frame = await ada.frameNamed("coffee.jpg", ada.at(urls.ingest));
    const boxes = [...frame.boxes, newBox({ label: "saucer" })];
    const { version } = frame;
    const path = `/api/frames/${frame.id}/annotations`;
    expect((await ada.send("PUT", path, { version, isReviewed: true, boxes })).status).to.equal(
      200,
    );
    const found = await ada.at(urls.ingest).get<FrameList>("/api/frames?label=saucer");
    expect(found.total).to.equal(1);
  });
});

describe("The annotation server over S3", function () {
  this.timeout(120_000);
  let bucket: TestBucket;
  let app: TestApplication;

  before(async function () {
    bucket = await createTestBucket(this);
    const { accessKeyId, secretAccessKey } = bucket.credentials;
    app = await startTestApplication({
      STORAGE_TYPE: "s3",
      S3_BUCKET: bucket.bucket,
      S3_PREFIX: "frames/",
      S3_ENDPOINT: bucket.endpoint,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
    });
  });

  after(async () => {
    await app?.stop();
    await bucket?.drop();
  });

  it("encrypts the plain objects of the older application where they are, and serves what it finds and adds", async () => {
    expect(app.said.join("\n")).to.match(/52 files open to their last byte/);
    const ada = await Client.signedIn(app.url);
    const { body } = await ada.upload<UploadedFile>("gate.jpg", await photograph());
    const frame = await ada.frameNamed("coffee.jpg");
    for (const id of [body.id, frame.id]) {
      const picture = await ada.get<Buffer>(`/api/frames/${id}/image`);
      expect((await sharp(picture).metadata()).format).to.equal("jpeg");
    }
    const { client, bucket: name } = bucket;
    const { Contents: listed = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
    expect(listed).to.have.length(54);
    expect(listed.every(({ Key: key }) => key?.startsWith("frames/"))).to.equal(true);
    const isPlain = (bytes: Uint8Array): boolean =>
      isMp4(Buffer.from(bytes)) || pictureFormatOf(Buffer.from(bytes)) !== undefined;
    expect(isPlain(await photograph())).to.equal(true);
    for (const { Key: key } of listed) {
      const object = await client.send(new GetObjectCommand({ Bucket: name, Key: key }));
      expect(isPlain((await object.Body?.transformToByteArray()) ?? new Uint8Array())).to.equal(
        false,
      );
      const about = JSON.stringify([object.ContentType, object.Metadata]);
      for (const text of ["image/jpeg", "coffee.jpg", "gate.jpg"]) {
        expect(about).not.to.include(text);
      }
    }
  });
});
