// How much is fetched, over which connections, and what becomes of them.
import { Agent } from "node:http";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { thrownBy, thrownCode } from "./support/bodies.ts";
import { cuttingProxy } from "./support/cutting-proxy.ts";
import { spyOn } from "./support/s3-spy.ts";
import { LARGE, MIB, useS3Subject } from "./support/s3-subject.ts";
import { bytesOf } from "./support/storage-subject.ts";

describe("reading from S3", function () {
  this.timeout(60_000);
  const current = useS3Subject();

  it("an archived object is not read, which its error explains, but deleted or replaced", async () => {
    const { storage, spy, spied } = current();
    await storage.put("k", Buffer.from("x"), { tags: { retention: "archive" } });
    spy.before = (command) => {
      if (command !== "GetObject") return;
      const $metadata = { httpStatusCode: 403 };
      throw Object.assign(new Error("archived"), { name: "InvalidObjectState", $metadata });
    };
    const error = await thrownBy(() => spied.get("k"));
    expect(error.message).to.match(/InvalidObjectState 403\. .*restore it first\.$/);
    expect(await spied.delete("k")).to.equal(true);
    expect(await spied.delete("k")).to.equal(false);
  });

  it("fetches the segments that are needed, and no others", async () => {
    const { storage, spy, spied } = current();
    await storage.put("k", LARGE);
    spy.bytesGot = 0;
    const object = await spied.open("k");
    const segment = 65_536;
    expect(spy.bytesGot, "open: header and first segment").to.be.at.most(74 + segment);
    spy.bytesGot = 0;
    for (const offset of [100 * segment, 5 * MIB, LARGE.length - 10]) {
      await object.read(offset, 10);
    }
    expect(spy.bytesGot).to.be.at.most(3 * segment);
    await object.read(0, 100);
    expect(spy.bytesGot, "what open has fetched is not fetched again").to.be.at.most(3 * segment);
    await object.close();
    spy.bytesGot = 0;
    const { bytes } = await spied.get("k", { range: { start: MIB, end: 2 * MIB - 1 } });
    expect((await bytes()).equals(LARGE.subarray(MIB, 2 * MIB))).to.equal(true);
    expect(spy.bytesGot).to.be.at.most(MIB + 3 * segment + 1000);
  });

  it("small objects takes one request", async () => {
    const { storage, spy, spied } = current();
    await storage.put("k", Buffer.alloc(60_000, 7));
    spy.commands.length = 0;
    expect((await bytesOf(spied, "k")).length).to.equal(60_000);
    expect(spy.commands).to.deep.equal(["GetObject"]);
  });

  it("frees the connection when the consumer stops early, or the object is closed", async () => {
    const { bucket, harness, storage, keyring } = current();
    const agent = new Agent({ keepAlive: true });
    const client = spyOn(bucket, { requestHandler: { httpAgent: agent } }).client;
    const reading = harness.open({ keyring, client });
    await storage.put("k", LARGE);
    const inUse = (): number => Object.values(agent.sockets).flat().length;
    const { stream } = await reading.get("k");
    for await (const _chunk of stream) {
      if (stream.readableFlowing !== true && inUse() > 0) break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(inUse()).to.equal(0);

    const object = await reading.open("k");
    const pieces = object.stream()[Symbol.asyncIterator]();
    for (let i = 0; i < 3; i++) await pieces.next();
    expect(inUse()).to.equal(1);
    await object.close();
    const rest = async (): Promise<void> => {
      while ((await pieces.next()).done !== true);
    };
    expect(await thrownCode(rest)).to.equal("ERR_STORAGE_BACKEND");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(inUse()).to.equal(0);
    client.destroy();
  });

  it("goes on where a connection broke, and gives up when that does not help", async () => {
    const { bucket, harness, storage, keyring } = current();
    await storage.put("k", LARGE);
    const proxy = await cuttingProxy(bucket.endpoint, { afterBytes: 5 * MIB });
    try {
      const { credentials } = bucket;
      const reading = harness.open({ keyring, endpoint: proxy.endpoint, credentials });
      expect((await bytesOf(reading, "k")).equals(LARGE)).to.equal(true);
      expect(proxy.cuts(), "the proxy must have cut").to.be.greaterThan(2);
      proxy.cutAfter(40_000);
      expect(await thrownCode(() => bytesOf(reading, "k"))).to.equal("ERR_STORAGE_BACKEND");
    } finally {
      await proxy.stop();
    }
  });

  it("notices that an older version was restored, by the object id", async () => {
    const { bucket, harness, storage } = current();
    await storage.put("k", Buffer.from("old"));
    const { Metadata } = await harness.head("k");
    const body = await harness.readBody("k");
    const { objectId: expectedObjectId } = await storage.put("k", Buffer.from("new"));
    await bucket.client.send(new PutObjectCommand({ ...harness.at("k"), Body: body, Metadata }));
    expect((await bytesOf(storage, "k")).toString(), "by itself it is intact").to.equal("old");
    expect(await thrownCode(() => storage.get("k", { expectedObjectId }))).to.equal(
      "ERR_STORAGE_MISMATCH",
    );
  });
});
