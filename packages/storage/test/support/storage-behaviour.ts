// What every storage does, on whatever store: run by local-storage.test.ts and by the tests of S3.
import { createCipheriv, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { generateRootKey, Keyring, type InsecureEvent } from "@fieldseal/crypto";
import { channel } from "node:diagnostics_channel";
import type { EncryptedStorage, VerifiedObject } from "@fieldseal/storage";
import { expect } from "chai";
import { encodingsOf, findIn } from "../../../../test/support/leak-search.ts";
import { collect, inChunks, thrownBy } from "./bodies.ts";
import type { StorageHarness } from "./storage-harness.ts";

const SEGMENT = 65_504;

export function describeStorage(makeHarness: () => Promise<StorageHarness>): void {
  let harness: StorageHarness;
  let storage: EncryptedStorage;
  let rootKey: string;
  let keyring: Keyring;

  beforeEach(async () => {
    rootKey = generateRootKey();
    keyring = Keyring.fromKey(rootKey);
    harness = await makeHarness();
    storage = harness.open({ keyring });
  });
  afterEach(() => harness.remove());

  const bytesOf = async (key: string, from = storage): Promise<Buffer> =>
    (await from.get(key)).bytes();
  const code = async (action: () => unknown): Promise<unknown> =>
    ((await thrownBy(action)) as { code?: unknown }).code;
  const findings = async (from = storage, options = {}): Promise<VerifiedObject[]> => {
    const found: VerifiedObject[] = [];
    for await (const one of from.verify(options)) found.push(one);
    return found;
  };

  describe("put and get", () => {
    it("gives back what was put, from every kind of source", async () => {
      const bytes = randomBytes(200_000);
      const sources = {
        buffer: bytes,
        "Uint8Array of another buffer": new Uint8Array(bytes),
        Blob: new Blob([bytes]),
        Readable: Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)]),
        ReadableStream: new Blob([bytes]).stream(),
        "async iterable": inChunks(bytes, 999),
      };
      for (const [name, source] of Object.entries(sources)) {
        const info = await storage.put("a/b.bin", source);
        expect(info.size, name).to.equal(bytes.length);
        expect((await bytesOf("a/b.bin")).equals(bytes), name).to.equal(true);
      }
    });

    it("keeps objects of every length around the ends of segments", async () => {
      for (const size of [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 1]) {
        const bytes = randomBytes(size);
        const key = `sizes/${size}`;
        await storage.put(key, size % 2 === 0 ? bytes : inChunks(bytes, 4096));
        expect((await storage.head(key)).size).to.equal(size);
        expect((await bytesOf(key)).equals(bytes)).to.equal(true);
      }
    });

    it("keeps type, name and metadata, and gives the same from put, head and get", async () => {
      const options = {
        contentType: "video/mp4; codecs=avc1",
        fileName: "Überwachung – Tor 3.mp4",
        metadata: { camera: "north", größe: "640×480" },
      };
      const put = await storage.put("v", Buffer.from("video"), options);
      expect(put).to.include({
        key: "v",
        size: 5,
        contentType: options.contentType,
        fileName: options.fileName,
        protection: "encrypted",
        keyId: keyring.primary.id,
      });
      expect(put.metadata).to.deep.equal(options.metadata);
      expect(put.objectId).to.match(/^[0-9a-f]{32}$/);
      const head = await storage.head("v");
      expect({ ...head, modifiedAt: 0 }).to.deep.equal({ ...put, modifiedAt: 0 });
      const got = await storage.get("v");
      expect(got.info).to.deep.equal(head);
      got.stream.destroy();
      expect(Math.abs(Date.now() - head.modifiedAt.getTime())).to.be.lessThan(60_000);
    });

    it("takes keys with spaces, plus, percent, umlauts and emoji", async () => {
      const keys = ["videos/2026/a b+ü.mp4", "100%/%2e%2e", "катя/🎥", "a=b&c?d#e", "x.y.z"];
      for (const key of keys) {
        await storage.put(key, Buffer.from(key));
        expect((await bytesOf(key)).toString()).to.equal(key);
      }
      const listed: string[] = [];
      for await (const { key } of storage.list()) listed.push(key);
      expect(listed).to.have.members(keys);
    });

    it("leaves no plaintext, file name, type or metadata in the store, also before a put has ended", async () => {
      const content = "MarkerOfContent-7f3a9c";
      const markers = [
        content,
        "text/x-marker-of-type",
        "marker-of-file-name",
        "marker-of-metadata-name",
        "marker-of-metadata-value",
      ];
      const described = {
        contentType: "text/x-marker-of-type",
        fileName: "marker-of-file-name.txt",
        metadata: { "marker-of-metadata-name": "marker-of-metadata-value" },
        tags: { retention: "30d" },
      };
      const expectNothing = async (): Promise<void> => {
        const stored = await harness.everything();
        expect(findIn("a key", stored, "leak/").length, "the search finds").to.be.greaterThan(0);
        for (const marker of markers) expect(findIn("store", stored, marker)).to.deep.equal([]);
      };
      await storage.put("leak/1", Buffer.from(`${content} `.repeat(9000)), described);
      await storage.put("leak/2", inChunks(Buffer.from(content), 5), described);
      await storage.rewrap("leak/1");
      await storage.copy("leak/1", "leak/3");
      await storage.reencrypt("leak/2");
      await expectNothing();

      const chunk = Buffer.from(`${content} `.repeat(50_000));
      async function* source(): AsyncGenerator<Buffer> {
        for (let i = 0; i < 20; i++) yield chunk;
        expect(await harness.leftovers(), "a temporary file, or parts").to.equal(1);
        await expectNothing();
      }
      await storage.put("leak/4", source(), described);
      await expectNothing();
    });

    it("has a search for leaks that finds each encoding, in content, description and tags", async () => {
      const marker = "MarkerOfControl-7f3a9c";
      // Not random: beside a byte of zero, UTF-16 of one byte order is also that of the other.
      const around = Buffer.alloc(99, 0xa5);
      for (const [encoding, bytes] of encodingsOf(marker)) {
        await harness.writeForeign("control", Buffer.concat([around, bytes, around]), {});
        expect(findIn("store", await harness.everything(), marker), encoding).to.deep.equal([
          `store (${encoding})`,
        ]);
      }
      await harness.writeForeign("control", randomBytes(9), { origin: `from ${marker}` });
      expect(findIn("store", await harness.everything(), marker)).to.deep.equal(["store (UTF-8)"]);
      await harness.writeForeign("control", randomBytes(9), {});
      await storage.put("tagged", Buffer.from("x"), { tags: { team: marker } });
      expect(findIn("store", await harness.everything(), marker)).to.deep.equal(["store (UTF-8)"]);
    });

    it("replaces an object whole, and the new one has another id and etag", async () => {
      const first = await storage.put("k", Buffer.from("first"), { fileName: "first.txt" });
      const second = await storage.put("k", Buffer.from("second"));
      expect(second.objectId).not.to.equal(first.objectId);
      expect(second.etag).not.to.equal(first.etag);
      const head = await storage.head("k");
      expect(head.fileName).to.equal(undefined);
      expect((await bytesOf("k")).toString()).to.equal("second");
    });

    it("reports progress in bytes of the source", async () => {
      const progress: number[] = [];
      await storage.put("p", inChunks(Buffer.alloc(1000), 400), {
        onProgress: ({ bytes }) => progress.push(bytes),
      });
      expect(progress).to.deep.equal([400, 800, 1000]);
    });

    it("keeps no chunk that it has taken, with an abort signal or without", async () => {
      for (const signal of [undefined, new AbortController().signal]) {
        const chunks: WeakRef<Buffer>[] = [];
        let alive = 0;
        async function* source(): AsyncGenerator<Buffer> {
          for (let i = 0; i < 300; i++) {
            const chunk = Buffer.allocUnsafeSlow(16_384);
            chunks.push(new WeakRef(chunk));
            yield chunk;
          }
          // A WeakRef that was just made holds its target until the running task ends.
          await new Promise((resolve) => setTimeout(resolve, 5));
          globalThis.gc?.();
          alive = chunks.filter((chunk) => chunk.deref() !== undefined).length;
        }
        await storage.put("k", source(), { ...(signal && { signal }) });
        expect(chunks).to.have.length(300);
        expect(alive).to.be.lessThan(5);
      }
    });

    it("with ifAbsent lets one of eight racing puts win, and never replaces", async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) =>
          storage.put("race", Buffer.from(`writer ${i}`), { ifAbsent: true }),
        ),
      );
      const winners = results.flatMap((result, i) => (result.status === "fulfilled" ? [i] : []));
      expect(winners.length).to.equal(1);
      for (const result of results) {
        if (result.status === "rejected")
          expect(result.reason).to.include({ code: "ERR_STORAGE_EXISTS" });
      }
      expect((await bytesOf("race")).toString()).to.equal(`writer ${winners[0]}`);
      expect(await harness.leftovers()).to.equal(0);
    });

    it("leaves one whole object of many concurrent puts, and readers see whole ones throughout", async () => {
      const contents = Array.from({ length: 6 }, (_, i) => Buffer.alloc(150_000, i + 1));
      await storage.put("busy", contents[0]!);
      const state = { isWriting: true };
      const writing = Promise.all(contents.map((bytes) => storage.put("busy", bytes))).finally(
        () => {
          state.isWriting = false;
        },
      );
      while (state.isWriting) {
        const seen = await bytesOf("busy").catch((error: { code?: unknown }) => {
          // Where a store cannot hold an object open.
          expect(error.code).to.equal("ERR_STORAGE_CHANGED");
          return contents[0]!;
        });
        expect(contents.some((bytes) => bytes.equals(seen))).to.equal(true);
      }
      await writing;
      expect(await harness.leftovers()).to.equal(0);
    });
  });

  describe("a put that fails", () => {
    const afterFailure = async (): Promise<void> => {
      expect((await bytesOf("k")).toString()).to.equal("old");
      expect(await code(() => storage.head("new"))).to.equal("ERR_STORAGE_NOT_FOUND");
      expect(await harness.leftovers()).to.equal(0);
    };
    beforeEach(() => storage.put("k", Buffer.from("old")));

    it("in its source leaves the old object, and nothing else", async () => {
      async function* failing(): AsyncGenerator<Buffer> {
        yield Buffer.alloc(3_000_000);
        throw new Error("the camera went away");
      }
      for (const key of ["k", "new"]) {
        const error = await thrownBy(() => storage.put(key, failing()));
        expect(error.message).to.equal("the camera went away");
      }
      await afterFailure();
    });

    it("by an abort signal too, also when the source never gives another chunk", async () => {
      async function* stuck(): AsyncGenerator<Buffer> {
        yield Buffer.alloc(2_000_000);
        await new Promise(() => {});
      }
      for (const key of ["k", "new"]) {
        const abort = new AbortController();
        const reason = new Error("enough");
        const putting = storage.put(key, stuck(), { signal: abort.signal });
        setTimeout(() => abort.abort(reason), 50);
        expect(await thrownBy(() => putting)).to.equal(reason);
      }
      const aborted = AbortSignal.abort(new Error("before"));
      expect(
        (await thrownBy(() => storage.put("k", Buffer.of(1), { signal: aborted }))).message,
      ).to.equal("before");
      await afterFailure();
    });

    it("because the source is shorter or longer than announced, or no bytes", async () => {
      for (const size of [9, 11, -1, 1.5]) {
        const put = (): unknown => storage.put("new", inChunks(Buffer.alloc(10), 3), { size });
        expect(await code(put), String(size)).to.equal("ERR_STORAGE_SOURCE");
      }
      for (const source of ["text", 7, null, {}, Readable.from(["text"])]) {
        expect(await code(() => storage.put("new", source as never))).to.equal(
          "ERR_STORAGE_SOURCE",
        );
      }
      expect(await code(() => storage.put("new", Buffer.alloc(3), { size: 4 }))).to.equal(
        "ERR_STORAGE_SOURCE",
      );
      await afterFailure();
    });

    it("because of what describes it: refused before the source is read", async () => {
      let isRead = false;
      async function* source(): AsyncGenerator<Buffer> {
        isRead = true;
        yield Buffer.of(1);
      }
      const refused = [
        { contentType: "no type" },
        { contentType: "text/plain\r\nx: y" },
        { fileName: "" },
        { fileName: "a/b" },
        { fileName: "a\nb" },
        { metadata: { "": "x" } },
        { metadata: { a: 1 as never } },
        { metadata: { long: "x".repeat(5000) } },
        { tags: { enc: "x" } },
        { tags: { "enc-kid": "x" } },
        { tags: { "aws:x": "x" } },
        { tags: { filename: "x.jpg" } },
        { tags: { email: "ada@example.org" } },
        { tags: { place: "secret place" }, metadata: { where: "secret place" } },
        { tags: { a: "x".repeat(257) } },
        { tags: { ["n".repeat(129)]: "x" } },
        { tags: { a: "x<>" } },
        { tags: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`t${i}`, "x"])) },
      ];
      for (const options of refused) {
        const error = await thrownBy(() => storage.put("new", source(), options));
        expect(error, JSON.stringify(options)).to.include({ code: "ERR_STORAGE_METADATA" });
        expect(error.message).not.to.match(/secret place|ada@|x\.jpg/);
      }
      expect(isRead).to.equal(false);
      await afterFailure();
    });
  });

  describe("reading parts", () => {
    const plaintext = randomBytes(3 * SEGMENT + 500);
    beforeEach(() => storage.put("r", plaintext));

    it("gives any range of bytes, in get and in open", async () => {
      const last = plaintext.length - 1;
      const ranges: [number, number][] = [
        [0, 0],
        [last, last],
        [0, last],
        [SEGMENT - 1, SEGMENT],
        [SEGMENT, 2 * SEGMENT - 1],
        [5, 3 * SEGMENT + 5],
        [last - 100, last + 1000],
      ];
      const object = await storage.open("r");
      for (const [start, end] of ranges) {
        const expected = plaintext.subarray(start, end + 1);
        const got = await storage.get("r", { range: { start, end } });
        expect(got.range).to.deep.equal({ start, end: Math.min(end, last) });
        expect((await got.bytes()).equals(expected)).to.equal(true);
        expect((await object.read(start, end - start + 1)).equals(expected)).to.equal(true);
        expect((await collect(object.stream({ start, end }))).equals(expected)).to.equal(true);
        const target = Buffer.alloc(end - start + 1);
        expect(await object.readInto(target, start)).to.equal(expected.length);
        expect(target.subarray(0, expected.length).equals(expected)).to.equal(true);
      }
      const open = await storage.get("r", { range: { start: 10 } });
      expect((await open.bytes()).equals(plaintext.subarray(10))).to.equal(true);
      expect((await object.read(last, 10)).length).to.equal(1);
      expect((await object.read(last + 5, 10)).length).to.equal(0);
      expect(await object.readInto(Buffer.alloc(10), last + 5)).to.equal(0);
      await object.close();
    });

    it("does not mix what is read at once, also when one of the reads fails", async () => {
      await storage.put("broken", plaintext);
      const body = await harness.readBody("broken");
      body[74 + 65_536 + 700]! ^= 1;
      await harness.writeBody("broken", body);
      const [object, broken] = [await storage.open("r"), await storage.open("broken")];
      const ends = [100, 70_000, 130_000, plaintext.length];
      const reads = Array.from({ length: 12 }, async (_, i) => {
        const end = ends[i % 4] as number;
        const fails = thrownBy(() => broken.read(SEGMENT + 1, 100));
        expect((await object.read(i, end - i)).equals(plaintext.subarray(i, end))).to.equal(true);
        expect(await fails).to.have.property("code", "ERR_STORAGE_TAMPERED");
      });
      await Promise.all(reads);
      await object.close();
      await broken.close();
    });

    it("refuses ranges behind the end and ranges that are none", async () => {
      for (const range of [
        { start: plaintext.length },
        { start: 5, end: 4 },
        { start: -1 },
        { start: 0.5 },
        { start: 0, end: Number.NaN },
      ]) {
        expect(await code(() => storage.get("r", { range }))).to.equal("ERR_STORAGE_RANGE");
      }
      const object = await storage.open("r");
      for (const action of [
        () => object.read(-1, 5),
        () => object.read(0, -1),
        () => object.read(0.5, 1),
        () => object.readInto(Buffer.alloc(5), -1),
      ]) {
        expect(await thrownBy(action)).to.be.instanceOf(RangeError);
      }
      await object.close();
    });

    it("stays with one version while the object is replaced, or says that it changed", async () => {
      const object = await storage.open("r");
      await storage.put("r", randomBytes(plaintext.length));
      try {
        const read = await object.read(SEGMENT * 2, 100);
        expect(read.equals(plaintext.subarray(SEGMENT * 2, SEGMENT * 2 + 100))).to.equal(true);
      } catch (error) {
        expect(error).to.have.property("code", "ERR_STORAGE_CHANGED");
      }
      await object.close();
    });

    it("gives pieces that a slow consumer may keep: none is written to again", async () => {
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      const large = randomBytes(5_000_000);
      await storage.put("slow/encrypted", large);
      const iv = randomBytes(16);
      const cipher = createCipheriv("aes-256-cbc", Buffer.from(rootKey, "hex"), iv);
      await harness.writeForeign(
        "slow/legacy.bin",
        Buffer.concat([iv, cipher.update(large), cipher.final()]),
        { encrypted: "true", "encryption-method": "AES-256-CBC" },
      );
      await harness.writeForeign("slow/plain.bin", large, { encrypted: "false" });
      for (const key of ["slow/encrypted", "slow/legacy.bin", "slow/plain.bin"]) {
        const object = await accepting.open(key);
        const { stream } = await accepting.get(key);
        for (const source of [object.stream(), stream]) {
          const kept: Buffer[] = [];
          for await (const piece of source) {
            kept.push(piece as Buffer);
            // Other reads meanwhile, which would reuse memory that was free.
            if (kept.length % 8 === 0) await object.read(1_000_000, 300_000);
          }
          expect(Buffer.concat(kept).equals(large), key).to.equal(true);
        }
        await object.close();
      }
    });

    it("stops early when the consumer does", async () => {
      const { stream } = await storage.get("r");
      for await (const chunk of stream) {
        expect((chunk as Buffer).length).to.be.greaterThan(0);
        break;
      }
      expect(stream.destroyed).to.equal(true);
    });

    it("checks etag and object id where asked to", async () => {
      const { etag, objectId } = await storage.head("r");
      (await storage.get("r", { ifMatch: etag, expectedObjectId: objectId })).stream.destroy();
      expect(await code(() => storage.get("r", { ifMatch: '"x"' }))).to.equal(
        "ERR_STORAGE_CHANGED",
      );
      expect(await code(() => storage.head("r", { expectedObjectId: "0".repeat(32) }))).to.equal(
        "ERR_STORAGE_MISMATCH",
      );
    });
  });

  describe("keys of objects", () => {
    it("that are not allowed are refused everywhere", async () => {
      const bad = [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        "a/.b",
        "a\\b",
        "a\0b",
        "a\nb",
        "x".repeat(201),
        `${"d/".repeat(600)}x`,
        "\ud800",
        7 as never,
      ];
      for (const key of bad) {
        for (const action of [
          () => storage.put(key, Buffer.of(1)),
          () => storage.get(key),
          () => storage.head(key),
          () => storage.delete(key),
          () => storage.copy("a", key),
          () => storage.rewrap(key),
        ]) {
          expect(await code(action), JSON.stringify(key)).to.equal("ERR_STORAGE_KEY");
        }
      }
    });

    it("that have no object: an error, or false from delete", async () => {
      for (const action of [
        () => storage.get("none"),
        () => storage.open("none/deeper"),
        () => storage.head("none"),
        () => storage.copy("none", "x"),
        () => storage.move("none", "x"),
        () => storage.getTags("none"),
        () => storage.setTags("none", {}),
        () => storage.rewrap("none"),
        () => storage.reencrypt("none"),
      ]) {
        expect(await code(action)).to.equal("ERR_STORAGE_NOT_FOUND");
      }
      expect(await storage.delete("none")).to.equal(false);
    });

    it("are listed in the order of their bytes, from a prefix and after a key", async () => {
      const keys = ["a", "a!/x", "a/b", "a/b/c", "a/b0", "a/ü", "a0", "b/1", "b/2"];
      // A file system cannot have "a" and "a/b" at once.
      const possible = keys.filter((key) => !keys.some((other) => other.startsWith(`${key}/`)));
      for (const key of possible.toReversed()) await storage.put(key, Buffer.from(key));
      const list = async (options = {}): Promise<string[]> => {
        const found: string[] = [];
        for await (const { key, storedBytes } of storage.list(options)) {
          expect(storedBytes).to.be.greaterThan(0);
          found.push(key);
        }
        return found;
      };
      const sorted = possible.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      expect(await list()).to.deep.equal(sorted);
      expect(await list({ prefix: "a/" })).to.deep.equal(
        sorted.filter((key) => key.startsWith("a/")),
      );
      expect(await list({ prefix: "b" })).to.deep.equal(["b/1", "b/2"]);
      expect(await list({ prefix: "nothing" })).to.deep.equal([]);
      for (const startAfter of sorted) {
        expect(await list({ startAfter })).to.deep.equal(
          sorted.slice(sorted.indexOf(startAfter) + 1),
        );
      }
      expect(await code(() => storage.list({ prefix: "../" }))).to.equal("ERR_STORAGE_KEY");
    });
  });

  describe("copy, move, delete and tags", () => {
    it("a copy has the same content, id, etag, description and tags", async () => {
      const put = await storage.put("from", randomBytes(100_000), {
        fileName: "f.bin",
        tags: { team: "blue" },
      });
      await storage.copy("from", "sub/to");
      const [from, to] = [await storage.head("from"), await storage.head("sub/to")];
      expect({ ...to, key: "from", modifiedAt: 0 }).to.deep.equal({ ...from, modifiedAt: 0 });
      expect(to.etag).to.equal(put.etag);
      expect(await storage.getTags("sub/to")).to.deep.equal({ team: "blue" });
      expect((await bytesOf("sub/to")).equals(await bytesOf("from"))).to.equal(true);
    });

    it("a moved object is at the new key only", async () => {
      await storage.put("from", Buffer.from("x"), { tags: { team: "blue" } });
      await storage.move("from", "to");
      expect(await code(() => storage.head("from"))).to.equal("ERR_STORAGE_NOT_FOUND");
      expect((await bytesOf("to")).toString()).to.equal("x");
      expect(await storage.getTags("to")).to.deep.equal({ team: "blue" });
    });

    it("with ifAbsent neither replaces what is there", async () => {
      await storage.put("from", Buffer.from("x"));
      await storage.put("to", Buffer.from("y"));
      for (const action of ["copy", "move"] as const) {
        const transfer = (): unknown => storage[action]("from", "to", { ifAbsent: true });
        expect(await code(transfer)).to.equal("ERR_STORAGE_EXISTS");
      }
      expect((await bytesOf("to")).toString()).to.equal("y");
      expect((await bytesOf("from")).toString()).to.equal("x");
      await storage.copy("from", "other", { ifAbsent: true });
      expect((await bytesOf("other")).toString()).to.equal("x");
      expect(await harness.leftovers()).to.equal(0);
    });

    it("a deleted object is gone", async () => {
      await storage.put("d", Buffer.from("x"));
      expect(await storage.delete("d")).to.equal(true);
      expect(await storage.delete("d")).to.equal(false);
      expect(await code(() => storage.get("d"))).to.equal("ERR_STORAGE_NOT_FOUND");
    });

    it("tags can be replaced, and survive rewrap and reencrypt", async () => {
      await storage.put("t", randomBytes(10), {
        tags: { a: "1", b: "2" },
        metadata: { m: "hidden" },
      });
      expect(await storage.getTags("t")).to.deep.equal({ a: "1", b: "2" });
      await storage.setTags("t", { c: "3" });
      const next = harness.open({ keyring: keyring.add(generateRootKey(), "primary") });
      await next.rewrap("t");
      expect(await next.getTags("t")).to.deep.equal({ c: "3" });
      await next.reencrypt("t");
      expect(await next.getTags("t")).to.deep.equal({ c: "3" });
      expect(await code(() => next.setTags("t", { c: "hidden" }))).to.equal("ERR_STORAGE_METADATA");
      await next.setTags("t", {});
      expect(await next.getTags("t")).to.deep.equal({});
    });
  });

  describe("keys of the keyring", () => {
    it("rotate: rewrap leaves the body byte for byte, and the old key opens nothing any more", async () => {
      const bytes = randomBytes(150_000);
      const before = await storage.put("k", bytes, { fileName: "f", tags: { x: "y" } });
      const body = await harness.readBody("k");
      const newKey = generateRootKey();
      const both = harness.open({ keyring: Keyring.fromKey(newKey, { previous: [rootKey] }) });
      const only = Keyring.fromKey(newKey);
      expect(await both.rewrap("k")).to.deep.equal({
        key: "k",
        outcome: "rewrapped",
        from: keyring.primary.id,
        to: only.primary.id,
      });
      expect((await harness.readBody("k")).equals(body)).to.equal(true);
      const after = await harness.open({ keyring: only }).head("k");
      expect(after).to.include({
        keyId: only.primary.id,
        objectId: before.objectId,
        fileName: "f",
      });
      expect(after.etag).to.equal(before.etag);
      expect((await bytesOf("k", harness.open({ keyring: only }))).equals(bytes)).to.equal(true);
      const error = await thrownBy(() => storage.head("k"));
      expect(error).to.include({ code: "ERR_KEY_UNKNOWN", keyId: only.primary.id });
      expect(await both.rewrap("k")).to.include({ outcome: "current" });
    });

    it("rotate: reencrypt changes every byte of the body, and keeps content and id", async () => {
      const bytes = randomBytes(150_000);
      const before = await storage.put("k", inChunks(bytes, 9999), { fileName: "f" });
      const body = await harness.readBody("k");
      expect(await storage.reencrypt("k")).to.include({ outcome: "reencrypted", key: "k" });
      expect(
        (await harness.readBody("k")).subarray(10, 200).equals(body.subarray(10, 200)),
      ).to.equal(false);
      const after = await storage.head("k");
      expect(after).to.include({ objectId: before.objectId, etag: before.etag, fileName: "f" });
      expect((await bytesOf("k")).equals(bytes)).to.equal(true);
    });

    it("that are previous ones still read, and are not written with", async () => {
      await storage.put("old", Buffer.from("x"));
      const next = harness.open({ keyring: keyring.add(generateRootKey(), "primary") });
      expect((await bytesOf("old", next)).toString()).to.equal("x");
      expect((await next.put("new", Buffer.from("y"))).keyId).not.to.equal(keyring.primary.id);
    });

    it("that are destroyed or unknown: an error that names the key, and nothing opens", async () => {
      await storage.put("k", Buffer.from("x"));
      const { id } = keyring.primary;
      const shredded = keyring.add(generateRootKey(), "primary").setStatus(id, "destroyed");
      const destroyed = await thrownBy(() => harness.open({ keyring: shredded }).get("k"));
      expect(destroyed).to.include({ code: "ERR_KEY_DESTROYED", keyId: id });
      const other = harness.open({ keyring: Keyring.fromKey(generateRootKey()) });
      expect(await thrownBy(() => other.open("k"))).to.include({
        code: "ERR_KEY_UNKNOWN",
        keyId: id,
      });
    });

    it("of one tenant's context do not open another's objects", async () => {
      await harness.open({ keyring, context: "tenant-a" }).put("k", Buffer.from("x"));
      const other = harness.open({ keyring, context: "tenant-b" });
      expect(await code(() => other.get("k"))).to.equal("ERR_STORAGE_WRONG_KEY");
      expect(await code(() => storage.get("k"))).to.equal("ERR_STORAGE_WRONG_KEY");
    });
  });

  describe("attacks on the store", () => {
    const plaintext = randomBytes(2 * SEGMENT + 1000);

    it("bodies or envelopes swapped between objects do not open", async () => {
      await storage.put("a", plaintext);
      await storage.put("b", randomBytes(plaintext.length));
      const [a, b] = [await harness.readBody("a"), await harness.readBody("b")];
      await harness.writeBody("a", b);
      expect(await code(() => storage.open("a"))).to.equal("ERR_STORAGE_WRONG_KEY");
      await harness.writeBody("a", a);
      expect((await bytesOf("a")).equals(plaintext)).to.equal(true);
      await harness.moveEnvelope("b", "a");
      expect(await code(() => storage.open("a"))).to.equal("ERR_STORAGE_WRONG_KEY");
    });

    for (const [how, put] of [
      ["of known length", () => storage.put("k", plaintext)],
      ["of unknown length", () => storage.put("k", inChunks(plaintext, 7000))],
    ] as const) {
      it(`objects ${how} that were cut or extended are found when opened`, async () => {
        await put();
        const body = await harness.readBody("k");
        const cuts = [body.length - 1, 74 + 65_536, 74 + 2 * 65_536, 74, 30, 0];
        for (const length of cuts) {
          await harness.writeBody("k", body.subarray(0, length));
          for (const action of [
            () => storage.head("k"),
            () => storage.get("k"),
            () => storage.open("k"),
          ]) {
            expect(await code(action), String(length)).to.equal("ERR_STORAGE_TRUNCATED");
          }
        }
        await harness.writeBody("k", Buffer.concat([body, Buffer.alloc(20)]));
        expect(await code(() => storage.head("k"))).to.be.oneOf([
          "ERR_STORAGE_TRUNCATED",
          "ERR_STORAGE_TAMPERED",
        ]);
      });
    }

    it("a changed segment is an error in the stream, after the intact ones; others still read", async () => {
      await storage.put("k", plaintext);
      const body = await harness.readBody("k");
      body[74 + 65_536 + 700]! ^= 1;
      await harness.writeBody("k", body);
      const { stream } = await storage.get("k");
      const got: Buffer[] = [];
      const error = await thrownBy(async () => {
        for await (const chunk of stream) got.push(chunk as Buffer);
      });
      expect(error).to.have.property("code", "ERR_STORAGE_TAMPERED");
      const seen = Buffer.concat(got);
      expect(seen.length).to.be.at.most(SEGMENT);
      expect(seen.equals(plaintext.subarray(0, seen.length))).to.equal(true);
      const later = await storage.get("k", { range: { start: 2 * SEGMENT } });
      expect((await later.bytes()).equals(plaintext.subarray(2 * SEGMENT))).to.equal(true);
    });

    it("an object in plaintext with an envelope that says so is refused", async () => {
      const insecure = harness.open({
        keyring: () => {
          throw new Error("the key service is down");
        },
        onEncryptFailure: "insecure-store-plaintext",
      });
      await insecure.put("k", Buffer.from("x"));
      for (const action of [() => storage.head("k"), () => storage.get("k")]) {
        expect(await code(action)).to.equal("ERR_STORAGE_UNPROTECTED");
      }
      await storage.put("real", Buffer.from("secret"));
      await harness.moveEnvelope("k", "real");
      expect(await code(() => storage.get("real"))).to.equal("ERR_STORAGE_UNPROTECTED");
    });
  });

  describe("verify", () => {
    it("finds each kind of damage, old keys, and what is intact", async () => {
      const bytes = randomBytes(2 * SEGMENT);
      for (const key of ["cut", "fine", "old", "swapped", "tampered"])
        await storage.put(key, bytes);
      const cut = await harness.readBody("cut");
      await harness.writeBody("cut", cut.subarray(0, 74 + 65_536));
      await harness.writeBody("swapped", await harness.readBody("fine"));
      const tampered = await harness.readBody("tampered");
      tampered[200]! ^= 1;
      await harness.writeBody("tampered", tampered);
      await harness.open({ keyring: Keyring.fromKey(generateRootKey()) }).put("unknown", bytes);
      await storage.rewrap("fine");
      const next = keyring.add(generateRootKey(), "primary");
      await harness.open({ keyring: next }).rewrap("fine");
      const found = await findings(harness.open({ keyring: next }));
      expect(found.map(({ key, state, code }) => [key, state, code])).to.deep.equal([
        ["cut", "damaged", "ERR_STORAGE_TRUNCATED"],
        ["fine", "ok", undefined],
        ["old", "old-key", undefined],
        ["swapped", "damaged", "ERR_STORAGE_WRONG_KEY"],
        ["tampered", "damaged", "ERR_STORAGE_TAMPERED"],
        ["unknown", "unreadable", "ERR_KEY_UNKNOWN"],
      ]);
      expect(found.find(({ key }) => key === "old")?.keyId).to.equal(keyring.primary.id);
      const shallow = await findings(storage, { depth: "envelope", prefix: "tampered" });
      expect(shallow[0]).to.include({ state: "ok" });
      expect(await findings(storage, { startAfter: "tampered", prefix: "t" })).to.deep.equal([]);
    });
  });

  describe("what is not encrypted", () => {
    const events: InsecureEvent[] = [];
    const onEvent = (event: unknown): void => void events.push(event as InsecureEvent);
    beforeEach(() => {
      events.length = 0;
      channel("fieldseal:insecure").subscribe(onEvent);
    });
    afterEach(() => channel("fieldseal:insecure").unsubscribe(onEvent));

    const legacyBytes = (plaintext: Buffer, key = rootKey): Buffer => {
      const iv = randomBytes(16);
      const cipher = createCipheriv("aes-256-cbc", Buffer.from(key, "hex"), iv);
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
    };
    const marked = { encrypted: "true", "encryption-method": "AES-256-CBC", camera: "north" };

    it("has no etag that get believes: whoever writes to the store can choose it", async () => {
      await harness.writeForeign("plain.jpg", Buffer.from("picture"), { encrypted: "false" });
      await harness.writeForeign("old.bin", legacyBytes(Buffer.from("old")), marked);
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      for (const key of ["plain.jpg", "old.bin"]) {
        const { etag: ifMatch } = await accepting.head(key);
        expect(await code(() => accepting.get(key, { ifMatch }))).to.equal(
          "ERR_STORAGE_UNPROTECTED",
        );
        (await accepting.get(key)).stream.destroy();
      }
    });

    it("is stored only where onEncryptFailure says so, with an event, and verify counts it", async () => {
      const broken = (): Keyring => {
        throw new Error("the key service is down");
      };
      const strict = harness.open({ keyring: broken });
      expect((await thrownBy(() => strict.put("k", Buffer.from("x")))).message).to.equal(
        "the key service is down",
      );
      const insecure = harness.open({
        keyring: broken,
        onEncryptFailure: "insecure-store-plaintext",
      });
      const info = await insecure.put("k", Buffer.from("in the clear"), { fileName: "f.txt" });
      expect(info).to.include({ protection: "plaintext", keyId: undefined });
      expect(events.map(({ reason }) => reason)).to.deep.equal(["plaintext-stored"]);
      expect(findIn("store", await harness.everything(), "in the clear").length).to.be.greaterThan(
        0,
      );
      expect((await findings())[0]).to.include({
        state: "unprotected",
        code: "ERR_STORAGE_UNPROTECTED",
      });

      const accepting = harness.open({ keyring, plaintext: "accept" });
      expect((await findings(accepting))[0]).to.include({ state: "plaintext", code: undefined });
      expect((await bytesOf("k", accepting)).toString()).to.equal("in the clear");
      expect((await accepting.head("k")).fileName).to.equal("f.txt");
      expect(await accepting.rewrap("k")).to.include({ outcome: "reencrypted", from: undefined });
      expect((await bytesOf("k")).toString()).to.equal("in the clear");
      expect(findIn("store", await harness.everything(), "in the clear")).to.deep.equal([]);
      expect((await findings())[0]).to.include({ state: "ok" });
    });

    it("reads, verifies and migrates the older layout, whole and in ranges", async () => {
      const reading = harness.open({ keyring, legacy: "aes-256-cbc" });
      for (const size of [0, 1, 15, 16, 17, 100_000]) {
        const plaintext = randomBytes(size);
        await harness.writeForeign("clips/7.mp4", legacyBytes(plaintext), {
          ...marked,
          "content-type": "video/mp4",
        });
        expect(await code(() => storage.get("clips/7.mp4"))).to.equal("ERR_STORAGE_UNPROTECTED");
        const info = await reading.head("clips/7.mp4");
        expect(info).to.include({
          size,
          protection: "legacy",
          contentType: "video/mp4",
          objectId: "",
        });
        expect(info.metadata).to.deep.equal({ camera: "north" });
        expect((await bytesOf("clips/7.mp4", reading)).equals(plaintext)).to.equal(true);
        const object = await reading.open("clips/7.mp4");
        for (const [start, length] of [
          [0, 1],
          [15, 2],
          [16, 16],
          [31, 40_000],
        ] as const) {
          const expected = plaintext.subarray(start, start + length);
          expect((await object.read(start, length)).equals(expected)).to.equal(true);
        }
        await object.close();
      }
      expect(events.map(({ reason }) => reason)).to.include("legacy-read");
      expect((await findings(reading))[0]).to.include({ key: "clips/7.mp4", state: "legacy" });

      const before = await bytesOf("clips/7.mp4", reading);
      expect(await reading.reencrypt("clips/7.mp4")).to.include({ outcome: "reencrypted" });
      const after = await storage.head("clips/7.mp4");
      expect(after).to.include({ contentType: "video/mp4", protection: "encrypted" });
      expect(after.metadata).to.deep.equal({ camera: "north" });
      expect((await bytesOf("clips/7.mp4")).equals(before)).to.equal(true);
      expect(await findings()).to.have.length(1);
      expect((await findings())[0]).to.include({ key: "clips/7.mp4", state: "ok" });
    });

    it("reads the older layout under a key that is named, and finds wrong keys and cut objects", async () => {
      const plaintext = randomBytes(5000);
      const bytes = legacyBytes(plaintext);
      await harness.writeForeign("old.bin", bytes, marked);
      const next = keyring.add(generateRootKey(), "primary");
      const keyId = keyring.primary.id;
      const named = harness.open({ keyring: next, legacy: { method: "aes-256-cbc", keyId } });
      expect((await bytesOf("old.bin", named)).equals(plaintext)).to.equal(true);
      const missing = harness.open({
        keyring: next,
        legacy: { method: "aes-256-cbc", keyId: "00000000" },
      });
      expect(await code(() => missing.head("old.bin"))).to.equal("ERR_KEY_UNKNOWN");
      for (const [status, expected] of [
        ["disabled", "ERR_KEY_DISABLED"],
        ["destroyed", "ERR_KEY_DESTROYED"],
      ] as const) {
        const without = next.setStatus(keyId, status);
        const gone = harness.open({ keyring: without, legacy: { method: "aes-256-cbc", keyId } });
        expect(await code(() => gone.head("old.bin"))).to.equal(expected);
      }
      const wrong = harness.open({ keyring: next, legacy: "aes-256-cbc" });
      await harness.writeForeign("known-padding.bin", legacyBytes(Buffer.alloc(31)), marked);
      const opened = await Promise.allSettled([wrong.head("known-padding.bin")]);
      // Nothing but the padding can tell, and one of 256 wrong keys fits it.
      if (opened[0].status === "rejected") {
        expect(opened[0].reason).to.have.property("code", "ERR_STORAGE_WRONG_KEY");
      }
      await harness.writeForeign("old.bin", bytes.subarray(0, 1000), marked);
      expect(await code(() => named.head("old.bin"))).to.equal("ERR_STORAGE_TRUNCATED");
    });

    it("reads and migrates what is marked as plaintext, and refuses what nothing is known of", async () => {
      await harness.writeForeign("plain.jpg", Buffer.from("picture"), { encrypted: "false" });
      await harness.writeForeign("unknown.jpg", Buffer.from("picture"), { origin: "somewhere" });
      expect(await code(() => storage.get("plain.jpg"))).to.equal("ERR_STORAGE_UNPROTECTED");
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      expect((await bytesOf("plain.jpg", accepting)).toString()).to.equal("picture");
      expect(await code(() => accepting.get("unknown.jpg"))).to.equal("ERR_STORAGE_FORMAT");
      await accepting.reencrypt("plain.jpg");
      expect((await bytesOf("plain.jpg")).toString()).to.equal("picture");
      expect(await harness.leftovers()).to.equal(0);
    });

    it("cannot be had in place of an encrypted object by cutting its envelope off", async () => {
      await storage.put("k", Buffer.from("x"));
      const body = await harness.readBody("k");
      await harness.writeForeign("k", body, { encrypted: "true" });
      expect(await code(() => storage.get("k"))).to.equal("ERR_STORAGE_UNPROTECTED");
    });
  });
}
