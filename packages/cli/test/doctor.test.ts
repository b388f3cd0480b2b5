// fieldseal doctor: each check once in order, and once not.
import { chmodSync, rmSync } from "node:fs";
import { encryptString, generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { skip } from "../../../test/support/skip.ts";
import {
  createProject,
  json,
  specifier,
  USERS_CONFIG,
  type Project,
  type Result,
} from "./project.ts";

interface Check {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  readonly fix?: string;
}

describe("fieldseal doctor", function () {
  this.timeout(60_000);
  let project: Project;
  let run: Project["run"];

  before(async () => {
    project = await createProject();
    ({ run } = project);
    project.write("fieldseal.config.ts", USERS_CONFIG);
    await project.database.query("create table users (id int primary key, email text)");
  });
  after(() => project.remove());

  function checks(result: Result): ReadonlyMap<string, Check> {
    const { checks: all } = json(result) as { checks: Check[] };
    return new Map(all.map((check) => [check.name, check]));
  }

  const doctor = async (
    env: Record<string, string> = {},
    flags: readonly string[] = [],
  ): Promise<ReadonlyMap<string, Check>> =>
    checks(await run(["doctor", "--json", ...flags], { env }));

  it("finds a set-up in order", async () => {
    const result = await run(["doctor"]);
    expect(result, result.err).to.include({ code: 0 });
    expect(result.out).to.match(/^All is well\.$/m);
    const all = await doctor();
    const states = Object.fromEntries([...all].map(([name, { state }]) => [name, state]));
    expect(states).to.deep.equal({
      "Node.js": "ok",
      configuration: "ok",
      keys: "ok",
      encryption: "ok",
      database: "ok",
      clock: "ok",
      TLS: "ok",
      sessions: "ok",
      replication: "ok",
      extensions: "ok",
      privileges: "ok",
      columns: "ok",
      "key canary": "skipped",
      data: "ok",
    });
    expect(all.get("data")!.detail).to.equal("no value yet");
  });

  it("proves by a canary that the keys are those of this database", async () => {
    const stored = await doctor({}, ["--canary"]);
    const { id } = project.keyring.primary;
    expect(stored.get("key canary")).to.include({ state: "ok", detail: `opens with ${id}` });
    expect((await doctor({}, ["--canary"])).get("key canary")!.state).to.equal("ok");

    const other = generateRootKey();
    const foreign = await doctor({ ENCRYPTION_KEY: other });
    expect(foreign.get("key canary")).to.include({ state: "failure" });
    expect(foreign.get("key canary")!.detail).to.include(
      `key ${id} does not open [ERR_KEY_UNKNOWN]`,
    );
    expect((await run(["doctor"], { env: { ENCRYPTION_KEY: other } })).out).to.include(
      "1 check failed",
    );

    const unwilling = await doctor({ ENCRYPTION_KEY: other }, ["--canary"]);
    expect(unwilling.get("key canary")).to.include({ state: "failure" });
    expect(unwilling.get("new canary")!.detail).to.match(/none was stored/);
    for (const words of [["migrate", "run"], ["rotate"], ["migrate", "run", "--reverse"]]) {
      const refused = await run(words, { env: { ENCRYPTION_KEY: other } });
      expect(refused).to.include({ code: 3 });
      expect(refused.err)
        .to.include("other keys than this database was encrypted with")
        .and.include(id);
    }
    const journal = await project.database.query("select to_regclass('fieldseal.run') as name");
    expect(journal).to.deep.equal([{ name: null }]);

    const rotated = { ENCRYPTION_KEY: other, ENCRYPTION_PREVIOUS_KEYS: project.key };
    expect((await run(["rotate"], { env: rotated })).code).to.equal(0);
    expect((await doctor({ ENCRYPTION_KEY: other })).get("key canary")).to.include({
      state: "warning",
    });
    await project.database.query("delete from fieldseal.canary where key_id <> $1", [id]);
    expect((await doctor(rotated, ["--canary"])).get("key canary")!.detail).to.include(id);
    const lost = await doctor({ ENCRYPTION_KEY: other });
    expect(lost.get("key canary")).to.include({ state: "warning" });
  });

  it("does not make good a canary that was put there by somebody else", async () => {
    const { database, keyring } = project;
    await database.query("update fieldseal.canary set value = $1 where key_id = $2", [
      encryptString("another text", { context: "fieldseal.canary", keyring }),
      keyring.primary.id,
    ]);
    const all = await doctor({}, ["--canary"]);
    expect(all.get("key canary")!.detail).to.include("does not open [ERR_DECRYPT_FAILED]");
    await database.query("drop table fieldseal.canary");
  });

  it("opens a few values of each column", async () => {
    const { database, keyring } = project;
    await database.query("insert into users values (1, $1)", [
      encryptString("x", { context: "users.email", keyring }),
    ]);
    expect((await doctor()).get("data")!.detail).to.equal("1 value read and opened");
    await database.query("insert into users select i, 'plain' from generate_series(3, 40) i");
    expect((await doctor()).get("data")!.detail).to.match(
      /^20 values read, (?:19|20) of them plaintext$/,
    );
    await database.query("delete from users where id > 2");
    await database.query("insert into users values (2, $1)", [
      encryptString("x", { context: "users.email", keyring: Keyring.fromKey(generateRootKey()) }),
    ]);
    const all = await doctor();
    expect(all.get("data")!.detail).to.match(/users\.email \[ERR_KEY_UNKNOWN, key [0-9a-f]{8}\]/);
    await database.query("delete from users");
  });

  it("sees what the role may not do, and columns that are not there", async () => {
    const { database } = project;
    await database.query("create role doctor_role login password 'narrow'");
    await database.query("grant select on users to doctor_role");
    const url = new URL(database.url);
    [url.username, url.password] = ["doctor_role", "narrow"];
    const env = { DATABASE_URL: url.href };
    const narrow = await doctor(env);
    expect(narrow.get("privileges")).to.include({ state: "failure" });
    expect(narrow.get("privileges")!.detail).to.include("users.email cannot be read and updated");
    await database.query("drop schema if exists fieldseal cascade");
    await database.query("grant update on users to doctor_role");
    await database.query(`revoke create on database ${database.name} from public`);
    expect((await doctor(env)).get("privileges")).to.include({ state: "warning" });
    await database.query("drop owned by doctor_role");
    await database.query("drop role doctor_role");
    project.write("gone.config.ts", USERS_CONFIG.replaceAll('"users"', '"gone"'));
    const gone = await doctor({}, ["--config", "gone.config.ts"]);
    expect(gone.get("privileges")!.detail).to.include("gone.email does not exist");
    expect(gone.get("privileges")!.fix).to.equal(
      '"fieldseal migrate plan" says what there is instead.',
    );
    expect(gone.has("data")).to.equal(false);
  });

  it("looks into no schema that is closed to the role, and says so", async () => {
    const { database } = project;
    const role = `closed_${process.pid}`;
    await database.query(`create schema closed; create table closed.users (id int primary key, email text);
      create role ${role} login password 'closed'`);
    const url = new URL(database.url);
    [url.username, url.password] = [role, "closed"];
    project.write(
      "closed.config.ts",
      USERS_CONFIG.replace("schema: undefined", 'schema: "closed"'),
    );
    try {
      const all = await doctor({ DATABASE_URL: url.href }, ["--config", "closed.config.ts"]);
      expect(all.get("database")).to.include({ state: "ok" });
      const { detail } = all.get("privileges")!;
      expect(detail).to.equal("closed.users.email does not exist, or is not to be seen");
    } finally {
      await database.query(`drop schema closed cascade; drop owned by ${role}; drop role ${role}`);
    }
  });

  it("says that transactions are read-only, and blames the canary, not the configuration", async () => {
    const url = `${project.database.url}?options=-c%20default_transaction_read_only%3Don`;
    const { out } = await run(["doctor", "--canary"], { env: { DATABASE_URL: url } });
    expect(out).to.match(/^key canary +fails +The database .* is read-only/m);
    const all = await doctor({ DATABASE_URL: url });
    expect(all.get("replication")).to.include({ state: "warning" });
    expect(all.get("configuration")).to.include({ state: "ok" });
  });

  it("does not blame the data for a key that is missing", async () => {
    const all = await doctor({ ENCRYPTION_KEY: "" });
    expect(all.get("keys")).to.include({ state: "failure" });
    expect(all.get("data")).to.include({ state: "skipped" });
  });

  it("sees columns that are too narrow for ciphertext, and blind indexes without a column", async () => {
    const { database } = project;
    await database.query("create table narrow (id int primary key, email varchar(80))");
    const config = USERS_CONFIG.replaceAll('"users"', '"narrow"').replace(
      'plaintext: "accept"',
      'plaintext: "accept", blindIndex: { column: "email_index" }',
    );
    project.write("narrow.config.ts", config);
    const flags = ["--config", "narrow.config.ts"];
    const result = await run(["doctor", "--json", ...flags]);
    expect(result).to.include({ code: 1 });
    const found = (json(result) as { checks: Check[] }).checks.filter(
      ({ name }) => name === "columns",
    );
    expect(found.map(({ state }) => state)).to.deep.equal(["failure", "failure"]);
    expect(found[0]!.detail).to.include('narrow: "email" is character varying(80)');
    expect(found[0]!.fix).to.include('ALTER COLUMN "email" TYPE text');
    expect(found[1]!.detail).to.include('no column "email_index"');
    expect(found[1]!.fix).to.include('ADD COLUMN "email_index" text');
    const refused = await run(["migrate", "finalize", ...flags]);
    expect(refused, refused.out).to.include({ code: 1 });
    expect(refused.err).to.include('no column "email_index"');
    await database.query("alter table narrow alter email type text, add email_index text");
    expect((await doctor({}, flags)).get("columns")).to.include({ state: "ok" });
    await database.query("drop table narrow");
  });

  it("names pgcrypto, which nobody needs", async function () {
    const rows = await project.database.query(
      "select 1 from pg_available_extensions where name = 'pgcrypto'",
    );
    if (rows.length === 0) skip(this, "this PostgreSQL comes without the extension pgcrypto");
    await project.database.query("create extension pgcrypto");
    expect((await doctor()).get("extensions")!.detail).to.include("would send keys to the server");
    await project.database.query("drop extension pgcrypto");
  });

  it("sees a .env that others may read", async () => {
    project.write(".env", `ENCRYPTION_KEY=${project.key}\n`);
    expect((await doctor()).has("file modes")).to.equal(false);
    chmodSync(project.path(".env"), 0o644);
    const all = await doctor();
    expect(all.get("file modes")).to.include({ state: "failure", fix: "chmod 600 .env" });
    const refused = await run(["doctor", "--dotenv", ".env"], { env: { ENCRYPTION_KEY: "" } });
    expect(refused).to.include({ code: 3 });
    expect(refused.err).to.include("chmod 600 .env");
    rmSync(project.path(".env"));
  });

  it("goes on without keys or database, and says what else it found", async () => {
    const keyless = await doctor({ ENCRYPTION_KEY: "" });
    expect(keyless.get("keys")).to.include({ state: "failure" });
    const away = await doctor({ DATABASE_URL: "postgres://postgres@127.0.0.1:1/x" });
    expect(away.get("keys")).to.include({ state: "ok" });
    expect(away.get("database")!.detail).to.include("connection refused");
    expect(away.has("key canary")).to.equal(false);
    const unset = await doctor({ DATABASE_URL: "" });
    expect(unset.get("database")!.detail).to.include("No database is configured");
    const lost = await doctor({}, ["--config", "nowhere.ts"]);
    expect(lost.get("configuration")!.detail).to.include("nowhere.ts does not exist");
  });

  it("takes columns with a keyring of their own, and looks at the storage", async () => {
    const own = USERS_CONFIG.replace(
      "plaintext:",
      `keyring: Keyring.fromKey("${generateRootKey()}"), plaintext:`,
    ).replace("ColumnCipher,", "ColumnCipher, Keyring,");
    project.write(
      "own.config.ts",
      `${own.replace("export default", "const usersOnly =")}
       import { EncryptedLocalStorage } from ${specifier("@fieldseal/storage")};
       export default { columns, storage: () => new EncryptedLocalStorage({ path: "files" }) };`,
    );
    const all = await doctor({ ENCRYPTION_KEY: "" }, ["--config", "own.config.ts"]);
    expect(all.get("keys")!.detail).to.include("keyrings of their own");
    expect(all.has("storage")).to.equal(true);
    const stored = await doctor({}, ["--config", "own.config.ts"]);
    expect(stored.get("storage")).to.include({ state: "ok", detail: "reachable, and empty" });
  });
});
