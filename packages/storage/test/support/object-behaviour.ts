// Keys of objects, and what is done with whole objects: listing, copy, move, delete, tags.
import { randomBytes } from "node:crypto";
import { generateRootKey } from "@fieldseal/crypto";
import { expect } from "chai";
import { thrownBy, thrownCode } from "./bodies.ts";
import { bytesOf, type Subject } from "./storage-subject.ts";

export function describeObjects(current: () => Subject): void {
  describe("keys of objects", () => {
    it("that are not allowed are refused everywhere", async () => {
      const { storage } = current();
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
        // Of 599 bytes, and of 1193 in Unicode's form C: what is listed must be a key.
        Array.from({ length: 6 }, () => "\u0958".repeat(33)).join("/"),
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
          expect(await thrownCode(action), JSON.stringify(key)).to.equal("ERR_STORAGE_KEY");
        }
      }
    });

    it("that have no object: an error, or false from delete", async () => {
      const { storage } = current();
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
        expect(await thrownCode(action)).to.equal("ERR_STORAGE_NOT_FOUND");
      }
      expect(await storage.delete("none")).to.equal(false);
    });

    it("are listed in the order of their bytes, from a prefix and after a key", async () => {
      const { storage } = current();
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
      expect(await thrownCode(() => storage.list({ prefix: "../" }))).to.equal("ERR_STORAGE_KEY");
    });
  });

  describe("copy, move, delete and tags", () => {
    it("onto itself changes nothing, and is refused with ifAbsent", async () => {
      const { storage } = current();
      await storage.put("a", Buffer.from("x"));
      for (const name of ["copy", "move"] as const) {
        await storage[name]("a", "a");
        expect((await bytesOf(storage, "a")).toString()).to.equal("x");
        expect(await thrownCode(() => storage[name]("a", "a", { ifAbsent: true }))).to.equal(
          "ERR_STORAGE_EXISTS",
        );
        expect(await thrownCode(() => storage[name]("no", "no"))).to.equal("ERR_STORAGE_NOT_FOUND");
      }
    });

    it("a copy has the same content, id, etag, description and tags", async () => {
      const { storage } = current();
      const put = await storage.put("from", randomBytes(100_000), {
        fileName: "f.bin",
        tags: { team: "blue" },
      });
      await storage.copy("from", "sub/to");
      const [from, to] = [await storage.head("from"), await storage.head("sub/to")];
      expect({ ...to, key: "from", modifiedAt: 0 }).to.deep.equal({ ...from, modifiedAt: 0 });
      expect(to.etag).to.equal(put.etag);
      expect(await storage.getTags("sub/to")).to.deep.equal({ team: "blue" });
      expect((await bytesOf(storage, "sub/to")).equals(await bytesOf(storage, "from"))).to.equal(
        true,
      );
    });

    it("a moved object is at the new key only", async () => {
      const { storage } = current();
      await storage.put("from", Buffer.from("x"), { tags: { team: "blue" } });
      await storage.move("from", "to");
      expect(await thrownCode(() => storage.head("from"))).to.equal("ERR_STORAGE_NOT_FOUND");
      expect((await bytesOf(storage, "to")).toString()).to.equal("x");
      expect(await storage.getTags("to")).to.deep.equal({ team: "blue" });
    });

    it("with ifAbsent neither replaces what is there", async () => {
      const { harness, storage } = current();
      await storage.put("from", Buffer.from("x"));
      await storage.put("to", Buffer.from("y"));
      for (const action of ["copy", "move"] as const) {
        const transfer = (): unknown => storage[action]("from", "to", { ifAbsent: true });
        expect(await thrownCode(transfer)).to.equal("ERR_STORAGE_EXISTS");
      }
      expect((await bytesOf(storage, "to")).toString()).to.equal("y");
      expect((await bytesOf(storage, "from")).toString()).to.equal("x");
      await storage.copy("from", "other", { ifAbsent: true });
      expect((await bytesOf(storage, "other")).toString()).to.equal("x");
      expect(await harness.leftovers()).to.equal(0);
    });

    it("an abort meanwhile leaves the target as it was", async () => {
      const { harness, storage } = current();
      await storage.put("a", Buffer.from("a"));
      for (const action of ["copy", "move"] as const) {
        const aborting = new AbortController();
        const transfer = storage[action]("a", "b", { signal: aborting.signal });
        aborting.abort(new Error("enough"));
        expect((await thrownBy(() => transfer)).message).to.equal("enough");
        expect(await thrownCode(() => storage.head("b"))).to.equal("ERR_STORAGE_NOT_FOUND");
        expect((await storage.head("a")).size).to.equal(1);
        expect(await harness.leftovers()).to.equal(0);
      }
    });

    it("a deleted object is gone", async () => {
      const { storage } = current();
      await storage.put("d", Buffer.from("x"));
      expect(await storage.delete("d")).to.equal(true);
      expect(await storage.delete("d")).to.equal(false);
      expect(await thrownCode(() => storage.get("d"))).to.equal("ERR_STORAGE_NOT_FOUND");
    });

    it("tags can be replaced, and survive rewrap and reencrypt", async () => {
      const { harness, storage, keyring } = current();
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
      expect(await thrownCode(() => next.setTags("t", { c: "hidden" }))).to.equal(
        "ERR_STORAGE_METADATA",
      );
      // What put takes, this does: a short value says nothing, and an empty one is not the missing file name.
      await storage.put("short", randomBytes(10), { tags: { n: "1" }, metadata: { page: "1" } });
      await storage.setTags("short", { n: "1", flag: "" });
      expect(await storage.getTags("short")).to.deep.equal({ n: "1", flag: "" });
      await next.setTags("t", {});
      expect(await next.getTags("t")).to.deep.equal({});
    });
  });
}
