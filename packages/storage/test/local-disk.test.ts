// What only a disk has: paths, modes, slots, leftovers, and a disk that fails.
import { randomBytes } from "node:crypto";
import fs, {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { spawnSync } from "node:child_process";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { createEncryptedStorage, EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import { skip } from "../../../test/support/skip.ts";
import { inChunks, thrownBy } from "./support/bodies.ts";
import { findingsOf } from "./support/storage-subject.ts";

const SLOT_BYTES = 4096;

describe("EncryptedLocalStorage on its disk", () => {
  const rootKey = generateRootKey();
  const keyring = Keyring.fromKey(rootKey);
  let base: string;
  let folder: string;
  let storage: EncryptedLocalStorage;
  const at = (...parts: string[]): string => join(folder, ...parts);
  const code = async (action: () => unknown): Promise<unknown> =>
    ((await thrownBy(action)) as { code?: unknown }).code;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "fieldseal-disk-"));
    folder = join(base, "deep", "store");
    storage = new EncryptedLocalStorage({ path: folder, keyring });
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  it("makes files with mode 0600 and folders with 0700, whatever the umask", async () => {
    for (const mask of [0o000, 0o077]) {
      const before = process.umask(mask);
      try {
        await storage.put(`${mask}/sub/k`, Buffer.from("x"));
        await storage.copy(`${mask}/sub/k`, `${mask}/copy`);
        await storage.rewrap(`${mask}/copy`);
      } finally {
        process.umask(before);
      }
      const modeOf = async (path: string): Promise<number> => (await stat(path)).mode % 0o1000;
      expect(await modeOf(at(`${mask}/sub/k`))).to.equal(0o600);
      expect(await modeOf(at(`${mask}/copy`))).to.equal(0o600);
      expect(await modeOf(at(`${mask}/sub`))).to.equal(0o700);
      expect(await modeOf(folder)).to.equal(0o700);
    }
  });

  it("writes a new object's folders to disk too, before its put has ended", async () => {
    const synced: string[] = [];
    const { open } = fs;
    fs.open = async (path, ...rest) => {
      const handle = await open(path, ...rest);
      const { sync } = handle;
      handle.sync = () => {
        synced.push(relative(base, String(path)));
        return sync.call(handle);
      };
      return handle;
    };
    syncBuiltinESMExports();
    try {
      await storage.put("a/b/k", Buffer.from("x"));
      const folders = ["", "deep", "deep/store", "deep/store/a", "deep/store/a/b"];
      expect(synced).to.include.members(folders);
      synced.length = 0;
      await storage.put("a/b/k", Buffer.from("x"));
      expect(synced.slice(1)).to.deep.equal(["deep/store/a/b"]);
    } finally {
      fs.open = open;
      syncBuiltinESMExports();
    }
  });

  it("follows no symbolic link out of its folder, to read, write, list or delete", async () => {
    const outside = join(base, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "k"), "outside");
    await storage.put("inside/k", Buffer.from("inside"));
    await symlink(outside, at("link"));
    await symlink(join(outside, "k"), at("file-link"));
    for (const key of ["link/k", "link/deeper/k", "file-link"]) {
      expect(await code(() => storage.get(key)), key).to.equal("ERR_STORAGE_KEY");
    }
    for (const key of ["link/k", "link/deeper/k"]) {
      expect(await code(() => storage.put(key, Buffer.from("x"))), key).to.equal("ERR_STORAGE_KEY");
      expect(await code(() => storage.copy("inside/k", key)), key).to.equal("ERR_STORAGE_KEY");
      expect(await code(() => storage.delete(key)), key).to.equal("ERR_STORAGE_KEY");
    }
    // A put over a link replaces the link; what it pointed to stays.
    await storage.put("file-link", Buffer.from("x"));
    expect((await lstat(at("file-link"))).isSymbolicLink()).to.equal(false);
    expect(await readdir(outside)).to.deep.equal(["k"]);
    expect(await readFile(join(outside, "k"), "utf8")).to.equal("outside");
    const listed: string[] = [];
    for await (const { key } of storage.list()) listed.push(key);
    expect(listed).to.deep.equal(["file-link", "inside/k"]);
  });

  it("may itself stand behind a link", async () => {
    await mkdir(join(base, "real"));
    await symlink(join(base, "real"), join(base, "link"));
    const linked = new EncryptedLocalStorage({ path: join(base, "link"), keyring });
    await linked.put("a/b", Buffer.from("x"));
    expect((await (await linked.get("a/b")).bytes()).toString()).to.equal("x");
    expect(await readdir(join(base, "real"))).to.deep.equal(["a"]);
  });

  it("reads with one slot damaged, either; with both it says so and leaves the body", async () => {
    await storage.put("k", Buffer.from("content"));
    const intact = await readFile(at("k"));
    const damage = (bytes: Buffer, slot: number): Buffer => {
      const damaged = Buffer.from(bytes);
      damaged[slot * SLOT_BYTES + 100]! ^= 1;
      return damaged;
    };
    for (const slot of [0, 1]) {
      await writeFile(at("k"), damage(intact, slot));
      expect((await (await storage.get("k")).bytes()).toString()).to.equal("content");
      await storage.setTags("k", { repaired: "yes" });
      const repaired = await readFile(at("k"));
      expect(
        repaired.subarray(0, SLOT_BYTES).equals(repaired.subarray(SLOT_BYTES, 2 * SLOT_BYTES)),
      ).to.equal(true);
    }
    await writeFile(at("k"), damage(damage(intact, 0), 1));
    expect(await code(() => storage.get("k"))).to.equal("ERR_STORAGE_FORMAT");
    expect(await code(() => storage.rewrap("k"))).to.equal("ERR_STORAGE_FORMAT");
    expect(
      (await readFile(at("k"))).subarray(2 * SLOT_BYTES).equals(intact.subarray(2 * SLOT_BYTES)),
    ).to.equal(true);
  });

  it("opens a file whose rewrap was interrupted at any byte, with the new key or the old", async () => {
    const bytes = randomBytes(1000);
    await storage.put("k", bytes);
    const before = await readFile(at("k"));
    const next = new EncryptedLocalStorage({
      path: folder,
      keyring: Keyring.fromKey(generateRootKey(), { previous: [rootKey] }),
    });
    await next.rewrap("k");
    const after = await readFile(at("k"));
    // Slots are written one after the other: the idle one (1) first.
    for (const [slot, rest] of [
      [1, before],
      [0, Buffer.concat([before.subarray(0, SLOT_BYTES), after.subarray(SLOT_BYTES)])],
    ] as const) {
      for (let written = 0; written <= SLOT_BYTES; written += 97) {
        const torn = Buffer.from(rest);
        after.copy(torn, slot * SLOT_BYTES, slot * SLOT_BYTES, slot * SLOT_BYTES + written);
        await writeFile(at("k"), torn);
        expect((await (await next.get("k")).bytes()).equals(bytes)).to.equal(true);
      }
    }
    // The old envelope that it left is gone after the next.
    const torn = Buffer.concat([before.subarray(0, SLOT_BYTES), after.subarray(SLOT_BYTES)]);
    await writeFile(at("k"), torn);
    const stateOf = async (): Promise<unknown> => (await findingsOf(next)).at(0)?.state;
    expect(await stateOf()).to.equal("old-key");
    expect(await next.rewrap("k")).to.include({ outcome: "rewrapped" });
    expect(await stateOf()).to.equal("ok");
    const file = await readFile(at("k"));
    expect(file.subarray(0, SLOT_BYTES).equals(file.subarray(SLOT_BYTES, 2 * SLOT_BYTES))).to.equal(
      true,
    );
    expect(await next.rewrap("k")).to.include({ outcome: "current" });
  });

  it("loses no object to a disk that takes a part of what it is given at a time", async () => {
    const { open } = fs;
    fs.open = async (...given) => {
      const handle = await open(...given);
      const write = handle.write.bind(handle) as (...parts: unknown[]) => never;
      handle.write = ((bytes: Buffer, at: number, length: number, position: number | null) =>
        write(bytes, at, Math.min(length, 1000), position)) as never;
      return handle;
    };
    syncBuiltinESMExports();
    try {
      await storage.put("k", Buffer.from("content"), { tags: { a: "1" } });
      await storage.setTags("k", { a: "2" });
      expect(await storage.getTags("k")).to.deep.equal({ a: "2" });
      expect(await findingsOf(storage)).to.have.nested.property("0.state", "ok");
    } finally {
      fs.open = open;
      syncBuiltinESMExports();
    }
  });

  it("leaves a body that is a FLOE file of its own behind the first 8 KiB", async () => {
    await storage.put("k", Buffer.alloc(100));
    const file = await readFile(at("k"));
    expect(file.length).to.equal(2 * SLOT_BYTES + 74 + 32 + 100);
    expect(file.subarray(8192, 8202).toString("hex")).to.equal("00000001000000000020");
  });

  it("gc removes old temporary files, and nothing else", async () => {
    await storage.put("a/k", Buffer.from("x"));
    const old = new Date(Date.now() - 48 * 3600 * 1000);
    const leftovers = [".k.0123456789ab.tmp", "a/.k.ba9876543210.tmp"];
    for (const name of leftovers) {
      await writeFile(at(name), "left");
      await utimes(at(name), old, old);
    }
    await writeFile(at(".young.0123456789ab.tmp"), "running");
    const others = [".gitignore", "a/.k.tmp", "a/other.0123456789ab.tmp"];
    for (const name of others) {
      await writeFile(at(name), "not ours");
      await utimes(at(name), old, old);
    }
    expect(await storage.gc()).to.deep.equal({ removed: 2, bytes: 8 });
    // Compared with this, nothing is too young.
    for (const olderThanMs of [NaN, "1" as never])
      expect(await thrownBy(() => storage.gc({ olderThanMs }))).to.be.instanceOf(RangeError);
    expect(await storage.gc({ olderThanMs: -1 })).to.deep.equal({ removed: 1, bytes: 7 });
    expect((await readdir(folder, { recursive: true })).toSorted()).to.deep.equal(
      ["a", "a/k", ...others].toSorted(),
    );
    const listed: string[] = [];
    for await (const { key } of storage.list()) listed.push(key);
    expect(listed).to.deep.equal(["a/k", "a/other.0123456789ab.tmp"]);
  });

  it("a move that was killed with both names there is ended by the next one", async () => {
    await storage.put("a", Buffer.from("x"));
    await link(at("a"), at("b"));
    expect(await code(() => storage.move("a", "b", { ifAbsent: true }))).to.equal(
      "ERR_STORAGE_EXISTS",
    );
    await storage.move("a", "b");
    expect(await readdir(folder)).to.deep.equal(["b"]);
    expect((await (await storage.get("b")).bytes()).toString()).to.equal("x");
  });

  it("moves an object to another name of its place without waiting for itself", async () => {
    await storage.put("real/k", Buffer.from("x"));
    // As "real" and "Real" are where case makes no difference.
    await symlink(at("real"), at("link"));
    await storage.move("real/k", "link/k");
    expect(await readdir(at("real"))).to.deep.equal(["k"]);
    expect((await (await storage.get("link/k")).bytes()).toString()).to.equal("x");
    expect(await code(() => storage.move("real/k", "link/k", { ifAbsent: true }))).to.equal(
      "ERR_STORAGE_EXISTS",
    );
    expect(await readdir(at("real"))).to.deep.equal(["k"]);
  });

  it("a full disk is an error that names it, and the temporary file is gone", async function () {
    const small = join(base, "small");
    await mkdir(small);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    if (mounted.status !== 0) skip(this, "no right to mount a file system of limited size");
    try {
      const full = new EncryptedLocalStorage({ path: small, keyring });
      await full.put("k", Buffer.from("old"));
      const error = await thrownBy(() => full.put("k", inChunks(randomBytes(3_000_000), 100_000)));
      expect(error).to.include({ code: "ERR_STORAGE_BACKEND", objectKey: "k" });
      expect(error.message).to.include("ENOSPC");
      expect(await readdir(small)).to.deep.equal(["k"]);
      expect((await (await full.get("k")).bytes()).toString()).to.equal("old");
    } finally {
      spawnSync("umount", [small]);
    }
  });

  it("a folder without the right to write or read is an error with its code", async function () {
    await storage.put("locked/k", Buffer.from("x"));
    await chmod(at("locked"), 0o000);
    try {
      // The superuser may write everywhere: another user asks.
      const program = `import { EncryptedLocalStorage } from "@fieldseal/storage";
        import { Keyring } from "@fieldseal/crypto";
        const storage = new EncryptedLocalStorage({ path: ${JSON.stringify(folder)}, keyring: Keyring.fromKey("${rootKey}") });
        for (const run of [() => storage.put("locked/k", Buffer.of(1)), () => storage.get("locked/k")]) {
          try { await run(); console.log("no error"); } catch (error) { console.log(error.code, error.message); }
        }`;
      if (process.getuid?.() === 0) {
        for (const path of [base, join(base, "deep"), folder]) await chmod(path, 0o755);
      }
      const result = spawnSync(
        process.execPath,
        [
          "--conditions=@fieldseal/source",
          "--no-warnings",
          "--input-type=module",
          "--eval",
          program,
        ],
        {
          encoding: "utf8",
          cwd: import.meta.dirname,
          ...(process.getuid?.() === 0 && { uid: 65_534, gid: 65_534 }),
        },
      );
      const lines = result.stdout.trim().split("\n");
      if (result.status !== 0) skip(this, "another user cannot run Node here");
      expect(lines).to.have.length(2);
      for (const line of lines) expect(line).to.match(/^ERR_STORAGE_BACKEND .*EACCES/);
    } finally {
      await chmod(at("locked"), 0o700);
    }
  });

  it("a key below one that is an object is an error of the store", async () => {
    await storage.put("a", Buffer.from("x"));
    expect(await code(() => storage.put("a/b", Buffer.from("x")))).to.equal("ERR_STORAGE_BACKEND");
    expect(await code(() => storage.get("a/b"))).to.equal("ERR_STORAGE_NOT_FOUND");
    await mkdir(at("folder"), { recursive: true });
    expect(await code(() => storage.get("folder"))).to.equal("ERR_STORAGE_NOT_FOUND");
    for (const action of ["copy", "move"] as const) {
      for (const to of ["a/b", "folder"])
        expect(await code(() => storage[action]("a", to))).to.equal("ERR_STORAGE_BACKEND");
    }
    expect((await storage.head("a")).size).to.equal(1);
  });

  it("a reencrypt that met a newer object leaves that one", async () => {
    await storage.put("k", inChunks(randomBytes(3_000_000), 50_000));
    const running = storage.reencrypt("k");
    const newer = storage.put("k", Buffer.from("newer"));
    const [result] = await Promise.allSettled([running, newer]);
    if (result.status === "rejected")
      expect(result.reason).to.have.property("code", "ERR_STORAGE_CHANGED");
    expect((await (await storage.get("k")).bytes()).toString()).to.equal("newer");
    expect((await readdir(folder)).toSorted()).to.deep.equal(["k"]);
  });
});

