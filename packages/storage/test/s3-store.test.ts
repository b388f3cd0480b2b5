// What only S3 has: parts, metadata and tags beside the body, copies on the server, requests that meet.
import { randomBytes } from "node:crypto";
import { Agent } from "node:http";
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import type { EncryptedS3Storage } from "@fieldseal/storage";
import { expect } from "chai";
import { findIn } from "../../../test/support/leak-search.ts";
import { createTestBucket, type TestBucket } from "../../../test/support/radosgw.ts";
import { BackendStorage } from "../src/backend-storage.ts";
import { S3Backend } from "../src/s3-backend.ts";
import { S3Bucket } from "../src/s3-bucket.ts";
import { inChunks, thrownBy } from "./support/bodies.ts";
import { cuttingProxy } from "./support/cutting-proxy.ts";
import { s3Harness, type S3Harness } from "./support/s3-harness.ts";
import { spyOn, type S3Spy } from "./support/s3-spy.ts";

const MIB = 1024 * 1024;
/** Without "%": Ceph 16 dies of an UploadPartCopy whose source has one in its key. */
const KEPT = "kept/a b+ü.mp4";
const ODD_KEY = "videos/2026/100% a b+ü/🎥 %2e.mp4";

describe("EncryptedS3Storage in its bucket", function () {
  this.timeout(60_000);
  const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
  const keyring = Keyring.fromKey(oldKey);
  const next = Keyring.fromKey(newKey, { previous: [oldKey] });
  /** Three parts and a bit. */
  const large = randomBytes(17 * MIB);
  let bucket: TestBucket;
  let harness: S3Harness;
  let storage: EncryptedS3Storage;
  let spy: S3Spy;
  /** The same, under the new key, through the client that is spied on. */
  let spied: EncryptedS3Storage;

  before(async function () {
    bucket = await createTestBucket(this);
  });
  after(() => bucket?.drop());
  beforeEach(() => {
    harness = s3Harness(bucket);
    storage = harness.open({ keyring });
    spy = spyOn(bucket);
    spied = harness.open({ keyring: next, client: spy.client });
  });
  afterEach(async () => {
    expect(await harness.leftovers(), "no test leaves an upload").to.equal(0);
    spy.client.destroy();
  });

  const bytesOf = async (key: string, from = storage): Promise<Buffer> =>
    (await from.get(key)).bytes();
  const codeOf = async (action: () => unknown): Promise<unknown> =>
    ((await thrownBy(action)) as { code?: unknown }).code;
  /** Before the nth command of that name is sent. */
  const beforeNth = (command: string, nth: number, action: () => unknown): void => {
    let count = 0;
    spy.before = (sent) => (sent === command && ++count === nth ? action() : undefined);
  };
  const refused = Object.assign(new Error("refused"), { name: "AccessDenied", $metadata: {} });
  const refuse = (): never => {
    throw refused;
  };
  /** Copies in parts of 5 MiB what is larger than that. */
  const inParts = (keys = next): BackendStorage => {
    const { prefix } = harness;
    const s3 = new S3Bucket({ bucket: bucket.bucket, prefix, client: spy.client });
    const limits = { wholeBytes: 5 * MIB, partBytes: 5 * MIB };
    return new BackendStorage(new S3Backend(s3, limits), { keyring: keys });
  };

  describe("objects in parts", () => {
    it("come back whole and in ranges, of known and of unknown length, under odd keys", async () => {
      for (const source of [large, inChunks(large, 777_777)]) {
        spy.commands.length = 0;
        const info = await spied.put(ODD_KEY, source, { tags: { team: "blue +1" } });
        expect(info.size).to.equal(large.length);
        expect(spy.commands.filter((name) => name === "UploadPart")).to.have.length(3);
        expect((await bytesOf(ODD_KEY, spied)).equals(large)).to.equal(true);
        const range = { start: 8 * MIB - 5, end: 16 * MIB + 5 };
        const { bytes } = await spied.get(ODD_KEY, { range });
        expect((await bytes()).equals(large.subarray(range.start, range.end + 1))).to.equal(true);
        expect(await harness.tags(ODD_KEY)).to.deep.equal({
          team: "blue +1",
          enc: "floe1",
          "enc-kid": next.primary.id,
        });
        expect((await harness.head(ODD_KEY)).ContentType).to.equal("application/octet-stream");
      }
    });

    it("leave neither object nor parts when the source fails, the put is aborted, or a part is refused", async () => {
      const sourceOf = (end: () => Promise<never>) =>
        async function* (): AsyncGenerator<Buffer> {
          yield large;
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

      beforeNth("UploadPart", 2, refuse);
      expect(await codeOf(() => spied.put("k", sourceOf(never)()))).to.equal("ERR_STORAGE_BACKEND");
      beforeNth("CompleteMultipartUpload", 1, refuse);
      expect(await codeOf(() => spied.put("k", large))).to.equal("ERR_STORAGE_BACKEND");
      expect(await codeOf(() => storage.head("k"))).to.equal("ERR_STORAGE_NOT_FOUND");
      expect(spy.commands.filter((name) => name === "AbortMultipartUpload")).to.have.length(4);
    });

    it("tell nothing of content, name or type in any request, small or in parts", async () => {
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
      await storage.put("k", Buffer.from("there"));
      expect(await codeOf(() => spied.put("k", large, { ifAbsent: true }))).to.equal(
        "ERR_STORAGE_EXISTS",
      );
      expect(spy.commands, "nothing is sent for nothing").not.to.include("CreateMultipartUpload");
      beforeNth("UploadPart", 2, () => storage.put("late", Buffer.from("there")));
      expect(await codeOf(() => spied.put("late", large, { ifAbsent: true }))).to.equal(
        "ERR_STORAGE_EXISTS",
      );
      expect((await bytesOf("late")).toString()).to.equal("there");
    });

    it("of a put that died are removed by gc, when they are old and below the prefix", async () => {
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
  });

  describe("requests that meet or get lost", () => {
    it("a put whose answer was lost is not mistaken for another's", async () => {
      const lost = Object.assign(new Error("lost"), { name: "TimeoutError" });
      let answers = 0;
      spy.afterAttempt = (command) => {
        if (command === "PutObject" && ++answers === 1) throw lost;
      };
      const put = await spied.put("k", Buffer.from("x"), { ifAbsent: true });
      expect(answers + spy.commands.filter((name) => name === "PutObject").length).to.be.at.least(
        2,
      );
      expect(await spied.head("k")).to.include({ objectId: put.objectId });
      answers = 0;
      expect(await codeOf(() => spied.put("k", Buffer.from("y"), { ifAbsent: true }))).to.equal(
        "ERR_STORAGE_EXISTS",
      );
    });

    it("rewrap gives no old envelope to a body that was put meanwhile", async () => {
      await storage.put("k", Buffer.from("old"));
      let newer: string | undefined;
      beforeNth("CopyObject", 1, async () => {
        newer = (await storage.put("k", Buffer.from("new"))).objectId;
      });
      expect(await codeOf(() => spied.rewrap("k"))).to.equal("ERR_STORAGE_CHANGED");
      expect((await bytesOf("k")).toString()).to.equal("new");
      expect(await spied.rewrap("k")).to.include({ outcome: "rewrapped" });
      expect(await spied.head("k")).to.include({ objectId: newer, keyId: next.primary.id });
    });

    it("reencrypt does not replace what was put meanwhile, small or in parts", async () => {
      for (const [command, content] of [
        ["PutObject", Buffer.from("old")],
        ["UploadPart", large],
      ] as const) {
        await storage.put("k", content);
        beforeNth(command, 1, () => storage.put("k", Buffer.from("new")));
        expect(await codeOf(() => spied.reencrypt("k")), command).to.equal("ERR_STORAGE_CHANGED");
        expect((await bytesOf("k")).toString()).to.equal("new");
      }
    });

    it("move does not delete what was put at its source meanwhile", async () => {
      await storage.put("from", Buffer.from("old"));
      beforeNth("CopyObject", 1, () => {
        beforeNth("PutObjectTagging", 1, () => storage.put("from", Buffer.from("new")));
      });
      expect(await codeOf(() => spied.move("from", "to"))).to.equal("ERR_STORAGE_CHANGED");
      expect((await bytesOf("from")).toString()).to.equal("new");
      expect((await bytesOf("to")).toString()).to.equal("old");
    });

    it("a rotation that broke off is finished by running it again", async () => {
      const keys = ["1", "2", "3", "4", "5"];
      for (const key of keys) await storage.put(key, Buffer.from(key), { tags: { n: key } });
      beforeNth("CopyObject", 3, refuse);
      const rewrapAll = async (): Promise<string[]> => {
        const outcomes: string[] = [];
        for await (const { key } of spied.list()) outcomes.push((await spied.rewrap(key)).outcome);
        return outcomes;
      };
      expect(await codeOf(rewrapAll)).to.equal("ERR_STORAGE_BACKEND");
      expect(await rewrapAll()).to.deep.equal([
        "current",
        "current",
        "rewrapped",
        "rewrapped",
        "rewrapped",
      ]);
      const only = harness.open({ keyring: Keyring.fromKey(newKey) });
      for (const key of keys) {
        expect((await bytesOf(key, only)).toString()).to.equal(key);
        expect(await only.getTags(key)).to.deep.equal({ n: key });
      }
    });
  });

  describe("rewrap and copy on the server", () => {
    const headers = {
      CacheControl: "private, max-age=60",
      ContentLanguage: "de",
      ContentEncoding: "identity",
      ContentDisposition: "inline",
    };

    it("keep headers, foreign metadata, tags and every byte of the body; no body is fetched", async () => {
      await storage.put(KEPT, large, { tags: { team: "blue" } });
      const { Metadata } = await harness.head(KEPT);
      const source = encodeURIComponent(`${bucket.bucket}/${harness.prefix}${KEPT}`);
      await bucket.client.send(
        new CopyObjectCommand({
          ...harness.at(KEPT),
          ...headers,
          CopySource: source,
          MetadataDirective: "REPLACE",
          Metadata: { ...Metadata, origin: "camera 3" },
        }),
      );
      await storage.setTags(KEPT, { team: "blue" });
      const body = await harness.readBody(KEPT);
      spy.bytesGot = 0;
      for (const rotating of [spied, inParts(Keyring.fromKey(oldKey, { previous: [newKey] }))]) {
        expect(await rotating.rewrap(KEPT)).to.include({ outcome: "rewrapped" });
        await rotating.copy(KEPT, "copy");
        for (const key of [KEPT, "copy"]) {
          const after = await harness.head(key);
          expect(after).to.include(headers);
          expect(after.Metadata).to.have.property("origin", "camera 3");
          expect(after.Metadata?.fieldseal).not.to.equal(Metadata?.fieldseal);
          expect((await harness.readBody(key)).equals(body)).to.equal(true);
          const { keyId: id = "" } = await spied.head(key);
          expect(await harness.tags(key)).to.deep.equal({
            team: "blue",
            enc: "floe1",
            "enc-kid": id,
          });
        }
      }
      expect(spy.commands.filter((name) => name === "UploadPartCopy")).to.have.length(8);
      expect(spy.bytesGot).to.be.lessThan(2 * MIB);
    });

    it("in parts, too, refuse what changed meanwhile, and leave no parts when one fails", async () => {
      await storage.put("k", large);
      const rotating = inParts();
      beforeNth("UploadPartCopy", 2, refuse);
      expect(await codeOf(() => rotating.rewrap("k"))).to.equal("ERR_STORAGE_BACKEND");
      beforeNth("UploadPartCopy", 2, () => storage.put("k", large.subarray(MIB)));
      expect(await codeOf(() => rotating.rewrap("k"))).to.be.oneOf([
        "ERR_STORAGE_CHANGED",
        "ERR_STORAGE_BACKEND",
      ]);
      expect((await bytesOf("k")).equals(large.subarray(MIB))).to.equal(true);
    });
  });

  describe("reading", () => {
    it("fetches the segments that are needed, and no others", async () => {
      await storage.put("k", large);
      spy.bytesGot = 0;
      const object = await spied.open("k");
      const segment = 65_536;
      expect(spy.bytesGot, "open: header and first segment").to.be.at.most(74 + segment);
      spy.bytesGot = 0;
      for (const offset of [100 * segment, 5 * MIB, large.length - 10]) {
        await object.read(offset, 10);
      }
      expect(spy.bytesGot).to.be.at.most(3 * segment);
      await object.read(0, 100);
      expect(spy.bytesGot, "what open has fetched is not fetched again").to.be.at.most(3 * segment);
      await object.close();
      spy.bytesGot = 0;
      const { bytes } = await spied.get("k", { range: { start: MIB, end: 2 * MIB - 1 } });
      expect((await bytes()).equals(large.subarray(MIB, 2 * MIB))).to.equal(true);
      expect(spy.bytesGot).to.be.at.most(MIB + 3 * segment + 1000);
    });

    it("small objects takes one request", async () => {
      await storage.put("k", Buffer.alloc(60_000, 7));
      spy.commands.length = 0;
      expect((await bytesOf("k", spied)).length).to.equal(60_000);
      expect(spy.commands).to.deep.equal(["GetObject"]);
    });

    it("frees the connection when the consumer stops early, or the object is closed", async () => {
      const agent = new Agent({ keepAlive: true });
      const client = spyOn(bucket, { requestHandler: { httpAgent: agent } }).client;
      const reading = harness.open({ keyring, client });
      await storage.put("k", large);
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
      expect(await codeOf(rest)).to.equal("ERR_STORAGE_BACKEND");
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(inUse()).to.equal(0);
      client.destroy();
    });

    it("goes on where a connection broke, and gives up when that does not help", async () => {
      await storage.put("k", large);
      const proxy = await cuttingProxy(bucket.endpoint, { afterBytes: 5 * MIB });
      try {
        const { credentials } = bucket;
        const reading = harness.open({ keyring, endpoint: proxy.endpoint, credentials });
        expect((await bytesOf("k", reading)).equals(large)).to.equal(true);
        expect(proxy.cuts(), "the proxy must have cut").to.be.greaterThan(2);
        proxy.cutAfter(40_000);
        expect(await codeOf(() => bytesOf("k", reading))).to.equal("ERR_STORAGE_BACKEND");
      } finally {
        await proxy.stop();
      }
    });

    it("notices that an older version was restored, by the object id", async () => {
      await storage.put("k", Buffer.from("old"));
      const { Metadata } = await harness.head("k");
      const body = await harness.readBody("k");
      const { objectId: expectedObjectId } = await storage.put("k", Buffer.from("new"));
      await bucket.client.send(new PutObjectCommand({ ...harness.at("k"), Body: body, Metadata }));
      expect((await bytesOf("k")).toString(), "by itself it is intact").to.equal("old");
      expect(await codeOf(() => storage.get("k", { expectedObjectId }))).to.equal(
        "ERR_STORAGE_MISMATCH",
      );
    });
  });

  describe("what is beside the body", () => {
    it("fits into the metadata that S3 keeps, or is refused before anything is sent", async () => {
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

    it("lists all pages, in order, without what no key leads to", async () => {
      const keys = ["a", "b/1", "b/2", "b/3", "c", "d"];
      for (const key of keys) await storage.put(key, Buffer.from(key));
      for (const key of ["b/", ".hidden", "x//y"]) {
        await bucket.client.send(new PutObjectCommand({ ...harness.at(key), Body: "x" }));
      }
      spy.before = (_command, input) => void (input.MaxKeys = 2);
      const listed: string[] = [];
      for await (const { key } of spied.list()) listed.push(key);
      expect(listed).to.deep.equal(keys);
      expect(spy.commands.length).to.be.greaterThan(3);
    });

    it("keeps the tags of older objects that are migrated, but for those that tell", async () => {
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
      for (const content of [Buffer.from("small"), large]) {
        const info = await spied.put("k", inChunks(content, 100_000));
        expect(info.size).to.equal(content.length);
        expect((await bytesOf("k", spied)).equals(content)).to.equal(true);
      }
      const { Body } = await spy.client.send(new GetObjectCommand(harness.at("k")));
      expect((await Body?.transformToByteArray())?.length).to.be.greaterThan(large.length);
    });
  });
});
