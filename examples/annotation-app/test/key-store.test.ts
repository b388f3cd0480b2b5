import { mkdirSync, utimesSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { generateRootKey } from "@fieldseal/crypto";
import { expect } from "chai";
import { EnvFile } from "../src/config/env-file.ts";
import { KeyStore } from "../src/config/key-store.ts";

describe("Keys in a private file", function () {
  this.timeout(30_000);
  let folder: string;
  let file: EnvFile;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fieldseal-keys-"));
    file = new EnvFile(join(folder, ".env"));
    file.set({ ENCRYPTION_KEY: generateRootKey() });
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("are all kept, however many processes add one at the same moment", async () => {
    // Together they take longer than the time after which a lock that was left is broken.
    const stores = Array.from({ length: 9 }, () => new KeyStore({}, file));
    const adding = stores.map(async (store) => {
      await store.add();
      return store.current.primary.id;
    });
    const primaries = await Promise.all(adding).finally(() => {
      for (const store of stores) store.close();
    });
    const left = new KeyStore({}, file);
    left.close();
    const ids = left.current.keys.map(({ id }) => id);
    expect(ids).to.have.length(10).and.to.include.members(primaries);
  });

  it("do not lose one that became the primary while its retirement waited, and say so", async () => {
    const store = new KeyStore({}, file);
    const adding = store.add();
    while (store.current.keys.length === 1) await delay(5);
    const [, added] = store.current.keys;
    const isRetired = await store.retire(added?.id ?? "");
    await adding;
    store.close();
    expect(store.current.primary.id).to.equal(added?.id);
    expect(isRetired).to.equal(false);
  });

  it("change all the same when a process was killed in the middle of a change", async () => {
    const lock = `${file.path}.lock`;
    mkdirSync(lock);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lock, longAgo, longAgo);
    expect(await file.alone(() => "changed")).to.equal("changed");
  });
});
