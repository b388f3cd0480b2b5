import { mkdtemp, readdir, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { describeStorage } from "./support/storage-behaviour.ts";
import type { StorageHarness } from "./support/storage-harness.ts";

const PREFIX_BYTES = 8192;

async function localHarness(): Promise<StorageHarness> {
  const folder = await mkdtemp(join(tmpdir(), "fieldseal-storage-"));
  const at = (key: string): string => join(folder, key);
  const files = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  return {
    // The disk of the tests need not survive a power failure; local-crash.test.ts syncs.
    open: (options) => new EncryptedLocalStorage({ ...options, path: folder, durability: "none" }),
    everything: async () => {
      const paths = await files();
      const contents = await Promise.all(paths.map((path) => readFile(path)));
      return Buffer.concat([Buffer.from(paths.join("\n")), ...contents]);
    },
    readBody: async (key) => (await readFile(at(key))).subarray(PREFIX_BYTES),
    writeBody: async (key, body) => {
      const prefix = (await readFile(at(key))).subarray(0, PREFIX_BYTES);
      await writeFile(at(key), Buffer.concat([prefix, body]));
    },
    moveEnvelope: async (from, to) => {
      const prefix = (await readFile(at(from))).subarray(0, PREFIX_BYTES);
      const body = (await readFile(at(to))).subarray(PREFIX_BYTES);
      await writeFile(at(to), Buffer.concat([prefix, body]));
    },
    writeForeign: async (key, bytes, pairs) => {
      await mkdir(dirname(at(key)), { recursive: true });
      await writeFile(at(key), bytes);
      await writeFile(at(key).replace(/(\.[^.]*)?$/, ".json"), JSON.stringify(pairs));
    },
    leftovers: async () => (await files()).filter((path) => path.endsWith(".tmp")).length,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

describe("EncryptedLocalStorage", () => describeStorage(localHarness));
