import { setTimeout as sleep } from "node:timers/promises";
import { generateRootKey, Keyring, type EncryptedColumn } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool, type DatabaseError } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { finalizeColumns, migrate, scrubColumns, undoFinalize } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("finalizeColumns", () => {
  let database: TestDatabase;
  let pool: Pool;
  const keyring = Keyring.fromKey(generateRootKey());
  const email = column({ table: "users", column: "email", keyring, options: ACCEPT });
  const photo = column({ table: "users", column: "Pho\"to's", keyring, type: "binary" });
  const both = [email, photo];

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });
  beforeEach(async () => {
    await database.query("drop table if exists users cascade");
    await database.query(
      `create table users (id int primary key, email text, "Pho""to's" bytea, n int default 0)`,
    );
    await insert(1, email.cipher.seal("ada@secret.example"), photo.cipher.seal(Buffer.from("jpg")));
    await insert(2, null, null);
  });

  function insert(id: number, ...cells: unknown[]): Promise<unknown> {
    return database.query("insert into users values ($1, $2, $3)", [id, ...cells]);
  }

  async function refusal(sql: string, parameters?: unknown[]): Promise<DatabaseError> {
    return database.query(sql, parameters).then(
      () => expect.fail("was accepted"),
      (error: unknown) => error as DatabaseError,
    );
  }

  async function guards(): Promise<unknown[]> {
    return database.query(
      `select conname as name, convalidated as valid from pg_constraint where conrelid = 'users'::regclass and contype = 'c'
       union all select tgname, null from pg_trigger where tgrelid = 'users'::regclass order by 1`,
    );
  }

  it("keeps plaintext out from then on, and says which columns can turn strict", async () => {
    const steps: string[] = [];
    const report = await finalizeColumns(pool, both, {
      onStep: ({ table, step }) => steps.push(`${table} ${step}`),
    });
    expect(report).to.deep.equal([
      {
        model: "users",
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
      {
        model: "users",
        field: "Pho\"to's",
        table: "users",
        column: "Pho\"to's",
        remaining: 0,
        hasFence: true,
        constraint: "users_Pho\"to's_encrypted",
        isValidated: true,
        changes: ["fence", "constraint", "validate"],
        obsoleteOptions: [],
      },
    ]);
    expect(steps.slice(0, 2)).to.deep.equal(["users survey", "users fence"]);

    const plain = await refusal("insert into users (id, email) values (3, $1)", [
      "eve@secret.example",
    ]);
    expect(plain).to.include({ code: "23514", table: "users", column: "email", detail: undefined });
    expect(plain.message).to.equal('column "email" of table "users" takes encrypted values only');
    expect((await refusal(`update users set "Pho""to's" = 'x' where id = 1`)).code).to.equal(
      "23514",
    );
    await insert(4, email.cipher.seal("x"), photo.cipher.seal(Buffer.alloc(0)));
    await database.query("update users set n = n + 1, email = null where id = 4");
    expect(await database.completeServerLog()).not.to.include("eve@secret.example");
  });

  it("changes nothing the second time, and takes all back", async () => {
    await finalizeColumns(pool, both);
    const before = await guards();
    const again = await finalizeColumns(pool, both);
    expect(again.map(({ changes }) => changes)).to.deep.equal([[], []]);
    expect(again.every(({ isValidated, hasFence }) => isValidated && hasFence)).to.equal(true);
    expect(await guards()).to.deep.equal(before);

    const undone = await undoFinalize(pool, both);
    expect(undone.map(({ changes }) => changes)).to.deep.equal([["undo"], ["undo"]]);
    expect(await guards()).to.deep.equal([]);
    await insert(5, "plain again", null);
    const nothing = await undoFinalize(pool, both);
    expect(nothing[0]).to.deep.include({ changes: [], remaining: 1 });
    const functions = await database.query("select 1 from pg_proc where proname ~ 'fieldseal'");
    expect(functions).to.deep.equal([]);
  });

  it("covers a column that was declared later", async () => {
    await finalizeColumns(pool, [email]);
    const [, later] = await finalizeColumns(pool, both);
    expect(later).to.deep.include({
      isValidated: true,
      changes: ["fence", "constraint", "validate"],
    });
    expect((await refusal(`update users set "Pho""to's" = 'x' where id = 1`)).message).to.include(
      "Pho",
    );
  });

  it("leaves a table alone that still holds plaintext, and reports it", async () => {
    await insert(3, "plain", null);
    const [report] = await finalizeColumns(pool, [email]);
    expect(report).to.deep.include({
      remaining: 1,
      hasFence: false,
      isValidated: false,
      changes: [],
    });
    expect(report!.obsoleteOptions).to.deep.equal([]);
    expect(await guards()).to.deep.equal([]);
  });

  it("raises the fence first when told: old rows may change elsewhere, no plaintext comes in", async () => {
    await database.query(
      "create collation if not exists blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    await database.query("alter table users alter email type text collate blind");
    await insert(3, "Smith", null);
    const [report] = await finalizeColumns(pool, [email], { fenceFirst: true });
    expect(report).to.deep.include({
      remaining: 1,
      hasFence: true,
      isValidated: false,
      changes: ["fence"],
    });
    await database.query("update users set n = 7, email = email where id = 3");
    expect((await refusal("update users set email = 'SMITH' where id = 3")).code).to.equal("23514");

    await migrate(pool, [email]);
    const [done] = await finalizeColumns(pool, [email]);
    expect(done).to.deep.include({ isValidated: true, changes: ["constraint", "validate"] });
  });

  it("finds the constraint that an adapter made, validated or not", async () => {
    const { name, expression } = {
      name: "email_encrypted",
      expression: `"email" collate "C" ~ '^9V6h[A-Za-z0-9+/]{8,}={0,2}$'`,
    };
    await database.query(
      `alter table users add constraint ${name} check (${expression}) not valid`,
    );
    const [report] = await finalizeColumns(pool, [email]);
    expect(report).to.deep.include({ constraint: name, changes: ["fence", "validate"] });
    expect(await guards()).to.deep.include({ name, valid: true });
  });

  it("is not satisfied by a constraint that only speaks of envelopes", async () => {
    const pattern = `email collate "C" ~ '^9V6h[A-Za-z0-9+/]{8,}={0,2}$'`;
    await database.query(
      `alter table users add constraint loose check (${pattern} or length(email) < 80),
         add constraint never check (not (${pattern}) or true)`,
    );
    const [report] = await finalizeColumns(pool, [email]);
    expect(report).to.deep.include({
      constraint: "users_email_encrypted",
      isValidated: true,
      changes: ["fence", "constraint", "validate"],
    });
  });

  it("finds its constraints however the server shows bytes", async () => {
    await finalizeColumns(pool, both);
    const client = new Pool({ connectionString: database.url, options: "-c bytea_output=escape" });
    const reports = await finalizeColumns(client, both);
    await client.end();
    expect(reports.map(({ isValidated, changes }) => [isValidated, changes])).to.deep.equal([
      [true, []],
      [true, []],
    ]);
  });

  it("does not take a table for complete whose plaintext a policy hides from its own owner", async () => {
    await insert(3, "plain", null);
    const owner = `${database.name}_owner`;
    await database.query(
      `create role ${owner} login password 'owner'; grant create on schema public to ${owner}; alter table users owner to ${owner};
       alter table users enable row level security; alter table users force row level security;
       create policy low on users using (id < 3)`,
    );
    const url = new URL(database.url);
    [url.username, url.password] = [owner, "owner"];
    const own = new Pool({ connectionString: url.href });
    const error = await finalizeColumns(own, [email]).catch((reason: unknown) => reason);
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE" });
    expect((error as Error).message).to.match(/42501.*row-level security hides rows/);
    expect(await guards()).to.deep.equal([]);
    const { tables } = await scrubColumns(own, [email]);
    const statistics = tables[0]!.remnants.find(({ kind }) => kind === "statistics");
    expect(statistics).to.include({ state: "unknown" });
    await own.end();
    await database.query(
      `alter table users owner to current_user; drop owned by ${owner}; drop role ${owner}`,
    );
  });

  it("reads a table for longer than the role's statements may take", async () => {
    const other = new Client({ connectionString: database.url });
    await other.connect();
    await other.query("begin; lock table users in access exclusive mode");
    const own = new Pool({ connectionString: database.url, options: "-c statement_timeout=1s" });
    const finalized = finalizeColumns(own, [email]);
    finalized.catch(() => {}); // awaited below
    await sleep(1500); // reading waits as long, in place of a table of as many rows
    await other.end();
    const [report] = await finalized;
    await own.end();
    expect(report!.isValidated).to.equal(true);
  });

  it("leaves the fence of a table alone that had the name before", async () => {
    await finalizeColumns(pool, both);
    await database.query(
      "drop table if exists old_users; alter table users rename to old_users; create table users (id int primary key, phone text)",
    );
    const phone = column({ table: "users", column: "phone", keyring, options: ACCEPT });
    await finalizeColumns(pool, [phone]);
    const again = "insert into old_users (id, email) values (3, $1)";
    await database.query(again, [email.cipher.seal("ada@secret.example")]);
    expect(await refusal(again, ["plain"])).to.include({ constraint: "zz_fieldseal_fence" });
    expect(await refusal("insert into users values (3, 'plain')")).to.include({
      constraint: "zz_fieldseal_fence",
      table: "users",
      column: "phone",
    });
    await undoFinalize(pool, [phone]);
    await database.query("drop table old_users cascade");
  });

  it("guards bytes where a backslash in a literal is an escape by default", async () => {
    const options = "-c standard_conforming_strings=off";
    const own = new Pool({ connectionString: database.url, options });
    const [report] = await finalizeColumns(own, [photo]);
    expect(report).to.include({ hasFence: true, isValidated: true });
    const write = (bytes: unknown): Promise<unknown> =>
      own.query('insert into users (id, "Pho""to\'s") values (3, $1)', [bytes]);
    const error = await write(Buffer.from("jpg")).catch((reason: unknown) => reason);
    expect(error).to.include({ code: "23514", constraint: "zz_fieldseal_fence" });
    await write(photo.cipher.seal(Buffer.from("jpg")));
    const [again] = await finalizeColumns(pool, [photo]);
    await own.end();
    expect(again!.changes).to.deep.equal([]);
  });

  it("tells what PostgreSQL refuses without its message, which may quote a row", async () => {
    await database.query(
      "alter table users add constraint users_email_encrypted check (length(email) < 800)",
    );
    const error = await finalizeColumns(pool, [email]).catch((reason: unknown) => reason);
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE", table: "users" });
    expect((error as Error).message).to.match(/refused a step of table "users" with 42710/);
    expect(error).not.to.have.property("detail");
  });

  it("does not put its fence into a function that is somebody else's", async () => {
    const stranger = `${database.name}_stranger`;
    await database.query(
      `drop function if exists users_fieldseal_fence() cascade; create role ${stranger}; grant create on schema public to ${stranger}; set role ${stranger};
       create function users_fieldseal_fence() returns trigger language plpgsql as 'begin return new; end'; reset role`,
    );
    const error = await finalizeColumns(pool, [email]).catch((reason: unknown) => reason);
    expect(error).to.include({ code: "ERR_MIGRATE_STATE" });
    expect((error as Error).message).to.include(stranger);
    await database.query("drop function users_fieldseal_fence()");
    expect((await finalizeColumns(pool, [email]))[0]).to.include({ isValidated: true });
  });

  it("holds where triggers are switched off: the constraint remains", async () => {
    await finalizeColumns(pool, [email]);
    const client = await pool.connect();
    await client.query("set session_replication_role = replica");
    const error = await client.query("insert into users (id, email) values (9, 'x')").then(
      () => undefined,
      (reason: DatabaseError) => reason,
    );
    client.release(true);
    expect(error).to.include({ code: "23514", constraint: "users_email_encrypted" });
  });

  it("guards every partition of a partitioned table", async () => {
    await database.query("create schema if not exists app");
    await database.query(
      "create table app.log (id int primary key, note text) partition by range (id)",
    );
    await database.query("create table app.log1 partition of app.log for values from (0) to (100)");
    const note = column({ table: "log", schema: "app", column: "note", keyring });
    const [report] = await finalizeColumns(pool, [note]);
    expect(report).to.deep.include({ isValidated: true, hasFence: true });
    await database.query(
      "create table app.log2 partition of app.log for values from (100) to (200)",
    );
    for (const sql of [
      "insert into app.log values (1, 'x')",
      "insert into app.log2 values (150, 'x')",
    ]) {
      expect((await refusal(sql)).code).to.equal("23514");
    }
    await undoFinalize(pool, [note]);
    await database.query("insert into app.log values (1, 'x')");
    await database.query("drop schema app cascade");
  });

  it("keeps apart what PostgreSQL's limit of names would make one", async () => {
    const long = "x".repeat(60);
    const names = [`${long}1`, `${long}2`];
    await database.query(`alter table users add ${names[0]} text, add ${names[1]} text`);
    const columns = names.map((name) => column({ table: "users", column: name, keyring }));
    const report = await finalizeColumns(pool, columns);
    expect(new Set(report.map(({ constraint }) => constraint)).size).to.equal(2);
    for (const { constraint } of report) expect(constraint!.length).to.be.at.most(63);
    expect((await finalizeColumns(pool, columns)).flatMap(({ changes }) => changes)).to.deep.equal(
      [],
    );
  });

  describe("beside long transactions", () => {
    let other: Client;
    beforeEach(async () => {
      other = new Client({ connectionString: database.url, application_name: "batch job" });
      await other.connect();
      await other.query("begin; insert into users (id, email) values (77, 'not encrypted')");
    });
    afterEach(() => other.end());

    it("gives up without a change, naming who is in the way", async () => {
      const error = (await finalizeColumns(pool, [email], {
        lockTimeoutMs: 20,
        lockAttempts: 2,
      }).then(
        () => undefined,
        (reason: unknown) => reason,
      )) as Error & { code: string };
      expect(error.code).to.equal("ERR_MIGRATE_BUSY");
      expect(error.message).to.match(
        /process \d+ \(batch job\), idle in transaction, in a transaction for \d+ s/,
      );
      expect(await guards()).to.deep.equal([]);
    });

    it("lets others write between its attempts, and drops a constraint that a late row would break", async () => {
      const finalizing = finalizeColumns(pool, [email], { lockTimeoutMs: 50 });
      await sleep(150);
      await insert(8, null, null);
      await other.query("commit");
      const [report] = await finalizing;
      expect(report).to.deep.include({ remaining: 1, isValidated: false, hasFence: true });
      expect(report!.constraint).to.equal(undefined);
      await database.query("update users set n = 1 where id = 77");
    });

    it("stops when asked", async () => {
      const error = await finalizeColumns(pool, [email], { signal: AbortSignal.timeout(100) }).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error?.name).to.match(/AbortError|TimeoutError/);
    });
  });

  it("refuses columns that still store what the guards would refuse, and tables that are not there", async () => {
    const legacy = column({
      table: "users",
      column: "email",
      keyring,
      options: { legacy: "aes-256-cbc", suite: "aes-256-cbc" },
    });
    const lax = column({
      table: "users",
      column: "email",
      keyring,
      options: { ...ACCEPT, onEncryptFailure: "insecure-store-plaintext" },
    });
    const cases: [EncryptedColumn, RegExp][] = [
      [legacy, /suite: "aes-256-cbc", users\.email stores/],
      [lax, /insecure-store-plaintext", users\.email stores/],
      [column({ table: "nowhere", column: "a", keyring }), /"nowhere" does not exist/],
      [
        column({ table: "users", column: "gone", keyring }),
        /no column "gone", which users\.gone names/,
      ],
    ];
    for (const [one, message] of cases) {
      const error = (await finalizeColumns(pool, [one]).then(
        () => undefined,
        (reason: unknown) => reason,
      )) as Error & { code: string };
      expect(error?.code).to.equal("ERR_MIGRATE_TARGET");
      expect(error.message).to.match(message);
    }
  });
});
