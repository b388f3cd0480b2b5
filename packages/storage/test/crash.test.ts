// kill -9 at random moments: 50 interrupted objects, or as many as FIELDSEAL_KILLS says. What takes the time is to start
// Node, so every child works on several objects at once, each at some moment of its own.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { contentOf } from "./support/crash-content.ts";

const KILLS = Number(process.env.FIELDSEAL_KILLS ?? 50);
const OBJECTS = ["k0", "k1", "k2", "k3", "k4"];
const CHILD = fileURLToPath(new URL("support/crash-child.ts", import.meta.url));

describe("kill -9", function () {
  this.timeout(120_000);
  const keys = [generateRootKey(), generateRootKey()] as const;
  const keyring = Keyring.fromKey(keys[0], { previous: [keys[1]] });
  let folder: string;
  let storage: EncryptedLocalStorage;
  let leftovers: number;

  beforeEach(async () => {
    leftovers = 0;
    folder = await mkdtemp(join(tmpdir(), "fieldseal-kill-"));
    storage = new EncryptedLocalStorage({ path: folder, keyring });
    for (const key of OBJECTS) await storage.put(key, contentOf(0), { metadata: { version: "0" } });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Starts the child, and kills it some milliseconds after it began to work. */
  async function runAndKill(action: "put" | "rewrap", milliseconds: number): Promise<void> {
    const child = fork(CHILD, [folder, action, ...keys, ...OBJECTS], {
      execArgv: ["--conditions=@fieldseal/source", "--no-warnings"],
    });
    const exited = once(child, "exit");
    await Promise.race([once(child, "message"), exited]);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    child.kill("SIGKILL");
    const [code, signal] = (await exited) as [number | null, string | null];
    expect([code, signal], "the child must be killed, not fail").to.deep.equal([null, "SIGKILL"]);
  }

  async function killMany(
    action: "put" | "rewrap",
    check: (key: string) => Promise<void>,
  ): Promise<void> {
    for (let kills = 0; kills < KILLS / 2; kills += OBJECTS.length) {
      await runAndKill(action, 20 + Math.random() * 150);
      for (const key of OBJECTS) await check(key);
      const report = await storage.gc({ olderThanMs: -1 });
      leftovers += report.removed;
      expect((await readdir(folder)).toSorted()).to.deep.equal(OBJECTS);
    }
  }

  it("during put leaves the old object or the new one, whole, and no temporary file after gc", async () => {
    await killMany("put", async (key) => {
      const { info, bytes } = await storage.get(key);
      const version = Number(info.metadata.version);
      expect((await bytes()).equals(contentOf(version))).to.equal(true);
    });
    expect(leftovers, "some kills must have hit a put in the middle").to.be.greaterThan(0);
  });

  it("during rewrap leaves an object that opens, under the old key or the new one", async () => {
    const seen = new Set<string | undefined>();
    await killMany("rewrap", async (key) => {
      const { info, bytes } = await storage.get(key);
      seen.add(info.keyId);
      expect((await bytes()).equals(contentOf(0))).to.equal(true);
    });
    expect(seen.size, "the kills must have met both keys").to.equal(2);
  });
});
