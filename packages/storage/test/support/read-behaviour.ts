// Ranges, random access, and what a reader may rely on.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { expect } from "chai";
import { collect, inChunks, legacyBody, thrownBy, thrownCode } from "./bodies.ts";
import type { Subject } from "./storage-subject.ts";

const SEGMENT = 65_504;

export function describeReading(current: () => Subject): void {
  describe("reading parts", () => {
    const plaintext = randomBytes(3 * SEGMENT + 500);
    beforeEach(() => current().storage.put("r", plaintext));

    it("gives any range of bytes, in get and in open", async () => {
      const { storage } = current();
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
      const { harness, storage } = current();
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
      const { storage } = current();
      for (const range of [
        { start: plaintext.length },
        { start: 5, end: 4 },
        { start: -1 },
        { start: 0.5 },
        { start: 0, end: Number.NaN },
      ]) {
        expect(await thrownCode(() => storage.get("r", { range }))).to.equal("ERR_STORAGE_RANGE");
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
      const { storage } = current();
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
      const { harness, storage, rootKey, keyring } = current();
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      const large = randomBytes(5_000_000);
      await storage.put("slow/encrypted", large);
      await harness.writeForeign("slow/legacy.bin", legacyBody(large, rootKey), {
        encrypted: "true",
        "encryption-method": "AES-256-CBC",
      });
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

    it("holds a bounded part of an object that a slow consumer reads", async () => {
      const { storage } = current();
      await storage.put("slow", inChunks(Buffer.alloc(12_000_000), 1_000_000));
      const { stream } = await storage.get("slow");
      await once(stream, "readable");
      // More comes while nobody takes it, and then no more.
      let held = 0;
      for (let steady = 0; steady < 5; steady++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (stream.readableLength !== held) steady = 0;
        held = stream.readableLength;
      }
      expect(held).to.be.within(1, 1024 * 1024);
      stream.destroy();
    });

    it("stops early when the consumer does", async () => {
      const { storage } = current();
      const { stream } = await storage.get("r");
      for await (const chunk of stream) {
        expect((chunk as Buffer).length).to.be.greaterThan(0);
        break;
      }
      expect(stream.destroyed).to.equal(true);
    });

    it("stops when there is no memory for all of an object", async () => {
      const { bytes, stream } = await current().storage.get("r");
      const { allocUnsafeSlow } = Buffer;
      Buffer.allocUnsafeSlow = () => {
        throw new RangeError("Array buffer allocation failed");
      };
      const reading = thrownBy(bytes);
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
      expect(await reading).to.be.instanceOf(RangeError);
      expect(stream.destroyed).to.equal(true);
    });

    it("is given up by an abort while the object is opened", async () => {
      const { storage } = current();
      const aborting = new AbortController();
      const getting = storage.get("r", { signal: aborting.signal });
      aborting.abort();
      expect(await thrownBy(() => getting)).to.have.property("name", "AbortError");
    });

    it("checks etag and object id where asked to", async () => {
      const { storage } = current();
      const { etag, objectId } = await storage.head("r");
      (await storage.get("r", { ifMatch: etag, expectedObjectId: objectId })).stream.destroy();
      expect(await thrownCode(() => storage.get("r", { ifMatch: '"x"' }))).to.equal(
        "ERR_STORAGE_CHANGED",
      );
      expect(
        await thrownCode(() => storage.head("r", { expectedObjectId: "0".repeat(32) })),
      ).to.equal("ERR_STORAGE_MISMATCH");
    });
  });
}
