// What put keeps and gives back, whatever it is given; and what is left of a put that fails.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inChunks, thrownBy, thrownCode } from "./bodies.ts";
import { bytesOf, type Subject } from "./storage-subject.ts";

const SEGMENT = 65_504;

export function describePut(current: () => Subject): void {
  describe("put and get", () => {
    it("gives back what was put, from every kind of source", async () => {
      const { storage } = current();
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
        expect((await bytesOf(storage, "a/b.bin")).equals(bytes), name).to.equal(true);
      }
    });

    it("keeps objects of every length around the ends of segments", async () => {
      const { storage } = current();
      for (const size of [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 1]) {
        const bytes = randomBytes(size);
        const key = `sizes/${size}`;
        await storage.put(key, size % 2 === 0 ? bytes : inChunks(bytes, 4096));
        expect((await storage.head(key)).size).to.equal(size);
        expect((await bytesOf(storage, key)).equals(bytes)).to.equal(true);
      }
    });

    it("keeps type, name and metadata, and gives the same from put, head and get", async () => {
      const { storage, keyring } = current();
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
      const { storage } = current();
      const keys = ["videos/2026/a b+ü.mp4", "100%/%2e%2e", "катя/🎥", "a=b&c?d#e", "x.y.z"];
      for (const key of keys) {
        await storage.put(key, Buffer.from(key));
        expect((await bytesOf(storage, key)).toString()).to.equal(key);
      }
      const listed: string[] = [];
      for await (const { key } of storage.list()) listed.push(key);
      expect(listed).to.have.members(keys);
    });

    it("replaces an object whole, and the new one has another id and etag", async () => {
      const { storage } = current();
      const first = await storage.put("k", Buffer.from("first"), { fileName: "first.txt" });
      const second = await storage.put("k", Buffer.from("second"));
      expect(second.objectId).not.to.equal(first.objectId);
      expect(second.etag).not.to.equal(first.etag);
      const head = await storage.head("k");
      expect(head.fileName).to.equal(undefined);
      expect((await bytesOf(storage, "k")).toString()).to.equal("second");
    });

    it("reports progress in bytes of the source", async () => {
      const { storage } = current();
      const progress: number[] = [];
      await storage.put("p", inChunks(Buffer.alloc(1000), 400), {
        onProgress: ({ bytes }) => progress.push(bytes),
      });
      expect(progress).to.deep.equal([400, 800, 1000]);
    });

    it("keeps no chunk that it has taken, with an abort signal or without", async () => {
      const { storage } = current();
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
      const { harness, storage } = current();
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
      expect((await bytesOf(storage, "race")).toString()).to.equal(`writer ${winners[0]}`);
      expect(await harness.leftovers()).to.equal(0);
    });

    it("leaves one whole object of many concurrent puts, and readers see whole ones throughout", async () => {
      const { harness, storage } = current();
      const contents = Array.from({ length: 6 }, (_, i) => Buffer.alloc(150_000, i + 1));
      await storage.put("busy", contents[0]!);
      const state = { isWriting: true };
      const writing = Promise.all(contents.map((bytes) => storage.put("busy", bytes))).finally(
        () => {
          state.isWriting = false;
        },
      );
      while (state.isWriting) {
        const seen = await bytesOf(storage, "busy").catch((error: { code?: unknown }) => {
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
      const { storage, harness } = current();
      expect((await bytesOf(storage, "k")).toString()).to.equal("old");
      expect(await thrownCode(() => storage.head("new"))).to.equal("ERR_STORAGE_NOT_FOUND");
      expect(await harness.leftovers()).to.equal(0);
    };
    beforeEach(() => current().storage.put("k", Buffer.from("old")));

    it("because its key was given up while the source was read", async () => {
      const { harness, keyring } = current();
      let used = keyring;
      const rotating = harness.open({ keyring: () => used });
      async function* slow(pieceBytes: number): AsyncGenerator<Buffer> {
        yield Buffer.alloc(pieceBytes);
        used = Keyring.fromKey(generateRootKey());
        yield Buffer.alloc(pieceBytes);
      }
      // On S3 in one request, and in parts.
      for (const pieceBytes of [1000, 5_000_000]) {
        for (const key of ["k", "new"]) {
          used = keyring;
          const code = await thrownCode(() => rotating.put(key, slow(pieceBytes)));
          expect(code).to.equal("ERR_KEY_UNKNOWN");
        }
      }
      await afterFailure();
    });

    it("in its source leaves the old object, and nothing else", async () => {
      const { storage } = current();
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
      const { storage } = current();
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
        // While nobody waits for a chunk.
        const early = new AbortController();
        const { signal } = early;
        const onProgress = (): void => early.abort(reason);
        expect(await thrownBy(() => storage.put(key, stuck(), { signal, onProgress }))).to.equal(
          reason,
        );
      }
      const aborted = AbortSignal.abort(new Error("before"));
      expect(
        (await thrownBy(() => storage.put("k", Buffer.of(1), { signal: aborted }))).message,
      ).to.equal("before");
      await afterFailure();
    });

    it("by what its stream reports before it is read, and no stream stays open", async () => {
      const { storage } = current();
      for (const [key, code] of [
        ["new/er", "ENOENT"],
        ["../new", "ERR_STORAGE_KEY"],
      ] as const) {
        const missing = createReadStream("/nowhere/at/all");
        const closed = new Promise<void>((resolve) => missing.on("close", resolve));
        expect(await thrownCode(() => storage.put(key, missing))).to.equal(code);
        await closed;
      }
      const abort = new AbortController();
      for (const [key, options] of [
        ["../new", {}],
        ["new", { contentType: "no type" }],
        ["new", { metadata: { long: "x".repeat(5000) } }],
        ["new", { signal: AbortSignal.abort() }],
        ["new", { signal: abort.signal }],
      ] as const) {
        const stream = new PassThrough();
        let isCancelled = false;
        const web = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) });
        const putting = [stream, web].map((source) =>
          thrownBy(() => storage.put(key, source, options)),
        );
        setImmediate(() => abort.abort());
        await Promise.all(putting);
        expect([stream.destroyed, isCancelled], JSON.stringify(options)).to.deep.equal([
          true,
          true,
        ]);
      }
      await afterFailure();
    });

    it("because a stream was read already: nothing is left of it", async () => {
      const { storage } = current();
      const file = createReadStream(import.meta.filename);
      const web = new Blob(["x"]).stream();
      for (const used of [file, web] as const) {
        for await (const _ of used) void _;
        for (const key of ["k", "new"])
          expect(await thrownCode(() => storage.put(key, used))).to.equal("ERR_STORAGE_SOURCE");
      }
      await afterFailure();
      const begun = Readable.from([Buffer.from("header"), Buffer.from("rest")]);
      await once(begun, "readable");
      begun.read();
      await storage.put("rest", begun);
      expect((await bytesOf(storage, "rest")).toString()).to.equal("rest");
      await storage.put("empty", Readable.from([]));
      await storage.put("empty", new Blob([]).stream());
      expect((await storage.head("empty")).size).to.equal(0);
    });

    it("because the source is shorter or longer than announced, or no bytes", async () => {
      const { storage } = current();
      for (const size of [9, 11, -1, 1.5]) {
        const put = (): unknown => storage.put("new", inChunks(Buffer.alloc(10), 3), { size });
        expect(await thrownCode(put), String(size)).to.equal("ERR_STORAGE_SOURCE");
      }
      for (const source of ["text", 7, null, {}, Readable.from(["text"])]) {
        expect(await thrownCode(() => storage.put("new", source as never))).to.equal(
          "ERR_STORAGE_SOURCE",
        );
      }
      expect(await thrownCode(() => storage.put("new", Buffer.alloc(3), { size: 4 }))).to.equal(
        "ERR_STORAGE_SOURCE",
      );
      await afterFailure();
    });

    it("because of what describes it: refused before the source is read", async () => {
      const { storage } = current();
      let isRead = false;
      async function* source(): AsyncGenerator<Buffer> {
        isRead = true;
        yield Buffer.of(1);
      }
      const refused = [
        { ifAbsnt: true },
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
}
