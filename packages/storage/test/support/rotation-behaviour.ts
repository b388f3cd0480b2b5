// Keys of the keyring: rotation, retired and destroyed keys, tenants.
import { randomBytes } from "node:crypto";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inChunks, thrownBy, thrownCode } from "./bodies.ts";
import { bytesOf, type Subject } from "./storage-subject.ts";

export function describeRotation(current: () => Subject): void {
  describe("keys of the keyring", () => {
    it("rotate: rewrap leaves the body byte for byte, and the old key opens nothing any more", async () => {
      const { harness, storage, rootKey, keyring } = current();
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
      expect((await bytesOf(harness.open({ keyring: only }), "k")).equals(bytes)).to.equal(true);
      const error = await thrownBy(() => storage.head("k"));
      expect(error).to.include({ code: "ERR_KEY_UNKNOWN", keyId: only.primary.id });
      expect(await both.rewrap("k")).to.include({ outcome: "current" });
    });

    it("rotate: reencrypt changes every byte of the body, and keeps content and id", async () => {
      const { harness, storage } = current();
      const bytes = randomBytes(150_000);
      const before = await storage.put("k", inChunks(bytes, 9999), { fileName: "f" });
      const body = await harness.readBody("k");
      expect(await storage.reencrypt("k")).to.include({ outcome: "reencrypted", key: "k" });
      expect(
        (await harness.readBody("k")).subarray(10, 200).equals(body.subarray(10, 200)),
      ).to.equal(false);
      const after = await storage.head("k");
      expect(after).to.include({ objectId: before.objectId, etag: before.etag, fileName: "f" });
      expect((await bytesOf(storage, "k")).equals(bytes)).to.equal(true);
    });

    it("that are previous ones still read, and are not written with", async () => {
      const { harness, storage, keyring } = current();
      await storage.put("old", Buffer.from("x"));
      const next = harness.open({ keyring: keyring.add(generateRootKey(), "primary") });
      expect((await bytesOf(next, "old")).toString()).to.equal("x");
      expect((await next.put("new", Buffer.from("y"))).keyId).not.to.equal(keyring.primary.id);
    });

    it("that are destroyed or unknown: an error that names the key, and nothing opens", async () => {
      const { harness, storage, keyring } = current();
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
      const { harness, storage, keyring } = current();
      await harness.open({ keyring, context: "tenant-a" }).put("k", Buffer.from("x"));
      const other = harness.open({ keyring, context: "tenant-b" });
      expect(await thrownCode(() => other.get("k"))).to.equal("ERR_STORAGE_WRONG_KEY");
      expect(await thrownCode(() => storage.get("k"))).to.equal("ERR_STORAGE_WRONG_KEY");
    });
  });
}
