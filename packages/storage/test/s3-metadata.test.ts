// Metadata, tags and listings of a bucket, and clients of the user's own.
import { GetObjectCommand, PutObjectCommand, PutObjectTaggingCommand } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { inChunks } from "./support/bodies.ts";
import { LARGE, useS3Subject } from "./support/s3-subject.ts";
import { bytesOf, findingsOf } from "./support/storage-subject.ts";

describe("what is beside the body in S3", function () {
  this.timeout(60_000);
  const current = useS3Subject();

  it("fits into the metadata that S3 keeps, or is refused before anything is sent", async () => {
    const { harness, spy, spied } = current();
    let longest = 0;
    for (let length = 900; length < 1600; length += 16) {
      spy.commands.length = 0;
      try {
        await spied.put("k", Buffer.from("x"), { metadata: { note: "n".repeat(length) } });
        longest = length;
      } catch (error) {
        expect(error).to.have.property("code", "ERR_STORAGE_METADATA");
        expect(spy.commands).to.deep.equal([]);
        break;
      }
    }
    expect(longest).to.be.within(1200, 1500);
    const { Metadata = {} } = await harness.head("k");
    const bytes = Object.entries(Metadata).flat().join("").length;
    expect(bytes).to.be.within(1900, 2048);
    expect((await spied.head("k")).metadata.note).to.have.length(longest);
  });

  it("lists all pages, in order; what no key leads to is a finding", async () => {
    const { bucket, storage, spy, spied, harness } = current();
    const keys = ["a", "b/1", "b/2", "b/3", "c", "d"];
    for (const key of keys) await storage.put(key, Buffer.from(key));
    const names = [".hidden", "e\u0301", "x//y"];
    const Metadata = { encrypted: "true" };
    for (const name of names) {
      const object = { ...harness.at(name), Metadata, Body: Buffer.alloc(32) };
      await bucket.client.send(new PutObjectCommand(object));
    }
    // As a console makes a folder.
    await bucket.client.send(new PutObjectCommand({ ...harness.at("b/"), Body: "" }));
    const found = await findingsOf(storage);
    expect(
      found.filter(({ code }) => code === "ERR_STORAGE_KEY").map(({ key }) => key),
    ).to.deep.equal(names);
    spy.before = (_command, input) => void (input.MaxKeys = 2);
    const listed: string[] = [];
    for await (const { key } of spied.list()) listed.push(key);
    expect(listed).to.deep.equal([...keys, ...names].toSorted());
    expect(spy.commands.length).to.be.greaterThan(3);
  });

  it("keeps the tags of older objects that are migrated, but for those that tell", async () => {
    const { bucket, harness, storage, keyring } = current();
    await harness.writeForeign("clips/7.mp4", Buffer.from("video"), {
      encrypted: "false",
      "encryption-method": "none",
    });
    const TagSet = [
      { Key: "retention", Value: "30d" },
      { Key: "filename", Value: "secret.mp4" },
    ];
    await bucket.client.send(
      new PutObjectTaggingCommand({ ...harness.at("clips/7.mp4"), Tagging: { TagSet } }),
    );
    const migrating = harness.open({ keyring, plaintext: "accept" });
    await migrating.reencrypt("clips/7.mp4");
    expect(await storage.getTags("clips/7.mp4")).to.deep.equal({ retention: "30d" });
    const { Metadata, ContentType } = await harness.head("clips/7.mp4");
    expect(Object.keys(Metadata ?? {})).to.deep.equal(["fieldseal"]);
    expect(ContentType).to.equal("application/octet-stream");
  });

  it("works with a client of one's own and its default settings, which stays open", async () => {
    const { harness, spy, spied } = current();
    for (const content of [Buffer.from("small"), LARGE]) {
      const info = await spied.put("k", inChunks(content, 100_000));
      expect(info.size).to.equal(content.length);
      expect((await bytesOf(spied, "k")).equals(content)).to.equal(true);
    }
    const { Body } = await spy.client.send(new GetObjectCommand(harness.at("k")));
    expect((await Body?.transformToByteArray())?.length).to.be.greaterThan(LARGE.length);
  });
});
