// What is stored, keyed or given up while something else goes on: nothing that was acknowledged is lost by it.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { generateRootKey, Keyring, type StorageError } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { legacyBody } from "./support/bodies.ts";
import { bytesOf } from "./support/storage-subject.ts";

describe("EncryptedLocalStorage, meanwhile", function () {
  this.timeout(30_000);
  let path: string;
  let keyring: Keyring;
  let storage: EncryptedLocalStorage;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "fieldseal-meanwhile-"));
    keyring = Keyring.fromKey(generateRootKey());
    storage = new EncryptedLocalStorage({ path, keyring: () => keyring, durability: "none" });
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const codeOf = (action: Promise<unknown>): Promise<string> =>
    action.then(
      () => "none",
      (error: unknown) => (error as StorageError).code,
    );

  it("keeps what is put under a key that is moved away, at whichever moment", async () => {
    for (let round = 0; round < 100; round++) {
      await storage.put("a", Buffer.from("old"));
      const moving = storage.move("a", `b${round}`, { ifAbsent: true }).catch(() => {});
      for (let turns = round % 7; turns > 0; turns--) await turn();
      await storage.put("a", Buffer.from("new"));
      await moving;
      const contents = await Promise.all(
        ["a", `b${round}`].map((key) => bytesOf(storage, key).then(String, () => "nothing")),
      );
      expect(contents, `round ${round}`).to.include("new");
    }
  });

  it("keeps what is put under a key that is copied onto itself", async () => {
    for (let round = 0; round < 30; round++) {
      await storage.put("a", Buffer.from("old"));
      const copying = storage.copy("a", "a");
      for (let turns = round % 7; turns > 0; turns--) await turn();
      await storage.put("a", Buffer.from("new"));
      await copying;
      expect(String(await bytesOf(storage, "a")), `round ${round}`).to.equal("new");
    }
  });

  it("moves in both directions at once without waiting for ever", async () => {
    await storage.put("a", Buffer.from("a"));
    await storage.put("b", Buffer.from("b"));
    await Promise.allSettled([storage.move("a", "b"), storage.move("b", "a")]);
    const left = await Promise.all(["a", "b"].map((key) => codeOf(storage.head(key))));
    expect(left).to.include("none");
  });

  it("replaces no object of the legacy layout by garbage under a wrong key", async () => {
    const [rootKey, added] = [generateRootKey(), generateRootKey()];
    const single = Keyring.fromKey(rootKey);
    const both = single.add(added).promote(Keyring.fromKey(added).primary.id);
    const content = Buffer.alloc(15, "x");
    for (let i = 0; i < 20; i++) writeLegacy(i, rootKey, content);
    // What opens by chance, as one of 256 does: its padding is possible under the wrong key.
    writeLegacy(20, added, content);
    const wrong = new EncryptedLocalStorage({ path, keyring: both, legacy: "aes-256-cbc" });
    const codes = [];
    for (const i of [20, 3, 20]) codes.push(await codeOf(wrong.rewrap(`${i}.bin`)));
    expect(codes).to.deep.equal(Array.from(codes, () => "ERR_STORAGE_WRONG_KEY"));
    expect((await wrong.head("20.bin")).protection).to.equal("legacy");

    const named = new EncryptedLocalStorage({
      path,
      keyring: both,
      legacy: { suite: "aes-256-cbc", keyId: single.primary.id },
    });
    const results = [];
    for (let i = 0; i < 20; i++) results.push((await named.rewrap(`${i}.bin`)).outcome);
    expect(new Set(results)).to.deep.equal(new Set(["reencrypted"]));
    expect((await bytesOf(named, "7.bin")).equals(content)).to.equal(true);
  });

  it("replaces none that is the last of its store", async () => {
    const [rootKey, added] = [generateRootKey(), generateRootKey()];
    for (let i = 0; i < 20; i++) writeLegacy(i, i === 9 ? added : rootKey, Buffer.alloc(15, "x"));
    const both = Keyring.fromKey(rootKey).add(added, "primary");
    const wrong = new EncryptedLocalStorage({ path, keyring: both, legacy: "aes-256-cbc" });
    expect(await codeOf(wrong.rewrap("9.bin"))).to.equal("ERR_STORAGE_WRONG_KEY");
  });

  it("takes what opened under a former primary key for no evidence of another", async () => {
    const [rootKey, added] = [generateRootKey(), generateRootKey()];
    keyring = Keyring.fromKey(rootKey);
    for (let i = 0; i < 20; i++) writeLegacy(i, rootKey, Buffer.alloc(15, "x"));
    const reading = new EncryptedLocalStorage({
      path,
      keyring: () => keyring,
      legacy: "aes-256-cbc",
    });
    for (let i = 0; i < 20; i++) await reading.head(`${i}.bin`);
    keyring = keyring.add(added, "primary");
    writeLegacy(20, added, Buffer.alloc(15, "x"));
    expect(await codeOf(reading.rewrap("20.bin"))).to.equal("ERR_STORAGE_WRONG_KEY");
  });

  function writeLegacy(name: number, rootKey: string, content: Buffer): void {
    writeFileSync(join(path, `${name}.bin`), legacyBody(content, rootKey));
    writeFileSync(join(path, `${name}.json`), JSON.stringify({ encrypted: true }));
  }
});
