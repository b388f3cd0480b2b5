// The command as a user starts it: a process of its own, on a real database.
import { readFileSync, statSync } from "node:fs";
import { encryptString, generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { createProject, json, USERS_CONFIG, type Project } from "./project.ts";

describe("The command fieldseal", function () {
  this.timeout(60_000);
  let project: Project;
  let database: Project["database"];
  let fieldseal: Project["fieldseal"];
  let keyring: Keyring;
  let everything: string[];

  before(async () => {
    project = await createProject();
    ({ database, fieldseal, keyring, printed: everything } = project);
    await database.query("create table users (id int primary key, email text)");
    await database.query(
      "insert into users select i, 'user' || i || '@secret.example' from generate_series(1, 300) i",
    );
    project.write("fieldseal.config.ts", USERS_CONFIG);
  });
  after(() => project.remove());

  it("explains itself, and ends with 2 for what it does not know", async () => {
    const help = await fieldseal(["--help"]);
    expect(help.code).to.equal(0);
    for (const name of ["keygen", "keys", "migrate", "rotate", "verify", "inspect", "doctor"]) {
      expect(help.out).to.include(name);
    }
    expect((await fieldseal(["nonsense"])).code).to.equal(2);
    expect((await fieldseal(["migrate", "run", "--batch-rows", "-1"])).code).to.equal(2);
  });

  it("makes a key: printed once, or in a new private file", async () => {
    const printed = await fieldseal(["keygen"]);
    expect(printed.out).to.match(/^[0-9a-f]{64}\n$/);
    expect(printed.err).not.to.match(/[0-9a-f]{64}/);
    everything.splice(-2); // the only output that may hold a key
    const path = project.path("key.env");
    const written = await fieldseal(["keygen", "--env", "--out", path]);
    expect(written.out).not.to.match(/[0-9a-f]{64}/);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(readFileSync(path, "utf8")).to.match(/^ENCRYPTION_KEY=[0-9a-f]{64}\n$/);
    const again = await fieldseal(["keygen", "--out", path]);
    expect(again).to.include({ code: 3 });
    expect(again.err).to.include("ERR_CONFIG_KEY_FILE").and.include("exists");
  });

  it("plans: what there is to do, and what would make it fail", async () => {
    const plan = await fieldseal(["migrate", "plan", "--trial"]);
    expect(plan, plan.err).to.include({ code: 0 });
    expect(plan.out)
      .to.match(/^users  300 rows, \d+\.\d KB, indexes \d+\.\d KB$/m)
      .and.match(
        new RegExp(`email  text  plaintext 300 -> key ${keyring.primary.id} A256CBC-HS256`),
      )
      .and.match(/to write  300 rows, about [\d.]+ KB of WAL/)
      .and.match(/The run can begin: fieldseal migrate run$/m);
    const [{ xmin }] = (await database.query("select min(xmin::text) as xmin from users")) as [
      { xmin: string },
    ];
    expect(
      await database.query("select 1 from users where xmin::text <> $1", [xmin]),
    ).to.have.length(0);

    await database.query("alter table users alter email type varchar(99)");
    const refused = await fieldseal(["migrate", "plan"]);
    expect(refused).to.include({ code: 1 });
    expect(refused.out)
      .to.match(/refusal +"email" is character varying\(99\)/)
      .and.match(/ALTER COLUMN "email" TYPE text/);
    expect(json(await fieldseal(["migrate", "plan", "--json"]))).to.deep.include({
      isPossible: false,
    });
    await database.query("alter table users alter email type text");
  });

  it("tells a run that ended by an error from one that is at work, and how it goes on", async () => {
    await database.query("alter table users add constraint plain check (email like '%@%')");
    const failed = await fieldseal(["migrate", "run"]);
    expect(failed).to.include({ code: 1 });
    expect(failed.err).to.include('constraint "plain"');
    const status = await fieldseal(["migrate", "status"]);
    expect(status.out)
      .to.match(/users +stopped +/)
      .and.match(/^stopped: .*go on with.*fieldseal migrate run/m);
    expect(json(await fieldseal(["migrate", "status", "--json"]))).to.have.nested.property(
      "runs[0].chunksAtWork",
      0,
    );
    await database.query("alter table users drop constraint plain");
  });

  it("says what the database holds, encrypts it, and says so again", async () => {
    const before = await fieldseal(["verify", "--json"]);
    expect(before.code).to.equal(1);
    const {
      columns: [finding],
    } = json(before) as { columns: object[] };
    expect(finding).to.include({ plaintext: 300, isStrict: false });

    const run = await fieldseal(["migrate", "run", "--batch-rows", "100"]);
    expect(run).to.include({ code: 0 });
    expect(run.out).to.match(/users: done, 300 rows written\n.*: fieldseal verify\n$/);
    const [row] = await database.query("select email from users where id = 1");
    expect(row!.email).to.match(/^9V6h/);

    const after = await fieldseal(["verify"]);
    expect(after).to.include({ code: 0 });
    expect(after.out).to.equal(
      `users.email  300 rows  ok\n  key ${keyring.primary.id}  300  primary\n` +
        `  It can turn strict: take plaintext: "accept" out of the options of User.email and deploy, then "fieldseal migrate finalize".\n`,
    );
    const status = await fieldseal(["migrate", "status"]);
    expect(status.out).to.match(/users +done +100 % of 300 +300/);
    const limited = ["--max-wal-per-second", "20MB", "--max-lag", "5", "--vacuum"];
    const again = await fieldseal(["migrate", "resume", ...limited]);
    expect(again).to.include({ code: 0 });
    expect(again.out).to.include("users: done, 0 rows written");
    const crowd = await fieldseal(["migrate", "run", "--workers", "101"]);
    expect(crowd).to.include({ code: 2 });
    expect(crowd.err).to.include("At most 100");
    const malformed = await fieldseal(["migrate", "run", "--max-wal-per-second", "20 miles"]);
    expect(malformed).to.include({ code: 2 });
    expect(malformed.err).to.include("as 512KB, 20MB or 1GB");
  });

  it("lets the database refuse plaintext once nothing else is left, and takes that back", async () => {
    await database.query("insert into users values (301, 'late@secret.example')");
    const early = await fieldseal(["migrate", "finalize"]);
    expect(early).to.include({ code: 1 });
    expect(early.out).to.include("users.email  not final  1 value is no envelope.");
    await database.query("delete from users where id = 301");

    const final = await fieldseal(["migrate", "finalize", "--json"]);
    expect(final, final.err).to.include({ code: 0 });
    expect((json(final) as { columns: object[] }).columns).to.deep.include.members([
      {
        model: "User",
        field: "email",
        table: "users",
        column: "email",
        remaining: 0,
        hasFence: true,
        constraint: "users_email_encrypted",
        isValidated: true,
        changes: ["fence", "constraint", "validate"],
        obsoleteOptions: ["plaintext"],
      },
    ]);
    const again = await fieldseal(["migrate", "finalize"]);
    expect(again.out).to.match(/final +was guarded already.* Take plaintext: "accept" out/);
    const refused = await database.query("insert into users values (301, 'x')").catch(String);
    expect(refused).to.include("takes encrypted values only");
    const undone = await fieldseal(["migrate", "finalize", "--undo"]);
    expect(undone).to.include({ code: 0 });
    expect(undone.out).to.include("guards taken away");
  });

  it("rotates, and retires a key only when nothing uses it", async () => {
    const keyset = project.path("keyset.json");
    await fieldseal(["keygen", "--keyset", keyset]);
    const env = { ENCRYPTION_KEY: "", ENCRYPTION_KEYSET_FILE: keyset };
    const list = await fieldseal(["keys", "list", "--json"], { env });
    const [{ id: first }] = (json(list) as { keys: [{ id: string }] }).keys;
    await database.query("update users set email = 'user' || id || '@secret.example'");
    expect((await fieldseal(["rotate"], { env })).code).to.equal(0);

    const added = await fieldseal(["keys", "add", "--keyset", keyset, "--json"]);
    const { id: second } = json(added) as { id: string };
    expect((await fieldseal(["keys", "promote", second, "--keyset", keyset])).code).to.equal(0);
    expect(statSync(keyset).mode & 0o777).to.equal(0o600);
    const refused = await fieldseal(["keys", "retire", first], { env });
    expect(refused.code).to.equal(1);
    expect(refused.err).to.match(/still used by users\.email \(300 values\)/);
    expect((await fieldseal(["verify"], { env })).out).to.match(
      /older key\n {2}"fieldseal rotate" brings it under the primary key\.\n$/,
    );
    expect((await fieldseal(["rotate"], { env })).code).to.equal(0);
    const retired = await fieldseal(["keys", "retire", first, "--destroy", "--without-storage"], {
      env,
    });
    expect(retired, retired.err).to.include({ code: 0 });
    const after = await fieldseal(["keys", "list"], { env });
    expect(after.out)
      .to.match(new RegExp(`${second} +primary`))
      .and.match(new RegExp(`${first} +destroyed`));
  });

  it("goes back to plaintext", async () => {
    const env = { ENCRYPTION_KEY: "", ENCRYPTION_KEYSET_FILE: project.path("keyset.json") };
    expect((await fieldseal(["migrate", "run", "--reverse"], { env })).code).to.equal(0);
    const [row] = await database.query("select email from users where id = 7");
    expect(row!.email).to.equal("user7@secret.example");
  });

  it("ends with 4 when rows cannot be read, and names them", async () => {
    const stranger = encryptString("x", {
      context: "users.email",
      keyring: Keyring.fromKey(generateRootKey()),
    });
    await database.query("update users set email = $1 where id = 13", [stranger]);
    const partial = await fieldseal(["migrate", "run"]);
    expect(partial.code).to.equal(4);
    expect(partial.out).to.include("id 13: email ERR_KEY_UNKNOWN");
    expect((await fieldseal(["verify"])).code).to.equal(1);
    await project.database.query("delete from users where id = 13");
  });

  it("shows the header of a value, from the argument or standard input", async () => {
    const value = encryptString("very secret", { context: "a.b", keyring });
    const shown = await fieldseal(["inspect", value]);
    expect(shown.out).to.include("A256CBC-HS256").and.include(`${keyring.primary.id} (primary)`);
    const piped = await fieldseal(["inspect", "--json"], { input: `${value}\n` });
    expect(json(piped)).to.include({ isEnvelope: true, content: "text" });
    expect(await fieldseal(["inspect", "plain text"])).to.include({ code: 1 });
  });

  it("finds what is wrong with a set-up", async () => {
    const healthy = await fieldseal(["doctor"]);
    expect(healthy, healthy.out).to.include({ code: 0 });
    expect(healthy.out).to.match(/database +ok +PostgreSQL \d+/);
    const keyless = await fieldseal(["doctor"], { env: { ENCRYPTION_KEY: "" } });
    expect(keyless.code).to.equal(1);
    expect(keyless.out).to.match(/keys +fails +No encryption key is configured/);
    const away = await fieldseal(["verify"], { env: { DATABASE_URL: "" } });
    expect(away).to.include({ code: 3 });
    expect(away.err).to.include("DATABASE_URL");
    const lost = await fieldseal(["verify", "--config", "nowhere.ts"]);
    expect(lost).to.include({ code: 3 });
    expect(lost.err).to.include("nowhere.ts does not exist");
  });

  it("never printed a key, a value or an envelope", () => {
    const all = everything.join("\n");
    expect(all.length).to.be.greaterThan(2000);
    expect(all).not.to.include(project.key);
    expect(all).not.to.match(/secret\.example|very secret|9V6h[A-Za-z0-9+/]{12}/);
  });
});
