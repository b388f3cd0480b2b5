// The lock among processes: whose it is while a disk is slow, while descriptors are short, and after a crash.
import fs, { mkdtemp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { withFileLock } from "../src/file-lock.ts";
import { thrownBy } from "./support/bodies.ts";

describe("a lock among processes", () => {
  let folder: string;
  let lock: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fieldseal-lock-"));
    lock = join(folder, `.k.${"0".repeat(12)}.tmp`);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("stays its holder's for as long as the disk takes", async () => {
    await withFileLock(join(folder, "k"), async () => {
      const old = new Date(Date.now() - 60_000);
      await utimes(lock, old, old);
      while ((await stat(lock)).mtimeMs < Date.now() - 30_000) await delay(20);
    });
  });

  it("of a process that died is taken over, also when the clock was put back since", async () => {
    for (const age of [60_000, -3_600_000]) {
      await writeFile(lock, "");
      const then = new Date(Date.now() - age);
      await utimes(lock, then, then);
      expect(await withFileLock(join(folder, "k"), () => Promise.resolve("done"))).to.equal("done");
    }
  });

  it("that was taken over from a process that stood still is not ended by that process", async () => {
    await withFileLock(join(folder, "k"), async () => {
      await rm(lock);
      await writeFile(lock, "another's");
    });
    expect(await readFile(lock, "utf8")).to.equal("another's");
    await rm(lock);
  });

  it("is not gone without for want of descriptors", async () => {
    const storage = new EncryptedLocalStorage({
      path: folder,
      keyring: Keyring.fromKey(generateRootKey()),
    });
    await storage.put("k", Buffer.from("old"));
    const { open } = fs;
    fs.open = async (path, ...rest) => {
      if (path === lock) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
      return open(path, ...rest);
    };
    syncBuiltinESMExports();
    try {
      for (const action of [
        () => storage.put("k", Buffer.from("new")),
        () => storage.setTags("k", { a: "b" }),
        () => storage.move("k", "to"),
        () => storage.delete("k"),
      ]) {
        const error = await thrownBy(action);
        expect(error).to.include({ code: "ERR_STORAGE_BACKEND", objectKey: "k", retryable: true });
        expect(error.message).to.include("EMFILE");
      }
    } finally {
      fs.open = open;
      syncBuiltinESMExports();
    }
    expect(String(await (await storage.get("k")).bytes())).to.equal("old");
  });
});