describe("createEncryptedStorage", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  let base: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "fieldseal-create-"));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  it("makes a storage on disk from STORAGE_PATH, also without STORAGE_TYPE", async () => {
    for (const [name, type] of [
      ["a", { STORAGE_TYPE: "local" }],
      ["b", {}],
      ["c", { STORAGE_TYPE: "  ", S3_BUCKET: " " }],
    ] as const) {
      const path = join(base, name);
      const storage = await createEncryptedStorage({ ...type, STORAGE_PATH: path }, { keyring });
      await storage.put("k", Buffer.from("x"));
      expect(await readdir(path)).to.deep.equal(["k"]);
    }
  });

  it("refuses an unknown type, and variables of the other type", async () => {
    for (const [environment, message] of [
      [{ STORAGE_TYPE: "floppy" }, /STORAGE_TYPE is "floppy"; it takes "local" or "s3"/],
      [{ S3_BUCKET: "b", S3_ENDPOINT: "e" }, /S3_BUCKET, S3_ENDPOINT are set, but STORAGE_TYPE/],
    ] as const) {
      const error = await thrownBy(() => createEncryptedStorage(environment, { keyring }));
      expect(error).to.have.property("code", "ERR_CONFIG_OPTION");
      expect(error.message).to.match(message);
    }
  });

  it("and the constructor refuse options that are none", async () => {
    for (const options of [
      { path: "" },
      { path: base, durability: "some" },
      { path: base, context: "" },
      { path: base, plaintext: "yes" },
      { path: base, legacy: "des" },
      { path: base, onEncryptFailure: "ignore" },
      { path: base, keyring: "0123" },
      { path: base, contxt: "tenant-7" },
    ]) {
      expect(await thrownBy(() => new EncryptedLocalStorage(options as never))).to.have.property(
        "code",
        "ERR_CONFIG_OPTION",
      );
    }
  });
});
