// Requests that meet others, or whose answers get lost.
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { thrownCode } from "./support/bodies.ts";
import { beforeNth, LARGE, refuse, useS3Subject } from "./support/s3-subject.ts";
import { bytesOf } from "./support/storage-subject.ts";

describe("requests to S3 that meet or get lost", function () {
  this.timeout(60_000);
  const current = useS3Subject();

  it("a put whose answer was lost is not mistaken for another's", async () => {
    const { spy, spied } = current();
    const lost = Object.assign(new Error("lost"), { name: "TimeoutError" });
    let answers = 0;
    spy.afterAttempt = (command) => {
      if (command === "PutObject" && ++answers === 1) throw lost;
    };
    const put = await spied.put("k", Buffer.from("x"), { ifAbsent: true });
    expect(answers + spy.commands.filter((name) => name === "PutObject").length).to.be.at.least(2);
    expect(await spied.head("k")).to.include({ objectId: put.objectId });
    answers = 0;
    expect(await thrownCode(() => spied.put("k", Buffer.from("y"), { ifAbsent: true }))).to.equal(
      "ERR_STORAGE_EXISTS",
    );
  });

  it("rewrap gives no old envelope to a body that was put meanwhile", async () => {
    const { storage, spy, spied, next } = current();
    await storage.put("k", Buffer.from("old"));
    let newer: string | undefined;
    beforeNth(spy, "CopyObject", 1, async () => {
      newer = (await storage.put("k", Buffer.from("new"))).objectId;
    });
    expect(await thrownCode(() => spied.rewrap("k"))).to.equal("ERR_STORAGE_CHANGED");
    expect((await bytesOf(storage, "k")).toString()).to.equal("new");
    expect(await spied.rewrap("k")).to.include({ outcome: "rewrapped" });
    expect(await spied.head("k")).to.include({ objectId: newer, keyId: next.primary.id });
  });

  it("reencrypt does not replace what was put meanwhile, small or in parts", async () => {
    const { storage, spy, spied } = current();
    for (const [command, content] of [
      ["PutObject", Buffer.from("old")],
      ["UploadPart", LARGE],
    ] as const) {
      await storage.put("k", content);
      beforeNth(spy, command, 1, () => storage.put("k", Buffer.from("new")));
      expect(await thrownCode(() => spied.reencrypt("k")), command).to.equal("ERR_STORAGE_CHANGED");
      expect((await bytesOf(storage, "k")).toString()).to.equal("new");
    }
  });

  it("move does not delete what was put at its source meanwhile", async () => {
    const { storage, spy, spied } = current();
    await storage.put("from", Buffer.from("old"));
    beforeNth(spy, "CopyObject", 1, () => {
      beforeNth(spy, "PutObjectTagging", 1, () => storage.put("from", Buffer.from("new")));
    });
    expect(await thrownCode(() => spied.move("from", "to"))).to.equal("ERR_STORAGE_CHANGED");
    expect((await bytesOf(storage, "from")).toString()).to.equal("new");
    expect((await bytesOf(storage, "to")).toString()).to.equal("old");
  });

  it("tags that are set while an object is written anew are kept", async () => {
    const { bucket, harness, storage, next, spy, spied } = current();
    await storage.put("k", LARGE, { tags: { n: "1" } });
    beforeNth(spy, "UploadPart", 1, () => storage.setTags("k", { n: "2" }));
    expect(await thrownCode(() => spied.reencrypt("k"))).to.equal("ERR_STORAGE_CHANGED");
    expect(await storage.getTags("k")).to.deep.equal({ n: "2" });
    const afterCopy = async (action: () => unknown): Promise<void> => {
      beforeNth(spy, "CopyObject", 1, () => beforeNth(spy, "GetObjectTagging", 1, action));
      await spied.rewrap("k");
    };
    const other = harness.open({ keyring: next });
    await afterCopy(() => other.setTags("k", { n: "3" }));
    expect(await storage.getTags("k")).to.deep.equal({ n: "3" });
    // Of an object that came meanwhile, with tags or without.
    for (const tags of [{ n: "4" }, {}]) {
      beforeNth(spy, "GetObjectTagging", 1, () => storage.put("k", Buffer.from("new"), { tags }));
      await spied.put("k", LARGE, { tags: { n: "5" } });
      expect(await storage.getTags("k")).to.deep.equal(tags);
    }
    // Of one whose own tags are not there yet.
    const another = new PutObjectCommand({ ...harness.at("k"), Body: "another" });
    beforeNth(spy, "GetObjectTagging", 1, () => bucket.client.send(another));
    await spied.put("k", LARGE, { tags: { n: "5" } });
    expect(await harness.tags("k")).to.deep.equal({});
  });

  it("a put or a copy whose object is deleted at once has not failed", async () => {
    const { storage, spy, spied } = current();
    await storage.put("from", Buffer.from("x"));
    // A copy reads the tags of its source first.
    for (const [nth, write] of [
      [1, () => spied.put("k", LARGE)],
      [2, () => spied.copy("from", "k")],
    ] as const) {
      beforeNth(spy, "GetObjectTagging", nth, () => storage.delete("k"));
      await write();
      expect(await thrownCode(() => storage.head("k"))).to.equal("ERR_STORAGE_NOT_FOUND");
    }
  });

  it("a rotation that broke off is finished by running it again", async () => {
    const { harness, storage, spy, spied, newKey } = current();
    const keys = ["1", "2", "3", "4", "5"];
    for (const key of keys) await storage.put(key, Buffer.from(key), { tags: { n: key } });
    beforeNth(spy, "CopyObject", 3, refuse);
    const rewrapAll = async (): Promise<string[]> => {
      const outcomes: string[] = [];
      for await (const { key } of spied.list()) outcomes.push((await spied.rewrap(key)).outcome);
      return outcomes;
    };
    expect(await thrownCode(rewrapAll)).to.equal("ERR_STORAGE_BACKEND");
    expect(await rewrapAll()).to.deep.equal([
      "current",
      "current",
      "rewrapped",
      "rewrapped",
      "rewrapped",
    ]);
    const only = harness.open({ keyring: Keyring.fromKey(newKey) });
    for (const key of keys) {
      expect((await bytesOf(only, key)).toString()).to.equal(key);
      expect(await only.getTags(key)).to.deep.equal({ n: key });
    }
  });
});
