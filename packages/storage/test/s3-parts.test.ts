// Objects that are sent in parts: whole or not at all, and telling nothing.
import { setTimeout as delay } from "node:timers/promises";
import { CreateMultipartUploadCommand, UploadPartCommand } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { findIn } from "../../../test/support/leak-search.ts";
import { inChunks, thrownBy, thrownCode } from "./support/bodies.ts";
import { beforeNth, LARGE, MIB, refuse, useS3Subject } from "./support/s3-subject.ts";
import { bytesOf } from "./support/storage-subject.ts";

const ODD_KEY = "videos/2026/100% a b+ü/🎥 %2e.mp4";

describe("objects of many parts in S3", function () {
  this.timeout(60_000);
  const current = useS3Subject();

  it("come back whole and in ranges, of known and of unknown length, under odd keys", async () => {
    const { harness, spy, spied, next } = current();
    for (const source of [LARGE, inChunks(LARGE, 777_777)]) {
      spy.commands.length = 0;
      const info = await spied.put(ODD_KEY, source, { tags: { team: "blue +1" } });
      expect(info.size).to.equal(LARGE.length);
      expect(spy.commands.filter((name) => name === "UploadPart")).to.have.length(3);
      expect((await bytesOf(spied, ODD_KEY)).equals(LARGE)).to.equal(true);
      const range = { start: 8 * MIB - 5, end: 16 * MIB + 5 };
      const { bytes } = await spied.get(ODD_KEY, { range });
      expect((await bytes()).equals(LARGE.subarray(range.start, range.end + 1))).to.equal(true);
      expect(await harness.tags(ODD_KEY)).to.deep.equal({
        team: "blue +1",
        enc: "floe1",
        "enc-kid": next.primary.id,
      });
      expect((await harness.head(ODD_KEY)).ContentType).to.equal("application/octet-stream");
    }
  });

  it("leave neither object nor parts when the source fails, the put is aborted, or a part is refused", async () => {
    const { storage, spy, spied } = current();
    const sourceOf = (end: () => Promise<never>) =>
      async function* (): AsyncGenerator<Buffer> {
        yield LARGE;
        await end();
      };
    const fail = (): Promise<never> => Promise.reject(new Error("the camera went away"));
    const never = (): Promise<never> => new Promise(() => {});

    const failed = await thrownBy(() => spied.put("k", sourceOf(fail)()));
    expect(failed.message).to.equal("the camera went away");

    const abort = new AbortController();
    spy.before = (command) => {
      if (command === "UploadPart") setTimeout(() => abort.abort(new Error("enough")), 5);
    };
    const { signal } = abort;
    const aborted = await thrownBy(() => spied.put("k", sourceOf(never)(), { signal }));
    expect(aborted.message).to.equal("enough");

    beforeNth(spy, "UploadPart", 2, refuse);
    expect(await thrownCode(() => spied.put("k", sourceOf(never)()))).to.equal(
      "ERR_STORAGE_BACKEND",
    );
    beforeNth(spy, "CompleteMultipartUpload", 1, refuse);
    expect(await thrownCode(() => spied.put("k", LARGE))).to.equal("ERR_STORAGE_BACKEND");
    expect(await thrownCode(() => storage.head("k"))).to.equal("ERR_STORAGE_NOT_FOUND");
    expect(spy.commands.filter((name) => name === "AbortMultipartUpload")).to.have.length(4);
  });

  it("tell nothing of content, name or type in any request, small or in parts", async () => {
    const { harness, spy, spied, keyring } = current();
    const sent: Buffer[] = [];
    spy.before = (command, input) => {
      const { Body, ...described } = input as { Body?: Uint8Array };
      sent.push(Buffer.from(JSON.stringify([command, described])), Buffer.from(Body ?? []));
    };
    const content = "MarkerOfContent-7f3a9c";
    const described = {
      contentType: "text/x-marker-of-type",
      fileName: "marker-of-file-name.txt",
      metadata: { "marker-of-metadata-name": "marker-of-metadata-value" },
      tags: { team: "a-public-tag" },
    };
    await spied.put("leak/1", Buffer.from(content), described);
    await spied.put("leak/2", Buffer.from(`${content} `.repeat(400_000)), described);
    expect(spy.commands).to.include.members(["PutObject", "UploadPart"]);
    await spied.setTags("leak/1", { team: "a-public-tag" });
    await harness.open({ keyring, client: spy.client }).put("leak/3", Buffer.from(content));
    await spied.rewrap("leak/3");
    await spied.copy("leak/2", "leak/4");
    const everything = Buffer.concat(sent);
    expect(findIn("a tag", everything, "a-public-tag"), "the search finds").not.to.deep.equal([]);
    const { contentType, fileName } = described;
    for (const marker of [content, contentType, fileName, "marker-of-metadata"])
      expect(findIn("requests", everything, marker)).to.deep.equal([]);
  });

  it("do not replace anything with ifAbsent, also what came while the parts were sent", async () => {
    const { storage, spy, spied } = current();
    await storage.put("k", Buffer.from("there"));
    expect(await thrownCode(() => spied.put("k", LARGE, { ifAbsent: true }))).to.equal(
      "ERR_STORAGE_EXISTS",
    );
    expect(spy.commands, "nothing is sent for nothing").not.to.include("CreateMultipartUpload");
    beforeNth(spy, "UploadPart", 2, () => storage.put("late", Buffer.from("there")));
    expect(await thrownCode(() => spied.put("late", LARGE, { ifAbsent: true }))).to.equal(
      "ERR_STORAGE_EXISTS",
    );
    expect((await bytesOf(storage, "late")).toString()).to.equal("there");

    // Between the last look and the completion only the store can tell.
    const conditions: unknown[] = [];
    spy.before = (command, input) => {
      if (command === "CompleteMultipartUpload")
        conditions.push((input as { IfNoneMatch?: string }).IfNoneMatch);
    };
    await spied.put("new", LARGE, { ifAbsent: true });
    await spied.put("new", LARGE);
    expect(conditions).to.deep.equal(["*", undefined]);
  });

  it("that cannot be removed do not hide why the put failed", async () => {
    const { storage, spy, spied } = current();
    spy.before = (command) =>
      command === "AbortMultipartUpload" || command === "CompleteMultipartUpload"
        ? refuse()
        : undefined;
    async function* failing(): AsyncGenerator<Buffer> {
      yield LARGE;
      throw new Error("the camera went away");
    }
    const failed = await thrownBy(() => spied.put("k", failing()));
    expect(failed.message).to.equal("the camera went away");
    const error = await thrownBy(() => spied.put("k", LARGE));
    expect(error.message).to.match(/AccessDenied.*what the credentials are allowed/);
    expect(await thrownCode(() => storage.head("k"))).to.equal("ERR_STORAGE_NOT_FOUND");
    expect(await storage.gc({ olderThanMs: -5000 })).to.have.property("removed", 2);
  });

  it("of a put that died are removed by gc, when they are old and below the prefix", async () => {
    const { bucket, harness, storage, keyring } = current();
    const begin = async (key: string): Promise<void> => {
      const { UploadId } = await bucket.client.send(
        new CreateMultipartUploadCommand(harness.at(key)),
      );
      const part = { ...harness.at(key), UploadId, PartNumber: 1, Body: Buffer.alloc(1000) };
      await bucket.client.send(new UploadPartCommand(part));
    };
    await Promise.all(["a", "b", "c"].map(begin));
    expect(await storage.gc({ olderThanMs: 60_000 })).to.deep.equal({ removed: 0, bytes: 0 });
    const elsewhere = harness.open({ keyring, prefix: "elsewhere/" });
    expect(await elsewhere.gc({ olderThanMs: -5000 })).to.deep.equal({ removed: 0, bytes: 0 });
    expect(await storage.gc({ olderThanMs: -5000 })).to.deep.equal({ removed: 3, bytes: 3000 });
  });

  it("of a put that takes longer than gc waits are kept while more of them come", async () => {
    const { bucket, harness, storage } = current();
    const upload = harness.at("k");
    const { UploadId } = await bucket.client.send(new CreateMultipartUploadCommand(upload));
    // Some stores tell times in whole seconds.
    await delay(1100);
    const between = Date.now();
    await delay(1100);
    const part = { ...upload, UploadId, PartNumber: 1, Body: Buffer.alloc(1000) };
    await bucket.client.send(new UploadPartCommand(part));
    const none = { removed: 0, bytes: 0 };
    expect(await storage.gc({ olderThanMs: Date.now() - between })).to.deep.equal(none);
    expect(await storage.gc({ olderThanMs: -5000 })).to.deep.equal({ removed: 1, bytes: 1000 });
  });

  it("that were removed before they became an object are no missing object", async () => {
    const { storage, spy, spied } = current();
    beforeNth(spy, "UploadPart", 3, () => storage.gc({ olderThanMs: -5000 }));
    const error = await thrownBy(() => spied.put("k", LARGE));
    expect(error).to.have.property("code", "ERR_STORAGE_BACKEND");
    expect(error.message).to.match(/NoSuchUpload 404\. .*gc or a lifecycle rule\.$/);
  });
});
