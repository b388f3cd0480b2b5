// What is not encrypted, and the legacy layout: refused, read where allowed, migrated.
import { randomBytes } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { generateRootKey, type InsecureEvent, type Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { findIn } from "../../../../test/support/leak-search.ts";
import { legacyBody, thrownBy, thrownCode } from "./bodies.ts";
import { bytesOf, findingsOf, type Subject } from "./storage-subject.ts";

export function describeUnprotected(current: () => Subject): void {
  describe("what is not encrypted", () => {
    const events: InsecureEvent[] = [];
    const onEvent = (event: unknown): void => void events.push(event as InsecureEvent);
    beforeEach(() => {
      events.length = 0;
      channel("fieldseal:insecure").subscribe(onEvent);
    });
    afterEach(() => channel("fieldseal:insecure").unsubscribe(onEvent));

    const legacyBytes = (plaintext: Buffer): Buffer => legacyBody(plaintext, current().rootKey);
    const marked = { encrypted: "true", "encryption-method": "AES-256-CBC", camera: "north" };

    it("has no etag that get believes: whoever writes to the store can choose it", async () => {
      const { harness, keyring } = current();
      await harness.writeForeign("plain.jpg", Buffer.from("picture"), { encrypted: "false" });
      await harness.writeForeign("old.bin", legacyBytes(Buffer.from("old")), marked);
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      for (const key of ["plain.jpg", "old.bin"]) {
        const { etag: ifMatch } = await accepting.head(key);
        expect(await thrownCode(() => accepting.get(key, { ifMatch }))).to.equal(
          "ERR_STORAGE_UNPROTECTED",
        );
        (await accepting.get(key)).stream.destroy();
      }
    });

    it("is stored only where onEncryptFailure says so, with an event, and verify counts it", async () => {
      const { harness, storage, keyring } = current();
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
      expect((await findingsOf(storage))[0]).to.include({
        state: "unprotected",
        code: "ERR_STORAGE_UNPROTECTED",
      });

      const accepting = harness.open({ keyring, plaintext: "accept" });
      expect((await findingsOf(accepting))[0]).to.include({ state: "plaintext", code: undefined });
      expect((await bytesOf(accepting, "k")).toString()).to.equal("in the clear");
      expect((await accepting.head("k")).fileName).to.equal("f.txt");
      expect(await accepting.rewrap("k")).to.include({ outcome: "reencrypted", from: undefined });
      expect((await bytesOf(storage, "k")).toString()).to.equal("in the clear");
      expect(findIn("store", await harness.everything(), "in the clear")).to.deep.equal([]);
      expect((await findingsOf(storage))[0]).to.include({ state: "ok" });
    });

    it("is never made of an object that is encrypted, whenever the keys go away", async () => {
      const { harness, storage, keyring } = current();
      await storage.put("k", Buffer.from("secret"));
      for (let calls = 0; calls < 12; calls++) {
        let left = calls;
        const flaky = harness.open({
          keyring: () => {
            if (left-- === 0) throw new Error("the key service is down");
            return keyring;
          },
          plaintext: "accept",
          onEncryptFailure: "insecure-store-plaintext",
        });
        await flaky.reencrypt("k").catch(() => {});
        expect(await storage.head("k")).to.include({ protection: "encrypted" });
      }
      expect(events).to.deep.equal([]);
    });

    it("reads, verifies and migrates the legacy layout, whole and in ranges", async () => {
      const { harness, storage, keyring } = current();
      const reading = harness.open({ keyring, legacy: "aes-256-cbc" });
      for (const size of [0, 1, 15, 16, 17, 100_000]) {
        const plaintext = randomBytes(size);
        await harness.writeForeign("clips/7.mp4", legacyBytes(plaintext), {
          ...marked,
          "content-type": "video/mp4",
        });
        expect(await thrownCode(() => storage.get("clips/7.mp4"))).to.equal(
          "ERR_STORAGE_UNPROTECTED",
        );
        const info = await reading.head("clips/7.mp4");
        expect(info).to.include({
          size,
          protection: "legacy",
          contentType: "video/mp4",
          objectId: "",
        });
        expect(info.metadata).to.deep.equal({ camera: "north" });
        expect((await bytesOf(reading, "clips/7.mp4")).equals(plaintext)).to.equal(true);
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
      expect((await findingsOf(reading))[0]).to.include({ key: "clips/7.mp4", state: "legacy" });

      const before = await bytesOf(reading, "clips/7.mp4");
      expect(await reading.reencrypt("clips/7.mp4")).to.include({ outcome: "reencrypted" });
      const after = await storage.head("clips/7.mp4");
      expect(after).to.include({ contentType: "video/mp4", protection: "encrypted" });
      expect(after.metadata).to.deep.equal({ camera: "north" });
      expect((await bytesOf(storage, "clips/7.mp4")).equals(before)).to.equal(true);
      expect(await findingsOf(storage)).to.have.length(1);
      expect((await findingsOf(storage))[0]).to.include({ key: "clips/7.mp4", state: "ok" });
    });

    it("is migrated from where a migration broke off, to the end", async () => {
      const { harness, storage, keyring } = current();
      const contents = new Map(
        [1, 2, 3, 4, 5].map((n) => [`clips/${n}.mp4`, randomBytes(n * 999)]),
      );
      const writeOld = async (key: string, plaintext: Buffer): Promise<void> => {
        const isMarkedPlain = key === "clips/4.mp4";
        const bytes = isMarkedPlain ? plaintext : legacyBytes(plaintext);
        await harness.writeForeign(key, bytes, isMarkedPlain ? { encrypted: "false" } : marked);
      };
      for (const [key, plaintext] of contents) await writeOld(key, plaintext);
      await harness.writeForeign("clips/3.mp4", Buffer.alloc(33), marked);
      const migrating = harness.open({ keyring, legacy: "aes-256-cbc", plaintext: "accept" });
      const migrate = async (): Promise<string[]> => {
        const outcomes: string[] = [];
        for await (const { key } of migrating.list({ prefix: "clips/" }))
          outcomes.push((await migrating.rewrap(key)).outcome);
        return outcomes;
      };
      expect(await thrownCode(migrate)).to.equal("ERR_STORAGE_TRUNCATED");
      const states = async (): Promise<string[]> =>
        (await findingsOf(migrating)).map(({ state }) => state);
      expect(await states()).to.deep.equal(["ok", "ok", "damaged", "plaintext", "legacy"]);

      await writeOld("clips/3.mp4", contents.get("clips/3.mp4") as Buffer);
      const [done, todo] = ["current", "reencrypted"];
      expect(await migrate()).to.deep.equal([done, done, todo, todo, todo]);
      expect(await migrate()).to.deep.equal([done, done, done, done, done]);
      expect(await states()).to.deep.equal(["ok", "ok", "ok", "ok", "ok"]);
      // Strict by now: nothing of the legacy layout is left.
      for (const [key, plaintext] of contents)
        expect((await bytesOf(storage, key)).equals(plaintext), key).to.equal(true);
      expect(await harness.leftovers()).to.equal(0);
    });

    it("reads the legacy layout under a key that is named, and finds wrong keys and cut objects", async () => {
      const { harness, keyring } = current();
      const plaintext = randomBytes(5000);
      const bytes = legacyBytes(plaintext);
      await harness.writeForeign("old.bin", bytes, marked);
      const next = keyring.add(generateRootKey(), "primary");
      const keyId = keyring.primary.id;
      const named = harness.open({ keyring: next, legacy: { suite: "aes-256-cbc", keyId } });
      expect((await bytesOf(named, "old.bin")).equals(plaintext)).to.equal(true);
      const missing = harness.open({
        keyring: next,
        legacy: { suite: "aes-256-cbc", keyId: "00000000" },
      });
      expect(await thrownCode(() => missing.head("old.bin"))).to.equal("ERR_KEY_UNKNOWN");
      for (const [status, expected] of [
        ["disabled", "ERR_KEY_DISABLED"],
        ["destroyed", "ERR_KEY_DESTROYED"],
      ] as const) {
        const without = next.setStatus(keyId, status);
        const gone = harness.open({ keyring: without, legacy: { suite: "aes-256-cbc", keyId } });
        expect(await thrownCode(() => gone.head("old.bin"))).to.equal(expected);
      }
      const wrong = harness.open({ keyring: next, legacy: "aes-256-cbc" });
      await harness.writeForeign("known-padding.bin", legacyBytes(Buffer.alloc(31)), marked);
      const opened = await Promise.allSettled([wrong.head("known-padding.bin")]);
      // Nothing but the padding can tell, and one of 256 wrong keys fits it.
      if (opened[0].status === "rejected") {
        expect(opened[0].reason).to.have.property("code", "ERR_STORAGE_WRONG_KEY");
      }
      await harness.writeForeign("old.bin", bytes.subarray(0, 1000), marked);
      expect(await thrownCode(() => named.head("old.bin"))).to.equal("ERR_STORAGE_TRUNCATED");
    });

    it("reads and migrates what is marked as plaintext, and refuses what nothing is known of", async () => {
      const { harness, storage, keyring } = current();
      await harness.writeForeign("plain.jpg", Buffer.from("picture"), { encrypted: "false" });
      await harness.writeForeign("unknown.jpg", Buffer.from("picture"), { origin: "somewhere" });
      expect(await thrownCode(() => storage.get("plain.jpg"))).to.equal("ERR_STORAGE_UNPROTECTED");
      const accepting = harness.open({ keyring, plaintext: "accept", legacy: "aes-256-cbc" });
      expect((await bytesOf(accepting, "plain.jpg")).toString()).to.equal("picture");
      expect(await thrownCode(() => accepting.get("unknown.jpg"))).to.equal("ERR_STORAGE_FORMAT");
      await accepting.reencrypt("plain.jpg");
      expect((await bytesOf(storage, "plain.jpg")).toString()).to.equal("picture");
      expect(await harness.leftovers()).to.equal(0);
    });

    it("cannot be had in place of an encrypted object by cutting its envelope off", async () => {
      const { harness, storage } = current();
      await storage.put("k", Buffer.from("x"));
      const body = await harness.readBody("k");
      await harness.writeForeign("k", body, { encrypted: "true" });
      expect(await thrownCode(() => storage.get("k"))).to.equal("ERR_STORAGE_UNPROTECTED");
    });
  });
}
