// Stored files, from the command: brought under the primary key, and verified.
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { createProject, json, specifier, USERS_CONFIG, type Project } from "./project.ts";

const OLD_KEY = generateRootKey();

const CONFIG = `${USERS_CONFIG.replace("export default", "const usersOnly =")}
import { EncryptedLocalStorage } from ${specifier("@fieldseal/storage")};
import { setTimeout as sleep } from "node:timers/promises";
const local = new EncryptedLocalStorage({ path: "files", plaintext: "accept" });
/** A store across a network, where a run lasts long enough to be interrupted. */
const slow = new Proxy(local, { get: (_, name) => name === "rewrap"
  ? async (key) => { await sleep(Number(process.env.SLOW_MS ?? 0)); return local.rewrap(key); }
  : local[name]?.bind(local) });
export default { columns, storage: () => slow };
`;

interface Rotated {
  readonly storage: Readonly<Record<string, unknown>>;
}

describe("fieldseal and stored files", function () {
  this.timeout(60_000);
  let project: Project;
  let run: Project["run"];
  const old = new Keyring([...Keyring.fromKey(OLD_KEY).keys]);
  const env = { ENCRYPTION_PREVIOUS_KEYS: OLD_KEY };
  const only = ["--only", "storage"];

  const store = (keyring: Keyring): EncryptedLocalStorage =>
    new EncryptedLocalStorage({ path: project.path("files"), keyring });
  const fileOf = (key: string): string => {
    const found = readdirSync(project.path("files"), { recursive: true })
      .map(String)
      .find((name) => name.endsWith(key));
    return join(project.path("files"), found!);
  };

  before(async () => {
    project = await createProject();
    ({ run } = project);
    project.write("fieldseal.config.ts", CONFIG);
    await project.database.query("create table users (id int primary key, email text)");
    await project.database.query("insert into users values (1, 'a'), (2, 'b')");
    const storage = store(old);
    for (let i = 0; i < 20; i++) {
      await storage.put(`frames/${String(i).padStart(2, "0")}`, Buffer.alloc(70_000, i));
    }
  });
  after(() => project.remove());

  it("says under which keys they are", async () => {
    const found = await run(["verify", ...only], { env });
    expect(found).to.include({ code: 1 });
    expect(found.out).to.equal(
      `stored files  20 files  findings\n  key ${old.primary.id}  20  older key: "fieldseal rotate"\n`,
    );
    const strange = await run(["verify", ...only]);
    expect(strange.out)
      .to.include("unreadable  20")
      .and.include("frames/00  unreadable  ERR_KEY_UNKNOWN");
    expect(strange.out).to.include("and more; --limit");
  });

  it("pauses at Ctrl-C, and goes on behind the file that it names", async () => {
    const child = project.start(["rotate", ...only, "--files", "2"], {
      env: { ...env, SLOW_MS: "400" },
    });
    let [out, err] = ["", ""];
    child.stdout!.on("data", (part: Buffer) => {
      out += String(part);
      // Once: a second signal ends the process.
      if (!child.killed && /: [2-9] of 20|: 1\d of 20/.test(out)) child.kill("SIGINT");
    });
    child.stderr!.on("data", (part: Buffer) => (err += String(part)));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code, err).to.equal(4);
    expect(err).to.include("Stopping after the batch at hand. Ctrl-C again stops at once.");
    expect(out).to.match(/stored files: paused, \d+ files? rewrapped/);
    const [, key] =
      /fieldseal rotate --only storage --start-after "(frames\/\d\d)"$/m.exec(out) ?? [];
    const { rewrapped, current, files } = await rotateFrom(key);
    expect(rewrapped).to.equal(files);
    expect(current).to.equal(0);
    const again = await run(["rotate", ...only, "--json"], { env });
    expect((json(again) as Rotated).storage).to.include({
      rewrapped: 0,
      current: 20,
      state: "done",
    });
    const verified = await run(["verify", ...only, "--json"]); // the old key is not needed any more
    expect(json(verified)).to.have.nested.property("storage.byState.ok", 20);

    async function rotateFrom(after: string | undefined): Promise<Rotated["storage"]> {
      const rest = await run(["rotate", ...only, "--start-after", after!, "--json"], { env });
      expect(rest.code).to.equal(0);
      return (json(rest) as Rotated).storage;
    }
  });

  it("ends at once at the second Ctrl-C, and harms nothing", async () => {
    const child = project.start(["rotate", ...only], {
      env: { ENCRYPTION_KEY: OLD_KEY, ENCRYPTION_PREVIOUS_KEYS: project.key, SLOW_MS: "60000" },
    });
    await new Promise((resolve) => child.stdout!.once("data", resolve));
    await sleep(200);
    const began = performance.now();
    child.kill("SIGINT");
    await new Promise((resolve) => child.stderr!.once("data", resolve));
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.on("close", resolve))).to.equal(130);
    expect(performance.now() - began).to.be.lessThan(3000);
    const verified = await run(["verify", ...only], { env });
    expect(verified).to.include({ code: 0 });
  });

  it("rotates columns and files in one go, with progress of both as lines of JSON", async () => {
    const result = await run(["rotate", "--ndjson"], {
      env: { ENCRYPTION_KEY: OLD_KEY, ENCRYPTION_PREVIOUS_KEYS: project.key },
    });
    expect(result, result.err).to.include({ code: 0 });
    const lines = result.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.some(({ type, rowsSeen }) => type === "progress" && rowsSeen !== undefined),
    ).to.equal(true);
    expect(lines.some(({ type, filesTotal }) => type === "progress" && filesTotal === 20)).to.equal(
      true,
    );
    const last = lines.at(-1)!;
    expect(last).to.include({ type: "result" });
    expect(last).to.have.nested.property("storage.rewrapped", 20);
    expect(last).to.have.nested.property("runs[0].rowsWritten", 2);
  });

  it("begins with no file where somebody pauses the columns", async () => {
    await project.database.query(
      "insert into users select i, 'plain' from generate_series(10, 39) i",
    );
    const slowly = ["--batch-rows", "1", "--max-rows-per-second", "10"];
    const child = project.start(["rotate", "--ndjson", ...slowly], {
      env: { ENCRYPTION_KEY: OLD_KEY, ENCRYPTION_PREVIOUS_KEYS: project.key },
    });
    let out = "";
    let pausing: ReturnType<Project["run"]> | undefined;
    child.stdout!.on("data", (part: Buffer) => {
      out += String(part);
      const [, runId] = /"runId":"(\d+)"/.exec(out) ?? [];
      if (runId !== undefined) pausing ??= run(["migrate", "pause", runId]);
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).to.equal(4);
    expect(await pausing).to.include({ code: 0 });
    const last = JSON.parse(out.trim().split("\n").at(-1)!) as object;
    expect(last).to.have.nested.property("runs[0].state", "paused");
    expect(last).to.include({ storage: null });
  });

  it("names files that are damaged or cannot be opened, rotates the rest, and ends with 4", async () => {
    truncateSync(fileOf("frames/03"), 50_000);
    writeFileSync(fileOf("frames/04"), "no object of ours");
    const environment = { env: { ENCRYPTION_PREVIOUS_KEYS: OLD_KEY } };
    const rotated = await run(["rotate", ...only], environment);
    expect(rotated).to.include({ code: 4 });
    expect(rotated.out).to.match(/stored files: partial, 1[89] files rewrapped/);
    expect(rotated.out).to.match(/^ {2}frames\/04 +ERR_STORAGE_\w+$/m);
    const verified = await run(["verify", ...only, "--limit", "1"], environment);
    expect(verified).to.include({ code: 1 });
    expect(verified.out).to.match(/^ {2}damaged +[12] +cut, or changed$/m);
    const both = await run(["verify", "--json"], environment);
    const { isOk, storage } = json(both) as {
      readonly isOk: boolean;
      readonly storage: { readonly found: { readonly key: string }[] };
    };
    expect(isOk).to.equal(false);
    expect(storage.found.map(({ key }) => key)).to.include.members(["frames/03", "frames/04"]);
    const quick = await run(["verify", ...only, "--quick", "--prefix", "frames/0"], environment);
    expect(quick.out).to.include("10 files (envelopes only)");
  });

  it("encrypts what was stored unencrypted", async () => {
    const careless = new EncryptedLocalStorage({
      path: project.path("files"),
      keyring: () => {
        throw new Error("no key");
      },
      onEncryptFailure: "insecure-store-plaintext",
    });
    await careless.put("plain/1", Buffer.from("as it is"));
    const found = await run(["verify", ...only, "--prefix", "plain"]);
    expect(found.out).to.match(/plaintext +1 +not encrypted: "fieldseal rotate"/);
    const rotated = await run(["rotate", ...only, "--prefix", "plain"]);
    expect(rotated.out).to.include("0 files rewrapped, 1 encrypted that were not");
    expect(readFileSync(fileOf("plain/1"), "latin1")).not.to.include("as it is");
  });

  it("says so when there is none, and does not pass an empty configuration", async () => {
    project.write("columns.config.ts", USERS_CONFIG);
    for (const name of ["verify", "rotate"]) {
      const none = await run([name, ...only, "--config", "columns.config.ts"]);
      expect(none).to.include({ code: 3 });
      expect(none.err).to.include("names no storage").and.include("createEncryptedStorage");
    }
    project.write("empty.config.ts", "export default { columns: () => [] };");
    for (const name of [["verify"], ["rotate"], ["migrate", "run"], ["migrate", "plan"]]) {
      const empty = await run([...name, "--config", "empty.config.ts"]);
      expect(empty, name.join(" ")).to.include({ code: 3 });
      expect(empty.err).to.include("gives no encrypted column");
    }
  });
});
