// A floor far below what is measured (bench/storage.bench.ts), for a mistake that makes it ten times slower. In processor
// time, which other programs change least.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";

describe("speed", () => {
  it("100 MB a second of processor time at least, in put and in get", async function () {
    const path = await mkdtemp(join(tmpdir(), "fieldseal-speed-"));
    try {
      const keyring = Keyring.fromKey(generateRootKey());
      const storage = new EncryptedLocalStorage({ path, keyring, durability: "none" });
      const megabytes = 100;
      const bytes = Buffer.alloc(megabytes * 1e6, "x");
      const rateOf = async (run: () => Promise<unknown>): Promise<number> => {
        const before = process.cpuUsage();
        await run();
        const { user, system } = process.cpuUsage(before);
        return megabytes / ((user + system) / 1e6);
      };
      const put = await rateOf(() => storage.put("k", bytes));
      const get = await rateOf(async () => {
        for await (const _piece of (await storage.get("k")).stream);
      });
      this.runnable().title += `: ${put.toFixed(0)} and ${get.toFixed(0)}`;
      expect(put).to.be.greaterThan(100);
      expect(get).to.be.greaterThan(100);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  });
});
