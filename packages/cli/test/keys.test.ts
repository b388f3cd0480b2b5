// Keys in files and variables: made, changed by several at once, and never given up while something needs them.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ColumnCipher,
  decryptString,
  encryptString,
  generateRootKey,
  Keyring,
  keyringFromEnvironment,
  keyringFromKeysetFile,
  textCodec,
} from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { expect } from "chai";
import {
  changeKeyset,
  readKeyset,
  writeNewKeyset,
  type KeysetChanged,
} from "../src/keyset-file.ts";
import { createProject, json, specifier, USERS_CONFIG, type Project } from "./project.ts";

/** Wraps by turning bits over: enough to see who was asked, and that files hold no key in the clear. */
const WRAPPED_CONFIG = `${USERS_CONFIG.replace("export default", "const usersOnly =")}
import { wrappedKeysetSource } from ${specifier("@fieldseal/crypto")};
const turn = async (bytes) => Uint8Array.from(bytes, (byte) => byte ^ 0x5a);
const keyWrapper = { wrap: turn, unwrap: turn };
export default { columns, keyWrapper, keys: () => wrappedKeysetSource({ path: "wrapped.json", wrapper: keyWrapper }) };
`;

describe("fieldseal keys", function () {
  this.timeout(60_000);
  let project: Project;
  let run: Project["run"];
  const keysetPath = (): string => project.path("keyset.json");
  const keysetEnv = (): Record<string, string> => ({
    ENCRYPTION_KEY: "",
    ENCRYPTION_KEYSET_FILE: keysetPath(),
  });

  before(async () => {
    project = await createProject();
    ({ run } = project);
    project.write("fieldseal.config.ts", USERS_CONFIG);
    await project.database.query("create table users (id int primary key, email text)");
  });
  after(() => project.remove());

  /** A fresh keyset of an old primary and a new one. */
  async function promoted(): Promise<{ readonly old: string; readonly now: string }> {
    rmSync(keysetPath(), { force: true });
    const made = await run(["keygen", "--keyset", keysetPath(), "--json"]);
    const { id: old } = json(made) as { id: string };
    const added = await run(["keys", "add", "--json"], { env: keysetEnv() });
    const { id: now } = json(added) as { id: string };
    expect(await run(["keys", "promote", now], { env: keysetEnv() })).to.include({ code: 0 });
    return { old, now };
  }

  it("loses no key when several change a file at once", async () => {
    const turn = async (bytes: Uint8Array): Promise<Uint8Array> => {
      await sleep(20); // as a service would, long enough for all to have read the file
      return Uint8Array.from(bytes, (byte) => byte ^ 0x5a);
    };
    const wrapper = { wrap: turn, unwrap: turn };
    const path = project.path("busy.json");
    await writeNewKeyset(path, { keyring: Keyring.fromKey(generateRootKey()), wrapper });
    await Promise.all(
      Array.from({ length: 5 }, () => {
        const added = generateRootKey();
        const change = (ring: Keyring): KeysetChanged => ({ after: ring.add(added), added });
        return changeKeyset({ path, wrapper, change });
      }),
    );
    expect((await readKeyset(path, wrapper)).keyring.keys).to.have.length(6);
  });

  it("leaves a private file and nothing else behind", async () => {
    await run(["keygen", "--keyset", keysetPath()]);
    expect(await project.fieldseal(["keys", "add"], { env: keysetEnv() })).to.include({ code: 0 });
    expect(keyringFromKeysetFile(keysetPath()).keys).to.have.length(2);
    expect(readdirSync(project.folder).filter((name) => /lock|new/.test(name))).to.deep.equal([]);
    expect(statSync(keysetPath()).mode & 0o777).to.equal(0o600);
  });

  it("does not touch a file that another process holds, and says who", async () => {
    const before = readFileSync(keysetPath(), "utf8");
    project.write("keyset.json.lock", "process 1 on elsewhere\n");
    const refused = await run(["keys", "add"], { env: keysetEnv() });
    expect(refused.code).to.equal(3);
    expect(refused.err)
      .to.include("is being changed by process 1 on elsewhere")
      .and.include("remove");
    expect(readFileSync(keysetPath(), "utf8")).to.equal(before);
    rmSync(project.path("keyset.json.lock"));
  });

  it("keeps links, and the entries that it does not change", async () => {
    mkdirSync(project.path("secret"));
    const real = project.path("secret/keys.json");
    writeFileSync(real, readFileSync(keysetPath()), { mode: 0o600 });
    symlinkSync("secret/keys.json", project.path("link.json"));
    const before = JSON.parse(readFileSync(real, "utf8")) as { keys: object[] };
    expect(await run(["keys", "add", "--keyset", "link.json"])).to.include({ code: 0 });
    expect(lstatSync(project.path("link.json")).isSymbolicLink()).to.equal(true);
    const after = JSON.parse(readFileSync(real, "utf8")) as { keys: object[] };
    expect(after.keys.slice(0, -1)).to.deep.equal(before.keys);
  });

  it("refuses files that are missing, readable by others, or no keyset", async () => {
    const missing = await run(["keys", "list", "--keyset", "nowhere.json"]);
    expect(missing.err).to.include("nowhere.json cannot be used: ENOENT");
    expect(missing.err).to.include("fieldseal keygen --keyset nowhere.json");
    project.write("open.json", readFileSync(keysetPath(), "utf8"));
    chmodSync(project.path("open.json"), 0o644);
    expect((await run(["keys", "add", "--keyset", "open.json"])).err).to.include("chmod 600");
    project.write("other.json", "{}");
    const other = await run(["keys", "list", "--keyset", "other.json"]);
    expect(other).to.include({ code: 3 });
    expect(other.err).to.include("ERR_KEY_FORMAT");
    const [primary] = keyringFromKeysetFile(keysetPath()).keys;
    const retired = await run(["keys", "retire", primary!.id], { env: keysetEnv() });
    expect(retired.err).to.include("Promote another key first");
    expect((await run(["keys", "promote", "00000000"], { env: keysetEnv() })).code).to.equal(3);
  });

  it("says for variables what is to be done, in an order without a gap, and does nothing", async () => {
    const add = await run(["keys", "add"]);
    expect(add).to.include({ code: 3 });
    expect(add.out).to.include("ENCRYPTION_PREVIOUS_KEYS").and.include("Nothing was done");
    expect(json(await run(["keys", "promote", "12345678", "--json"]))).to.deep.include({
      changed: false,
    });
    const old = generateRootKey();
    const { id } = Keyring.fromKey(old).primary;
    const env = { ENCRYPTION_PREVIOUS_KEYS: old };
    await project.database.query("insert into users values (1, $1)", [
      encryptString("a", { context: "users.email", keyring: Keyring.fromKey(old) }),
    ]);
    const refused = await run(["keys", "retire", id, "--json"], { env });
    expect(refused).to.include({ code: 1 });
    expect(json(refused)).to.have.nested.property("error.uses[0].where", "users.email");
    await project.database.query("delete from users");
    const retired = await run(["keys", "retire", id], { env });
    expect(retired.out).to.include("Take entry 1 out of ENCRYPTION_PREVIOUS_KEYS");
    expect(retired.out).to.include("stored files were not looked at");
    expect((await run(["keys", "retire", project.keyring.primary.id])).code).to.equal(3);
  });

  it("moves the keys of variables into a keyset: the same ids, a private file, nothing overwritten", async () => {
    const old = generateRootKey();
    const env = { ENCRYPTION_PREVIOUS_KEYS: old };
    const before = keyringFromEnvironment({ ENCRYPTION_KEY: project.key, ...env });
    const path = project.path("moved.json");
    const command = ["keygen", "--keyset", path, "--from-environment"];
    const moved = await run(command, { env });
    expect(moved, moved.err).to.include({ code: 0 });
    expect(moved.out).to.include("take out ENCRYPTION_KEY and ENCRYPTION_PREVIOUS_KEYS");
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    const after = keyringFromKeysetFile(path);
    expect(after.toJSON()).to.deep.equal(before.toJSON());
    const options = { context: "users.email" };
    const value = encryptString("x", { ...options, keyring: before });
    expect(decryptString(value, { ...options, keyring: after })).to.equal("x");
    const again = await run(command, { env });
    expect(again).to.include({ code: 3, out: "" });
    expect(again.err).to.include("exists");
    expect(keyringFromKeysetFile(path).toJSON()).to.deep.equal(before.toJSON());
    const asJson = json(
      await run([...command.slice(0, 2), `${path}2`, command[3]!, "--json"], { env }),
    );
    expect(asJson).to.deep.equal({
      id: before.primary.id,
      path: `${path}2`,
      keys: before.keys.map(({ id, status }) => ({ id, status })),
    });
    for (const key of [project.key, old]) {
      expect(moved.out + moved.err + JSON.stringify(asJson)).not.to.include(key);
    }
  });

  it("moves nothing without keys, without a file to move to, or from a keyset to another", async () => {
    const command = ["keygen", "--keyset", project.path("none.json"), "--from-environment"];
    const none = await run(command, { env: { ENCRYPTION_KEY: "" } });
    expect(none).to.include({ code: 3 });
    expect((await run(["keygen", "--from-environment"])).err).to.include("Add --keyset <file>");
    const twice = await run(command, { env: keysetEnv() });
    expect(twice).to.include({ code: 2 });
    expect(twice.err).to.include("--wrap");
    expect(readdirSync(project.folder)).not.to.include("none.json");
  });

  it("names the keys that there are, and says how a replaced one encrypts again", async () => {
    const { old, now } = await promoted();
    const unknown = await run(["keys", "promote", "00000000"], { env: keysetEnv() });
    expect(unknown.err).to.include(`It has ${now} (primary), ${old} (decrypt-only)`);
    const replaced = await run(["keys", "promote", old], { env: keysetEnv() });
    expect(replaced).to.include({ code: 1 });
    expect(replaced.err).to.include('"status" to "enabled"').and.include("keyset.json");
    expect(keyringFromKeysetFile(keysetPath()).primary.id).to.equal(now);
  });

  it("lists keys that values name and that are missing", async () => {
    const lost = Keyring.fromKey(generateRootKey());
    await project.database.query("insert into users values (1, $1)", [
      encryptString("x", { context: "users.email", keyring: lost }),
    ]);
    const { id } = lost.primary;
    const list = await run(["keys", "list", "--uses"]);
    expect(list.out)
      .to.match(new RegExp(`^${id} +missing +unknown +users.email \\(1 value\\)$`, "m"))
      .and.include("add them to ENCRYPTION_PREVIOUS_KEYS");
    expect(json(await run(["keys", "list", "--uses", "--json"])))
      .to.have.property("missing")
      .that.deep.equals([{ id, uses: [{ where: "users.email", kind: "values", count: 1 }] }]);
    await project.database.query("delete from users");
  });

  it("counts what each key is needed for", async () => {
    const { old, now } = await promoted();
    const ring = keyringFromKeysetFile(keysetPath());
    const values = [old, old, now].map((id) => {
      const key = ring.keys.find((one) => one.id === id)!;
      return encryptString("x", {
        context: "users.email",
        keyring: id === now ? ring : withPrimary(ring, key.id),
      });
    });
    for (const [i, value] of values.entries()) {
      await project.database.query("insert into users values ($1, $2)", [i, value]);
    }
    const list = await run(["keys", "list", "--uses"], { env: keysetEnv() });
    expect(list.out)
      .to.match(/^key +status +since +used by$/m)
      .and.match(new RegExp(`${now} +primary +\\d{4}-\\d\\d-\\d\\d +users.email \\(1 value\\)`))
      .and.match(new RegExp(`${old} +decrypt-only +\\S+ +users.email \\(2 values\\)`));
    await project.database.query("delete from users");
    expect((await run(["keys", "list", "--uses"], { env: keysetEnv() })).out).to.match(/nothing$/m);
  });

  it("counts values of a key that is disabled, which nothing opens", async () => {
    const { old } = await promoted();
    const ring = keyringFromKeysetFile(keysetPath());
    expect(await run(["keys", "retire", old], { env: keysetEnv() })).to.include({ code: 0 });
    await project.database.query("insert into users values (1, $1)", [
      encryptString("x", { context: "users.email", keyring: withPrimary(ring, old) }),
    ]);
    const refused = await run(["keys", "retire", old, "--destroy", "--without-storage"], {
      env: keysetEnv(),
    });
    expect(refused).to.include({ code: 1 });
    expect(refused.err).to.include("still used by users.email (1 value)");
    await project.database.query("delete from users");
  });

  it("does not destroy a key before somebody says whether files are stored", async () => {
    const { old } = await promoted();
    const refused = await run(["keys", "retire", old, "--destroy"], { env: keysetEnv() });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.include("names no storage").and.include("--without-storage");
    const done = await run(["keys", "retire", old, "--destroy", "--without-storage"], {
      env: keysetEnv(),
    });
    expect(done, done.err).to.include({ code: 0 });
    expect(keyringFromKeysetFile(keysetPath()).get(old)!.status).to.equal("destroyed");
    expect(readFileSync(keysetPath(), "utf8").match(/"key"/g)).to.have.length(1);
  });

  it("counts stored files, and values of the legacy layout that may need the key", async () => {
    const { old } = await promoted();
    const ring = keyringFromKeysetFile(keysetPath());
    const storage = new EncryptedLocalStorage({
      path: project.path("files"),
      keyring: withPrimary(ring, old),
    });
    await storage.put("a/1", Buffer.from("x"));
    project.write(
      "files.config.ts",
      `import { EncryptedLocalStorage } from ${specifier("@fieldseal/storage")};
       export default { storage: () => new EncryptedLocalStorage({ path: "files" }) };`,
    );
    const retire = ["keys", "retire", old, "--config", "files.config.ts"];
    const refused = await run(retire, { env: keysetEnv() });
    expect(refused.err).to.include("still used by 1 stored file");
    const rotated = await run(["rotate", "--config", "files.config.ts"], { env: keysetEnv() });
    expect(rotated.out).to.include("stored files: done, 1 file rewrapped");
    const retired = await run([...retire, "--destroy"], { env: keysetEnv() });
    expect(retired.out).to.include("No stored file uses it; the configuration names no column");

    const { old: second } = await promoted();
    project.write(
      "legacy.config.ts",
      USERS_CONFIG.replace('plaintext: "accept"', 'legacy: "aes-256-cbc"'),
    );
    await project.database.query("insert into users values (1, 'AAAAAAAAAAAAAAAAAAAAAA==')");
    const legacy = await run(["keys", "retire", second, "--config", "legacy.config.ts"], {
      env: keysetEnv(),
    });
    expect(legacy.code).to.equal(1);
    expect(legacy.err).to.include("1 value of the legacy layout in users.email name no key");
    await project.database.query("delete from users");
  });

  it("counts what a column holds that another one takes over", async () => {
    const { old } = await promoted();
    const { database } = project;
    await database.query("alter table users add email_sealed bytea");
    const keyring = withPrimary(keyringFromKeysetFile(keysetPath()), old);
    for (const [id, suite] of (["A256CBC-HS256", "A256GCM"] as const).entries()) {
      const cipher = new ColumnCipher({
        codec: textCodec,
        label: "t",
        options: { keyring, suite },
        defaultContext: { table: "users", column: "email" },
      });
      await database.query("insert into users (id, email) values ($1, $2)", [id, cipher.seal("x")]);
    }
    const sealed = USERS_CONFIG.replaceAll('column: "email"', 'column: "email_sealed"')
      .replace('plaintext: "accept"', 'plaintext: "accept", storage: "binary"')
      .replace("columns }", 'columns, sources: { "users.email_sealed": "email" } }');
    project.write("sources.config.ts", sealed);
    const retire = ["keys", "retire", old, "--destroy", "--without-storage"];
    const refused = await run([...retire, "--config", "sources.config.ts"], { env: keysetEnv() });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.include(`Key ${old} is still used by users.email (2 values)`);
    expect(keyringFromKeysetFile(keysetPath()).get(old)!.status).to.equal("decrypt-only");
    await database.query("delete from users; alter table users drop email_sealed");
  });

  it("takes files that the storage does not read for files that may need the key", async () => {
    const { old } = await promoted();
    mkdirSync(project.path("older"));
    writeFileSync(project.path("older/7.bin"), Buffer.alloc(48, 1));
    writeFileSync(project.path("older/7.json"), JSON.stringify({ encrypted: true }));
    project.write(
      "older.config.ts",
      `import { EncryptedLocalStorage } from ${specifier("@fieldseal/storage")};
       export default { storage: () => new EncryptedLocalStorage({ path: "older" }) };`,
    );
    const retire = ["keys", "retire", old, "--destroy", "--config", "older.config.ts"];
    const refused = await run(retire, { env: keysetEnv() });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.include("1 stored file of the legacy layout or in plaintext");
    expect(keyringFromKeysetFile(keysetPath()).get(old)!.status).to.equal("decrypt-only");
  });

  it("refuses when it cannot see every row", async () => {
    const { old } = await promoted();
    const { database } = project;
    await database.query("alter table users enable row level security");
    await database.query("create role narrow login password 'narrow'");
    await database.query("grant select, update on users to narrow");
    const url = new URL(database.url);
    [url.username, url.password] = ["narrow", "narrow"];
    const env = { ...keysetEnv(), DATABASE_URL: url.href };
    const refused = await run(["keys", "retire", old], { env });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.include("users cannot be read whole");
    await database.query("drop owned by narrow");
    await database.query("drop role narrow");
    await database.query("alter table users disable row level security");
    project.write("gone.config.ts", USERS_CONFIG.replaceAll('"users"', '"gone"'));
    const gone = await run(["keys", "retire", old, "--config", "gone.config.ts"], {
      env: keysetEnv(),
    });
    expect(gone.err).to.include("It is unknown whether");
    project.write("none.config.ts", "export default { columns: [] };");
    const none = await run(["keys", "retire", old, "--config", "none.config.ts"], {
      env: keysetEnv(),
    });
    expect(none.err).to.include("nothing shows that the key is unused");
  });

  it("refuses while a column is of another type than is declared, and may hold envelopes all the same", async () => {
    const { old } = await promoted();
    const { database } = project;
    const cipher = new ColumnCipher({
      codec: textCodec,
      label: "t",
      options: {
        keyring: keyringFromKeysetFile(keysetPath()).setStatus(old, "enabled").promote(old),
      },
      defaultContext: { table: "users", column: "email" },
    });
    await database.query("insert into users values (1, $1)", [cipher.seal("x")]);
    project.write(
      "binary.config.ts",
      USERS_CONFIG.replace('plaintext: "accept"', 'plaintext: "accept", storage: "binary"'),
    );
    const retire = ["keys", "retire", old, "--config", "binary.config.ts"];
    const refused = await run(retire, { env: keysetEnv() });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.match(
      /unknown whether key .* is used: .*"email" is text, and ciphertext needs bytea/,
    );
    await database.query("delete from users");
  });

  it("refuses while search tokens may be those of the key", async () => {
    const { old } = await promoted();
    const { database } = project;
    await database.query("alter table users add email_index text");
    project.write(
      "index.config.ts",
      USERS_CONFIG.replace('plaintext: "accept"', 'blindIndex: { column: "email_index" }'),
    );
    const cipher = new ColumnCipher({
      codec: textCodec,
      label: "t",
      options: {
        blindIndex: { column: "email_index" },
        keyring: keyringFromKeysetFile(keysetPath()),
      },
      defaultContext: { table: "users", column: "email" },
    });
    await database.query("insert into users values (1, $1, 'stale')", [cipher.seal("x")]);
    const retire = ["keys", "retire", old, "--config", "index.config.ts"];
    const refused = await run(retire, { env: keysetEnv() });
    expect(refused.err).to.include("needed to search users.email (1 search token");
    await database.query("update users set email_index = $1", [cipher.indexToken("x")]);
    expect(await run(retire, { env: keysetEnv() })).to.include({ code: 0 });
    await database.query("delete from users");
  });

  it("keeps wrapped keys wrapped, by the service that the configuration names", async () => {
    project.write("wrapped.config.ts", WRAPPED_CONFIG);
    const config = ["--config", "wrapped.config.ts"];
    const env = { ENCRYPTION_KEY: "" };
    const unnamed = await run(["keygen", "--keyset", "wrapped.json", "--wrap"]);
    expect(unnamed).to.include({ code: 2 });
    project.write(
      "wrapper.config.ts",
      WRAPPED_CONFIG.replace(/keys: .*"wrapped.json".*\) \}/, "}"),
    );
    const made = await run([
      "keygen",
      "--keyset",
      "wrapped.json",
      "--wrap",
      "--config",
      "wrapper.config.ts",
      "--json",
    ]);
    const { id: old } = json(made) as { id: string };
    const before = JSON.parse(readFileSync(project.path("wrapped.json"), "utf8")) as {
      keys: [{ wrapped: string }];
    };
    expect(before.keys[0]).to.have.property("wrapped").and.not.equal(undefined);
    expect(before.keys[0]).not.to.have.property("key");

    const added = await run(["keys", "add", "--keyset", "wrapped.json", ...config, "--json"], {
      env,
    });
    const { id } = json(added) as { id: string };
    const promoting = ["keys", "promote", id, "--keyset", "wrapped.json", ...config];
    expect(await run(promoting, { env })).to.include({ code: 0 });
    const after = JSON.parse(readFileSync(project.path("wrapped.json"), "utf8")) as {
      keys: { id: string; wrapped?: string; key?: string; status: string }[];
    };
    expect(after.keys[0]).to.include({
      id: old,
      status: "decrypt-only",
      wrapped: before.keys[0].wrapped,
    });
    expect(after.keys[1]).to.include({ id, status: "primary" }).and.not.have.property("key");
    const list = await run(["keys", "list", ...config], { env });
    expect(list.out).to.match(new RegExp(`${id} +primary`));
    expect((await run(["keys", "list", "--keyset", "wrapped.json"])).err).to.include("keyWrapper");
    const source = await run(["keys", "add", ...config], { env });
    expect(source.err).to.include("come from a source that the configuration names");
    const retired = await run(["keys", "retire", old, ...config], { env });
    expect(retired.out).to.include("Retire it in wrapped.json");
  });

  it("does not mix the ways to write a new key", async () => {
    for (const flags of [
      ["--keyset", "a.json", "--env"],
      ["--keyset", "a.json", "--out", "b"],
      ["--wrap"],
      ["--from-environment", "--out", "b"],
    ]) {
      expect((await run(["keygen", ...flags])).code, flags.join(" ")).to.equal(2);
    }
    const nowhere = await run(["keygen", "--out", "no/such/folder"]);
    expect(nowhere.err).to.include("cannot be written (ENOENT)");
  });

  it("printed no key", () => {
    const keys = readdirSync(project.folder)
      .filter((name) => name.endsWith(".json"))
      .flatMap(
        (name) => readFileSync(project.path(name), "utf8").match(/[A-Za-z0-9+/]{43}=/g) ?? [],
      );
    expect(keys.length).to.be.greaterThan(2);
    const all = project.printed.join("\n");
    for (const key of keys) {
      expect(all).not.to.include(key);
      expect(all).not.to.include(Buffer.from(key, "base64").toString("hex"));
    }
  });
});

/** The same keys with another primary: for values from before. */
function withPrimary(keyring: Keyring, id: string): Keyring {
  const keys = keyring.keys.map((key) =>
    key.id === id ? key.withStatus("primary") : key.withStatus("decrypt-only"),
  );
  return new Keyring(keys);
}
