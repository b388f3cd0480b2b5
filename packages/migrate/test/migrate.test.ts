import {
  generateRootKey,
  Keyring,
  type EncryptedColumn,
  type MigrationError,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, type Progress } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("migrate", function () {
  this.timeout(30_000);
  let database: TestDatabase;
  let pool: Pool;
  const oldKey = generateRootKey();
  const keyring = Keyring.fromKey(oldKey);

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url, max: 6 });
    pool.on("error", () => {});
  });
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade");
    await database.query("drop table if exists people cascade");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  const mail = (i: number): string => `p${i}@example.org`;

  async function seed(rows: number): Promise<void> {
    await database.query(`create table people (id bigint primary key, email text, profile text, photo bytea,
      email_index text, note text)`);
    await database.query(
      `insert into people select i, 'p' || i || '@example.org', '{"n":' || i || '}', decode(lpad(to_hex(i), 8, '0'), 'hex'), null, 'n'
       from generate_series(1, $1) i`,
      [rows],
    );
  }

  function columnsWith(ring: Keyring, extra: object = ACCEPT): EncryptedColumn[] {
    const table = "people";
    const index = { blindIndex: { column: "email_index", normalize: "email" } } as const;
    return [
      column({ table, column: "email", keyring: ring, options: { ...extra, ...index } }),
      column({ table, column: "profile", keyring: ring, type: "json", options: extra }),
      column({ table, column: "photo", keyring: ring, type: "binary", options: extra }),
    ];
  }

  /** Opens every value with strict columns; returns how many rows each key has. */
  async function verify(ring: Keyring, count: number): Promise<void> {
    const columns = columnsWith(ring, {});
    const rows = await database.query("select * from people order by id");
    expect(rows).to.have.length(count);
    for (const row of rows) {
      const i = Number(row.id);
      const [email, profile, photo] = columns.map((one) =>
        one.cipher.open(row[one.column] as string),
      );
      expect(email).to.equal(mail(i));
      expect(profile).to.deep.equal({ n: i });
      expect((photo as Buffer).readUInt32BE()).to.equal(i);
      expect(row.email_index).to.equal(columns[0]!.cipher.indexToken(mail(i)));
    }
  }

  it("encrypts all columns of a table, fills the index, and writes nothing the second time", async () => {
    await seed(2500);
    await database.query("insert into people (id) values (9999)"); // NULLs stay NULL
    const seen: Progress[] = [];
    const [report] = await migrate(pool, columnsWith(keyring), {
      batchRows: 300,
      chunks: 4,
      progressMs: 0,
      onProgress: (progress) => seen.push(progress),
    });
    expect(report).to.include({ state: "done", rowsWritten: 2500, poisonRows: 0, chunksLeft: 0 });
    expect(seen.length).to.be.greaterThan(5);
    const [empty] = await database.query("select * from people where id = 9999");
    expect([empty!.email, empty!.profile, empty!.photo, empty!.email_index]).to.deep.equal([
      null,
      null,
      null,
      null,
    ]);
    await database.query("delete from people where id = 9999");
    await verify(keyring, 2500);

    const [again] = await migrate(pool, columnsWith(keyring));
    expect(again).to.include({ state: "done", rowsWritten: 0 });
  });

  it("rotates to the primary key, changes the suite and the form, and goes back to plaintext", async () => {
    await seed(500);
    await migrate(pool, columnsWith(keyring));
    const next = Keyring.fromKey(generateRootKey(), { previous: [oldKey] });
    const [rotated] = await migrate(pool, columnsWith(next));
    expect(rotated).to.include({ state: "done", rowsWritten: 500 });
    await verify(new Keyring([next.primary]), 500); // opens nothing of the old key

    const [suite] = await migrate(pool, columnsWith(next, { ...ACCEPT, suite: "A256GCM" }));
    expect(suite).to.include({ state: "done", rowsWritten: 500 });
    await verify(next, 500);

    const [back] = await migrate(pool, columnsWith(next), { direction: "decrypt" });
    expect(back).to.include({ state: "done", rowsWritten: 500 });
    const [row] = await database.query("select * from people where id = 7");
    expect(row).to.deep.include({ email: mail(7), profile: '{"n":7}', email_index: null });
    expect((row!.photo as Buffer).readUInt32BE()).to.equal(7);
  });

  it("turns the legacy layout into envelopes, and refuses while it is still written", async () => {
    await seed(200);
    const legacy = { legacy: "aes-256-cbc", suite: "aes-256-cbc" } as const;
    const table = "people";
    const writer = column({ table, column: "email", keyring, options: legacy });
    for (let i = 1; i <= 200; i++) {
      await database.query("update people set email = $1 where id = $2", [
        writer.cipher.seal(mail(i)),
        i,
      ]);
    }
    const refused = await migrate(pool, [writer]).then(
      () => undefined,
      (error: MigrationError) => error,
    );
    expect(refused).to.include({ code: "ERR_MIGRATE_TARGET" });
    const reader = column({ table, column: "email", keyring, options: { legacy: "aes-256-cbc" } });
    const [report] = await migrate(pool, [reader]);
    expect(report).to.include({ state: "done", rowsWritten: 200 });
    const strict = column({ table, column: "email", keyring });
    const [row] = await database.query("select email from people where id = 5");
    expect(strict.cipher.open(row!.email as string)).to.equal(mail(5));
  });

  it("encrypts text that speaks of envelopes, and leaves unreadable envelopes alone", async () => {
    await seed(20);
    const strangers = Keyring.fromKey(generateRootKey());
    const strangerKey = new Keyring([
      keyring.primary.withStatus("primary"),
      ...strangers.keys.map((key) => key.withStatus("decrypt-only")),
    ]).keys[1]!;
    const stranger = column({ table: "people", column: "email", keyring: strangers });
    const foreign = stranger.cipher.seal("secret of another key") as string;
    const own = column({ table: "people", column: "email", keyring });
    const sealed = own.cipher.seal("x") as string;
    const damaged = `${sealed.slice(0, 40)}${sealed[40] === "A" ? "B" : "A"}${sealed.slice(41)}`;
    await database.query("update people set email = 'She said 9V6h' where id = 1");
    await database.query("update people set email = $1 where id = 2", [foreign]);
    await database.query("update people set email = $1 where id = 3", [damaged]);
    const [report] = await migrate(pool, columnsWith(keyring));
    expect(report).to.include({ state: "partial", poisonRows: 2, rowsWritten: 18 });
    expect(report!.poison).to.deep.equal([
      { primaryKey: { id: "2" }, column: "email", code: "ERR_KEY_UNKNOWN" },
      { primaryKey: { id: "3" }, column: "email", code: "ERR_DECRYPT_FAILED" },
    ]);
    const rows = await database.query("select email, profile from people where id < 4 order by id");
    expect(own.cipher.open(rows[0]!.email as string)).to.equal("She said 9V6h");
    expect(rows[1]!.email).to.equal(foreign);
    expect(rows[1]!.profile, "the whole row is left").to.equal('{"n":2}');
    expect(rows[2]!.email).to.equal(damaged);

    const both = new Keyring([...keyring.keys, strangerKey]);
    const [healed] = await migrate(pool, columnsWith(both));
    expect(healed, "with the missing key, only the damaged row is left").to.include({
      state: "partial",
      rowsWritten: 1,
      poisonRows: 1,
    });
  });

  it("stops where too many rows cannot be read", async () => {
    await seed(50);
    const stranger = column({
      table: "people",
      column: "email",
      keyring: Keyring.fromKey(generateRootKey()),
    });
    await database.query("update people set email = $1", [stranger.cipher.seal("x")]);
    const error = await migrate(pool, columnsWith(keyring), {
      maxPoisonRows: 10,
      batchRows: 20,
    }).then(
      () => undefined,
      (reason: MigrationError) => reason,
    );
    expect(error).to.include({ code: "ERR_MIGRATE_POISON", table: "people" });
    expect(error!.message).not.to.include("example.org");
  });

  it("is continued after an interruption, and shared by several callers", async () => {
    await seed(3000);
    const controller = new AbortController();
    const [paused] = await migrate(pool, columnsWith(keyring), {
      batchRows: 100,
      chunks: 6,
      signal: controller.signal,
      progressMs: 0,
      onProgress: ({ rowsSeen }) => rowsSeen > 500 && controller.abort(),
    });
    expect(paused!.state).to.equal("paused");
    expect(paused!.rowsWritten).to.be.within(400, 2900);
    const others = Array.from({ length: 3 }, () => new Pool({ connectionString: database.url }));
    const reports = await Promise.all(
      others.map((one) => migrate(one, columnsWith(keyring), { batchRows: 100 })),
    );
    expect(new Set(reports.map(([report]) => report!.runId))).to.deep.equal(
      new Set([paused!.runId]),
    );
    expect(reports.some(([report]) => report!.state === "done")).to.equal(true);
    const written = reports.map(([report]) => report!.rowsWritten);
    expect(Math.max(...written), "each row once").to.equal(3000);
    await verify(keyring, 3000);
    await Promise.all(others.map((one) => one.end()));
  });

  it("goes on once the missing key is there, where too many rows could not be read", async () => {
    const key = generateRootKey();
    await seed(60);
    await migrate(pool, columnsWith(keyring));
    await database.query("drop schema fieldseal cascade");
    const without = Keyring.fromKey(key);
    const error = await migrate(pool, columnsWith(without), { maxPoisonRows: 10 }).then(
      () => undefined,
      (reason: MigrationError) => reason,
    );
    expect(error).to.include({ code: "ERR_MIGRATE_POISON" });
    const both = Keyring.fromKey(key, { previous: [oldKey] });
    const [report] = await migrate(pool, columnsWith(both), { maxPoisonRows: 10 });
    expect(report).to.include({ runId: error!.runId, state: "done", rowsWritten: 60 });
    await verify(both, 60);
  });

  it("names what cannot be read also where it was found before an interruption", async () => {
    const foreign = Keyring.fromKey(generateRootKey());
    await seed(1000);
    await migrate(pool, columnsWith(keyring));
    const [strange] = columnsWith(foreign);
    await database.query("update people set email = $1 where id = (select min(id) from people)", [
      strange!.cipher.seal("ada@example.org"),
    ]);
    await database.query("cluster people using people_pkey"); // into the first chunk
    const controller = new AbortController();
    const [paused] = await migrate(pool, columnsWith(keyring), {
      batchRows: 100,
      chunks: 4,
      workers: 1,
      signal: controller.signal,
      progressMs: 0,
      onProgress: ({ poisonRows, chunksLeft }) =>
        poisonRows > 0 && chunksLeft < 4 && controller.abort(),
    });
    expect(paused).to.include({ state: "paused", poisonRows: 1 });
    const [report] = await migrate(pool, columnsWith(keyring));
    expect(report).to.include({ runId: paused!.runId, state: "partial", poisonRows: 1 });
  });

  it("refuses to continue a run with another key", async () => {
    await seed(500);
    const controller = new AbortController();
    await migrate(pool, columnsWith(keyring), {
      batchRows: 50,
      progressMs: 0,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    const next = Keyring.fromKey(generateRootKey(), { previous: [oldKey] });
    const error = await migrate(pool, columnsWith(next)).then(
      () => undefined,
      (reason: MigrationError) => reason,
    );
    expect(error).to.include({ code: "ERR_MIGRATE_STATE" });
  });

  it("keeps to a rate", async () => {
    await seed(400);
    const start = performance.now();
    await migrate(pool, columnsWith(keyring), { batchRows: 50, maxRowsPerSecond: 400 });
    expect(performance.now() - start).to.be.greaterThan(700);
  });

  it("takes every kind of key, schemas and names that need quotes", async () => {
    await database.query(`create schema if not exists "Odd ""schema"""`);
    const keys: [string, string, string, string][] = [
      ["uuid", "gen_random_uuid()", "k", "k uuid primary key"],
      ["text", "chr(65 + i % 26) || i", "k", `k text collate "C" primary key`],
      ["negative", "-i", "k", "k int primary key"],
      ["pair", "i % 7, 'x' || i", "a,b", "a int, b text, primary key (a, b)"],
    ];
    for (const [name, expression, keyNames, definition] of keys) {
      const sql = `"Odd ""schema"""."${name} Table"`;
      await database.query(`create table ${sql} (${definition}, "the ""value""" text)`);
      await database.query(
        `insert into ${sql} (${keyNames}, "the ""value""") select ${expression}, 'v' || i from generate_series(1, 700) i`,
      );
      const one = column({
        schema: 'Odd "schema"',
        table: `${name} Table`,
        column: 'the "value"',
        primaryKey: keyNames.split(","),
        keyring,
        options: ACCEPT,
      });
      const [report] = await migrate(pool, [one], { batchRows: 90, chunks: 3 });
      expect(report, name).to.include({ state: "done", rowsWritten: 700 });
      const rows = await database.query(`select "the ""value""" as value from ${sql}`);
      const values = new Set(one.cipher.openMany(rows.map(({ value }) => value as string)));
      expect(values.size, name).to.equal(700);
    }
  });

  it("refuses tables without a key, missing columns and columns that are too narrow", async () => {
    await database.query(
      "create table people (id int primary key, tenant int, email varchar(80), note text, n int)",
    );
    const refusal = async (spec: object): Promise<string> => {
      const one = column({ table: "people", column: "note", keyring, ...spec });
      return migrate(pool, [one]).then(
        () => "",
        (error: MigrationError) => `${error.code} ${error.message}`,
      );
    };
    expect(await refusal({ primaryKey: [] })).to.match(/ERR_MIGRATE_TARGET.*no primary key/);
    expect(await refusal({ primaryKey: ["tenant"] })).to.match(
      /no unique index of public.people vouches for it.*ADD PRIMARY KEY/,
    );
    expect(await refusal({ column: "nothing" })).to.match(/no column "nothing"/);
    expect(await refusal({ column: "email" })).to.match(
      /character varying\(80\).*ALTER TABLE.*TYPE text/,
    );
    expect(await refusal({ column: "n" })).to.match(/integer/);
    expect(await refusal({ table: "nowhere" })).to.match(/does not exist/);
  });
});
