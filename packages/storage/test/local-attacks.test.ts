// A disk in the hands of somebody else, or of several programs at once: what it can do to the store and its users.
import { fork, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmod,
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
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage, type VerifiedObject } from "@fieldseal/storage";
import { expect } from "chai";
import { skip } from "../../../test/support/skip.ts";
import { encodeObjectEnvelope } from "../src/object-envelope.ts";
import { encodeSlot } from "../src/local-slots.ts";
import { thrownBy } from "./support/bodies.ts";

describe("EncryptedLocalStorage under attack", () => {
  const rootKey = generateRootKey();
  const keyring = Keyring.fromKey(rootKey);
  let base: string;
  let folder: string;
  let storage: EncryptedLocalStorage;
  let accepting: EncryptedLocalStorage;
  const at = (...parts: string[]): string => join(folder, ...parts);
  const code = async (action: () => unknown): Promise<unknown> =>
    ((await thrownBy(action)) as { code?: unknown }).code;
  const bytesOf = async (key: string): Promise<string> =>
    (await (await accepting.get(key)).bytes()).toString();

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "fieldseal-attack-"));
    folder = join(base, "store");
    storage = new EncryptedLocalStorage({ path: folder, keyring });
    accepting = new EncryptedLocalStorage({ path: folder, keyring, plaintext: "accept" });
    await storage.put("k", Buffer.from("content"));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  /** A file of ours in plaintext, with whatever metadata. */
  const forged = (metadata: string, body = "body", objectId = randomBytes(16)): Buffer => {
    const envelope = encodeObjectEnvelope({
      protection: "plaintext",
      objectId,
      wrappedKey: Buffer.alloc(0),
      metadata: Buffer.from(metadata),
    });
    const slot = encodeSlot({ generation: 1n, envelope, tags: {} });
    return Buffer.concat([slot, slot, Buffer.from(body)]);
  };

  it("finds every changed bit of a file but those of the slot that is not used", async () => {
    const intact = await readFile(at("k"));
    // The first slot counts, the second one is for when it is damaged; tags are in no tag of the envelope.
    for (let bit = 0; bit < 8; bit++) {
      for (let offset = 8192; offset < intact.length; offset += 3) {
        const changed = Buffer.from(intact);
        changed[offset]! ^= 1 << bit;
        await writeFile(at("k"), changed);
        const found = await code(async () => (await storage.get("k")).bytes());
        expect(found, `bit ${bit} of byte ${offset}`).to.match(/^ERR_STORAGE_/);
      }
    }
  });

  it("takes nothing that only the checksum of a slot vouches for", async () => {
    const intact = await readFile(at("k"));
    const length = intact.readUInt16BE(16);
    const envelope = intact.subarray(20, 20 + length);
    for (let offset = 0; offset < length; offset++) {
      const changed = Buffer.from(envelope);
      changed[offset]! ^= 0x81;
      const slot = encodeSlot({ generation: 9n, envelope: changed, tags: {} });
      await writeFile(at("k"), Buffer.concat([slot, slot, intact.subarray(8192)]));
      const found = await code(() => storage.get("k"));
      expect(found, `byte ${offset}`).to.match(/^ERR_(STORAGE|KEY)_/);
    }
  });

  it("answers forged slots and metadata with its own error, which quotes nothing of them", async () => {
    const files: Record<string, Buffer> = {
      "no JSON": forged("secret-marker {"),
      "no object": forged("7"),
      null: forged("null"),
      "wrong size": forged('{"size":3}'),
      "cut within the envelope": forged("{}").subarray(0, 6000),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(at("k"), bytes);
      const error = await thrownBy(() => accepting.get("k"));
      expect(error, name)
        .to.have.property("code")
        .that.matches(/^ERR_STORAGE_(FORMAT|TRUNCATED)$/);
      expect(error.message + String(error.cause)).not.to.include("secret-marker");
      const findings: VerifiedObject[] = [];
      for await (const one of accepting.verify()) findings.push(one);
      expect(findings.map(({ state }) => state)).to.deep.equal(["damaged"]);
    }
    const tags = forged("{}");
    const slot = tags.subarray(0, 4096);
    const end = 20 + slot.readUInt16BE(16);
    for (const [tagLength, text] of [
      [60_000, "{}"],
      [2, "[]"],
      [2, "7 "],
      [9, '{"a":{}} '],
    ] as const) {
      const { createHash } = await import("node:crypto");
      const changed = Buffer.from(slot);
      changed.writeUInt16BE(tagLength, 18);
      changed.write(text, end);
      changed.set(createHash("sha256").update(changed.subarray(0, 4064)).digest(), 4064);
      await writeFile(at("k"), Buffer.concat([changed, changed, Buffer.from("body")]));
      const found = await Promise.allSettled([accepting.getTags("k")]);
      if (found[0].status === "rejected")
        expect(found[0].reason).to.have.property("code", "ERR_STORAGE_FORMAT");
      else expect(JSON.stringify(found[0].value)).to.equal(text === "[]" ? "{}" : text.trim());
    }
  });

  it("believes no object id of what is not encrypted, and gives a new one to what reencrypt makes of it", async () => {
    const { objectId } = await storage.put("k", Buffer.from("genuine"));
    await writeFile(at("k"), forged("{}", "forged", Buffer.from(objectId, "hex")));
    expect((await accepting.head("k")).objectId).to.equal(objectId);
    expect(await code(() => accepting.get("k", { expectedObjectId: objectId }))).to.equal(
      "ERR_STORAGE_MISMATCH",
    );
    await accepting.reencrypt("k");
    expect(await code(() => storage.get("k", { expectedObjectId: objectId }))).to.equal(
      "ERR_STORAGE_MISMATCH",
    );
  });

  it("takes from another program's description no type or name that cannot be a header", async () => {
    const types = [
      "text/plain\r\nx-injected: 1",
      'text/plain; a="\n"',
      "текст/plain",
      "",
      "no type",
    ];
    for (const type of types) {
      await writeFile(at("old.jpg"), "picture");
      const description = {
        encrypted: false,
        content_type: type,
        filename: "../..\u0000/a\nb.jpg",
      };
      await writeFile(at("old.json"), JSON.stringify(description));
      expect(await accepting.head("old.jpg"), type).to.include({
        contentType: "application/octet-stream",
        fileName: "ab.jpg",
      });
    }
    await accepting.reencrypt("old.jpg");
    expect(await storage.head("old.jpg")).to.include({ fileName: "ab.jpg" });
    for (const contentType of ['text/plain; a="\n"', 'a/b; c="\u00e9"', 'a/b; c="\u0000"']) {
      expect(await code(() => storage.put("x", Buffer.of(1), { contentType }))).to.equal(
        "ERR_STORAGE_METADATA",
      );
    }
  });

  it("lists and finds names that are no keys, by which nothing can be read", async () => {
    await writeFile(at("e\u0301.mp4"), await readFile(at("k")));
    const findings: unknown[] = [];
    for await (const { key, state, code: why } of storage.verify())
      findings.push([key, state, why]);
    expect(findings).to.deep.equal([
      ["e\u0301.mp4", "unreadable", "ERR_STORAGE_KEY"],
      ["k", "ok", undefined],
    ]);
    expect(await code(() => storage.get("e\u0301.mp4"))).to.equal("ERR_STORAGE_NOT_FOUND");
  });

  it("opens no named pipe, which would wait for ever, and no folder", async function () {
    if (spawnSync("mkfifo", [at("pipe")]).status !== 0) skip(this, "mkfifo is not installed");
    await mkdir(at("folder"));
    for (const key of ["pipe", "folder", "k/below"]) {
      expect(await code(() => storage.get(key)), key).to.equal("ERR_STORAGE_NOT_FOUND");
      expect(await code(() => storage.setTags(key, {})), key).to.equal("ERR_STORAGE_NOT_FOUND");
      expect(await code(() => storage.move(key, "to")), key).to.equal("ERR_STORAGE_NOT_FOUND");
    }
    for (const key of ["folder", "k/below", "k/below/that"]) {
      expect(await storage.delete(key), key).to.equal(false);
    }
    expect((await storage.head("k")).size).to.equal(7);
  });

  it("gc follows no link, and does not mind what is gone meanwhile", async () => {
    const outside = join(base, "outside");
    await mkdir(outside);
    const name = ".k.0123456789ab.tmp";
    await writeFile(join(outside, name), "not ours");
    await symlink(outside, at("link"));
    await symlink(join(outside, name), at(".link.0123456789ab.tmp"));
    await writeFile(at(name), "old");
    const [first, second] = await Promise.all([
      storage.gc({ olderThanMs: -1000 }),
      storage.gc({ olderThanMs: -1000 }),
    ]);
    expect(first.removed + second.removed).to.be.within(1, 2);
    expect(await readdir(outside)).to.deep.equal([name]);
  });

  it("two descriptions by one file: deleting or migrating one object leaves the other readable", async () => {
    await writeFile(at("7.json"), JSON.stringify({ encrypted: false, origin: "gate" }));
    for (const key of ["7.jpg", "7.mp4", "7.png"]) await writeFile(at(key), key);
    await accepting.reencrypt("7.mp4");
    await accepting.delete("7.png");
    expect(await bytesOf("7.jpg")).to.equal("7.jpg");
    expect(await bytesOf("7.mp4")).to.equal("7.mp4");
    await accepting.delete("7.mp4");
    await accepting.put("7.jpg", Buffer.from("new"));
    expect((await readdir(folder)).toSorted()).to.deep.equal(["7.jpg", "k"]);
  });

  it("what describes an older object is no object: it is neither replaced nor deleted", async () => {
    const description = JSON.stringify({ encrypted: false, origin: "gate" });
    await writeFile(at("7.json"), description);
    await writeFile(at("7.mp4"), "video");
    for (const action of [
      () => storage.put("7.json", Buffer.from("boxes")),
      () => storage.put("7.json", Buffer.from("boxes"), { ifAbsent: true }),
      () => storage.copy("k", "7.json"),
      () => storage.move("k", "7.json"),
    ]) {
      expect(await code(action)).to.equal("ERR_STORAGE_UNPROTECTED");
    }
    expect(await storage.delete("7.json")).to.equal(false);
    expect(await accepting.head("7.mp4")).to.have.nested.property("metadata.origin", "gate");
    await accepting.reencrypt("7.mp4");
    await storage.put("7.json", Buffer.from("boxes"));
    expect(await bytesOf("7.mp4")).to.equal("video");
    expect(await bytesOf("7.json")).to.equal("boxes");
    expect(await storage.delete("7.json")).to.equal(true);
  });

  it("a description that several objects shared goes with the last that needs it", async () => {
    for (const finish of [
      () => accepting.reencrypt("7.mp4"),
      () => accepting.delete("7.mp4"),
      () => accepting.put("7.mp4", Buffer.from("new")),
    ]) {
      await writeFile(at("7.json"), JSON.stringify({ encrypted: false, filename: "ada.mp4" }));
      for (const key of ["7.jpg", "7.mp4"]) await writeFile(at(key), key);
      await accepting.reencrypt("7.jpg");
      expect(await readdir(folder)).to.include("7.json");
      await finish();
      expect(await readdir(folder)).not.to.include("7.json");
    }
  });

  it("move takes away the description that a migration left beside its source", async () => {
    await storage.put("clips/1.mp4", Buffer.from("video"));
    await writeFile(at("clips/1.json"), JSON.stringify({ encrypted: "false", camera: "north" }));
    await storage.move("clips/1.mp4", "moved");
    expect(await readdir(at("clips"))).to.deep.equal([]);
    expect(await bytesOf("moved")).to.equal("video");
  });

  it("gc removes the description that a migration left beside an encrypted file when it died", async () => {
    const old = JSON.stringify({ encrypted: "false", camera: "north gate" });
    for (const key of ["clips/1.mp4", "clips/2.mp4"]) {
      await storage.put(key, Buffer.from("video"));
      await writeFile(at(key.replace("mp4", "json")), old);
    }
    await writeFile(at("clips/2.mp4"), "as an older system stored it");
    await writeFile(at("clips/3.json"), old);
    await writeFile(at("clips/1.txt.json"), old);
    expect(await storage.gc({ olderThanMs: 60_000 })).to.deep.equal({ removed: 0, bytes: 0 });
    expect(await storage.gc({ olderThanMs: -1000 })).to.deep.equal({
      removed: 1,
      bytes: old.length,
    });
    expect((await readdir(at("clips"))).toSorted()).to.deep.equal(
      ["1.mp4", "1.txt.json", "2.json", "2.mp4", "3.json"].toSorted(),
    );
    expect(await bytesOf("clips/1.mp4")).to.equal("video");
  });

  it("tags that do not fit beside an envelope are refused, and what fits comes back", async () => {
    const tags = (length: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`tag-${i}`, "v".repeat(length)]));
    for (const length of [20, 100, 140, 150, 200, 256]) {
      const options = { tags: tags(length), metadata: { note: "n".repeat(2400) } };
      try {
        await storage.put("k", Buffer.from("x"), options);
      } catch (error) {
        expect(error).to.have.property("code", "ERR_STORAGE_METADATA");
        expect(length).to.be.greaterThan(140);
        expect(await code(() => storage.setTags("k", tags(length)))).to.equal(
          "ERR_STORAGE_METADATA",
        );
        continue;
      }
      expect(await storage.getTags("k")).to.deep.equal(tags(length));
      expect((await storage.head("k")).metadata.note).to.have.length(2400);
    }
  });

  it("puts and deletes at once: every put that says so was stored, whatever came after", async () => {
    const actions = Array.from({ length: 60 }, (_, i) =>
      i % 2 === 0 ? storage.put("race", Buffer.from(`${i}`)) : storage.delete("race"),
    );
    const results = await Promise.allSettled(actions);
    const failed = results.filter((result) => result.status === "rejected");
    expect(failed.map(({ reason }) => String(reason))).to.deep.equal([]);
  });

  it("puts, tags and rewraps through two storages at once leave one whole object", async () => {
    const next = new EncryptedLocalStorage({
      path: folder,
      keyring: keyring.add(generateRootKey(), "primary"),
    });
    await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) =>
        [
          () => storage.setTags("k", { n: String(i) }),
          () => next.rewrap("k"),
          () => storage.put("k", Buffer.from("content")),
          () => next.reencrypt("k"),
        ][i % 4]!(),
      ),
    );
    expect((await (await next.get("k")).bytes()).toString()).to.equal("content");
    expect(await readdir(folder)).to.deep.equal(["k"]);
    await next.rewrap("k");
    expect(await code(() => storage.get("k"))).to.equal("ERR_KEY_UNKNOWN");
  });

  it("a put is not undone by another process that encrypts the object anew", async function () {
    this.timeout(60_000);
    const child = fork(
      fileURLToPath(new URL("support/reencrypt-child.ts", import.meta.url)),
      [folder, rootKey, "k"],
      { execArgv: ["--conditions=@fieldseal/source", "--no-warnings"] },
    );
    try {
      await once(child, "message");
      const fast = new EncryptedLocalStorage({ path: folder, keyring, durability: "none" });
      for (let i = 0; i < 150; i++) {
        const { objectId } = await fast.put("k", Buffer.from(`${i}`));
        await new Promise((resolve) => setTimeout(resolve, 1));
        expect((await fast.head("k")).objectId, `put ${i}`).to.equal(objectId);
      }
      expect(child.exitCode, "the child must be at work").to.equal(null);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    // A lock that it may have left does not last.
    await storage.put("k", Buffer.from("after"));
    expect(await bytesOf("k")).to.equal("after");
    await storage.gc({ olderThanMs: -1000 });
    expect(await readdir(folder)).to.deep.equal(["k"]);
  });

  it("lists while objects come and go, without an error and without what is unfinished", async () => {
    const state = { isWriting: true };
    const writing = (async () => {
      for (let i = 0; i < 150; i++) {
        await storage.put(`many/${i % 7}/${i}`, Buffer.alloc(5000));
        if (i > 5) await storage.delete(`many/${(i - 5) % 7}/${i - 5}`);
      }
    })().finally(() => (state.isWriting = false));
    while (state.isWriting) {
      for await (const { key } of storage.list()) expect(key).to.match(/^(k|many\/\d\/\d+)$/);
    }
    await writing;
  });

  it("copies get mode 0600 also from a file that others opened up", async () => {
    await chmod(at("k"), 0o666);
    await storage.copy("k", "copy");
    expect((await stat(at("copy"))).mode % 0o1000).to.equal(0o600);
  });

  it("a folder of the store may lie on another disk", async function () {
    await mkdir(at("other"));
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", at("other")]);
    if (mounted.status !== 0) skip(this, "no right to mount a file system");
    try {
      const put = await storage.put("k", Buffer.from("content"), { tags: { a: "b" } });
      await storage.move("k", "other/k");
      expect(await storage.head("other/k")).to.include({ objectId: put.objectId });
      expect(await storage.getTags("other/k")).to.deep.equal({ a: "b" });
      expect(await code(() => storage.head("k"))).to.equal("ERR_STORAGE_NOT_FOUND");
      await storage.put("k", Buffer.from("more"));
      expect(await code(() => storage.move("k", "other/k", { ifAbsent: true }))).to.equal(
        "ERR_STORAGE_EXISTS",
      );
      expect(await readdir(at("other"))).to.deep.equal(["k"]);
    } finally {
      spawnSync("umount", [at("other")]);
    }
  });

  it("a folder that cannot be used is an error that names it, and no longer one when it can", async () => {
    const path = join(base, "file", "store");
    await writeFile(join(base, "file"), "in the way");
    const late = new EncryptedLocalStorage({ path, keyring });
    for (const action of [
      () => late.put("k", Buffer.of(1)),
      () => late.get("k"),
      () => late.delete("k"),
      () => late.list()[Symbol.asyncIterator]().next(),
      () => late.gc(),
    ]) {
      const error = await thrownBy(action);
      expect(error).to.have.property("code", "ERR_STORAGE_BACKEND");
      expect(error.message).to.include(path).and.include("STORAGE_PATH");
    }
    await rm(join(base, "file"));
    await late.put("k", Buffer.of(1));
  });

  it("a client that goes away in an upload leaves neither object nor temporary file", async () => {
    const ended: Promise<unknown>[] = [];
    const server = createServer((incoming) => {
      ended.push(thrownBy(() => storage.put("upload", incoming)));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const outgoing = request({ host: "127.0.0.1", port, method: "PUT", agent: false });
    outgoing.on("error", () => {});
    outgoing.write(Buffer.alloc(3_000_000));
    for (let i = 0; i < 1000; i++) {
      if ((await readdir(folder)).some((name) => name.startsWith(".upload"))) break;
      await new Promise((done) => setTimeout(done, 5));
    }
    outgoing.destroy();
    expect(await ended[0]).to.have.property("code", "ECONNRESET");
    server.close();
    expect(await readdir(folder)).to.deep.equal(["k"]);
    const old = new Date(0);
    await utimes(at("k"), old, old);
    expect(await storage.gc()).to.deep.equal({ removed: 0, bytes: 0 });
  });
});
