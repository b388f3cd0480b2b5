// Whoever can write to the store: what readers and verify find of it.
import { randomBytes } from "node:crypto";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inChunks, thrownBy, thrownCode } from "./bodies.ts";
import { bytesOf, findingsOf, type Subject } from "./storage-subject.ts";

const SEGMENT = 65_504;

export function describeAttacks(current: () => Subject): void {
  describe("attacks on the store", () => {
    const plaintext = randomBytes(2 * SEGMENT + 1000);

    it("bodies or envelopes swapped between objects do not open", async () => {
      const { harness, storage } = current();
      await storage.put("a", plaintext);
      await storage.put("b", randomBytes(plaintext.length));
      const [a, b] = [await harness.readBody("a"), await harness.readBody("b")];
      await harness.writeBody("a", b);
      expect(await thrownCode(() => storage.open("a"))).to.equal("ERR_STORAGE_WRONG_KEY");
      await harness.writeBody("a", a);
      expect((await bytesOf(storage, "a")).equals(plaintext)).to.equal(true);
      await harness.moveEnvelope("b", "a");
      expect(await thrownCode(() => storage.open("a"))).to.equal("ERR_STORAGE_WRONG_KEY");
    });

    for (const [how, put] of [
      ["of known length", () => current().storage.put("k", plaintext)],
      ["of unknown length", () => current().storage.put("k", inChunks(plaintext, 7000))],
    ] as const) {
      it(`objects ${how} that were cut or extended are found when opened`, async () => {
        const { harness, storage } = current();
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
            expect(await thrownCode(action), String(length)).to.equal("ERR_STORAGE_TRUNCATED");
          }
        }
        await harness.writeBody("k", Buffer.concat([body, Buffer.alloc(20)]));
        expect(await thrownCode(() => storage.head("k"))).to.be.oneOf([
          "ERR_STORAGE_TRUNCATED",
          "ERR_STORAGE_TAMPERED",
        ]);
      });
    }

    it("a changed segment is an error in the stream, after the intact ones; others still read", async () => {
      const { harness, storage } = current();
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

    it("a changed segment of an empty object is found, too", async () => {
      const { harness, storage } = current();
      await storage.put("k", Buffer.alloc(0));
      const body = await harness.readBody("k");
      body[body.length - 1]! ^= 1;
      await harness.writeBody("k", body);
      expect(await thrownCode(() => storage.get("k"))).to.equal("ERR_STORAGE_TAMPERED");
      expect(await findingsOf(storage)).to.have.nested.property("0.state", "damaged");
    });

    it("an object in plaintext with an envelope that says so is refused", async () => {
      const { harness, storage } = current();
      const insecure = harness.open({
        keyring: () => {
          throw new Error("the key service is down");
        },
        onEncryptFailure: "insecure-store-plaintext",
      });
      await insecure.put("k", Buffer.from("x"));
      for (const action of [() => storage.head("k"), () => storage.get("k")]) {
        expect(await thrownCode(action)).to.equal("ERR_STORAGE_UNPROTECTED");
      }
      await storage.put("real", Buffer.from("secret"));
      await harness.moveEnvelope("k", "real");
      expect(await thrownCode(() => storage.get("real"))).to.equal("ERR_STORAGE_UNPROTECTED");
    });
  });

  describe("verify", () => {
    it("is given up by an abort, also in the middle of the last object", async () => {
      const { harness, storage, keyring } = current();
      await storage.put("k", randomBytes(2 * SEGMENT));
      const aborting = new AbortController();
      const asked = harness.open({
        keyring: () => {
          aborting.abort();
          return keyring;
        },
      });
      const verifying = thrownBy(() => findingsOf(asked, { signal: aborting.signal }));
      expect(await verifying).to.have.property("name", "AbortError");
    });

    it("finds each kind of damage, old keys, and what is intact", async () => {
      const { harness, storage, keyring } = current();
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
      const found = await findingsOf(harness.open({ keyring: next }));
      expect(found.map(({ key, state, code }) => [key, state, code])).to.deep.equal([
        ["cut", "damaged", "ERR_STORAGE_TRUNCATED"],
        ["fine", "ok", undefined],
        ["old", "old-key", undefined],
        ["swapped", "damaged", "ERR_STORAGE_WRONG_KEY"],
        ["tampered", "damaged", "ERR_STORAGE_TAMPERED"],
        ["unknown", "unreadable", "ERR_KEY_UNKNOWN"],
      ]);
      expect(found.find(({ key }) => key === "old")?.keyId).to.equal(keyring.primary.id);
      const shallow = await findingsOf(storage, { depth: "envelope", prefix: "tampered" });
      expect(shallow[0]).to.include({ state: "ok" });
      expect(await findingsOf(storage, { startAfter: "tampered", prefix: "t" })).to.deep.equal([]);
    });
  });
}
