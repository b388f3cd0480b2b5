import { generateRootKey, Keyring, type EncryptedColumn } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, planMigration, type Finding, type PlanOptions } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("planMigration", () => {
  let database: TestDatabase;
  let pool: Pool;
  const oldKey = generateRootKey();
  const keyring = Keyring.fromKey(generateRootKey(), { previous: [oldKey] });
  const email = column({ table: "users", column: "email", keyring, options: ACCEPT });

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });
  beforeEach(() => database.query("drop table if exists users cascade"));

  async function findings(
    columns: readonly EncryptedColumn[] = [email],
    options?: PlanOptions,
  ): Promise<readonly Finding[]> {
    const plan = await planMigration(pool, columns, options);
    return [...plan.findings, ...plan.tables.flatMap((table) => table.findings)];
  }

  describe("of a table without obstacles", () => {
    beforeEach(async () => {
      await database.query(
        "create table users (id int primary key, email text, photo bytea, note text)",
      );
      await database.query(
        `insert into users select i, case when i % 10 <> 0 then 'user' || i || '@secret.example' end, repeat('x', 200)::bytea,
           repeat('note ', 30) from generate_series(1, 2000) i`,
      );
    });

    it("says what there is, what it becomes, and what that takes; and changes nothing", async () => {
      await database.query("drop schema if exists fieldseal cascade");
      const photo = column({
        table: "users",
        column: "photo",
        keyring,
        type: "binary",
        options: { ...ACCEPT, suite: "A256GCM" },
      });
      const before = await database.query(
        "select md5(string_agg(u::text || xmin, '')) from users u",
      );
      const plan = await planMigration(pool, [email, photo]);
      expect(plan).to.include({ direction: "encrypt", isPossible: true });
      const [table] = plan.tables;
      expect(table).to.deep.include({
        schema: undefined,
        table: "users",
        rows: 2000,
        isSampled: false,
        partitions: [],
        findings: [],
      });
      expect(table!.bytes.table).to.be.greaterThan(500_000);
      expect(table!.columns).to.deep.equal([
        {
          model: "users",
          field: "email",
          column: "email",
          type: "text",
          source: undefined,
          from: { nulls: 200, plaintext: 1800, legacy: 0, envelopes: [] },
          to: {
            form: "envelopes",
            suite: "A256CBC-HS256",
            keyId: keyring.primary.id,
            storage: "text",
            blindIndex: undefined,
          },
        },
        {
          model: "users",
          field: "photo",
          column: "photo",
          type: "bytea",
          source: undefined,
          from: { nulls: 0, plaintext: 2000, legacy: 0, envelopes: [] },
          to: {
            form: "envelopes",
            suite: "A256GCM",
            keyId: keyring.primary.id,
            storage: "binary",
            blindIndex: undefined,
          },
        },
      ]);
      expect(table!.estimate).to.include({ rowsToWrite: 2000 });
      expect(
        await database.query("select to_regnamespace('fieldseal')::text as name"),
      ).to.deep.equal([{ name: null }]);
      expect(
        await database.query("select md5(string_agg(u::text || xmin, '')) from users u"),
      ).to.deep.equal(before);
    });

    it("counts what is encrypted already, by key and suite, and has nothing to do after a run", async () => {
      const { primary, keys } = keyring;
      const old = column({
        table: "users",
        column: "email",
        keyring: Keyring.fromKey(oldKey),
        options: { ...ACCEPT, suite: "A256GCM" },
      });
      await migrate(pool, [old]);
      await database.query("update users set email = null where id > 1000");
      await database.query("update users set email = 'late' where id > 1990");
      const before = await planMigration(pool, [email]);
      expect(before.tables[0]!.columns[0]!.from).to.deep.equal({
        nulls: 1090,
        plaintext: 10,
        legacy: 0,
        envelopes: [{ suite: "A256GCM", keyId: keys[1]!.id, values: 900 }],
      });
      expect(before.tables[0]!.estimate!.rowsToWrite).to.equal(910);
      await migrate(pool, [email]);
      const [after] = (await planMigration(pool, [email])).tables;
      expect(after!.columns[0]!.from!.envelopes).to.deep.equal([
        { suite: "A256CBC-HS256", keyId: primary.id, values: 910 },
      ]);
      expect(after!.estimate).to.deep.include({ rowsToWrite: 0, walBytes: 0, growthBytes: 0 });

      const [back] = (await planMigration(pool, [email], { direction: "decrypt" })).tables;
      expect(back!.estimate!.rowsToWrite).to.equal(910);
      expect(back!.estimate!.growthBytes).to.be.lessThan(0);
      expect(back!.columns[0]!.to).to.deep.include({ form: "plaintext", keyId: undefined });
    });

    it("tells the legacy layout from plaintext by the declaration", async () => {
      const legacy = column({
        table: "users",
        column: "email",
        keyring,
        options: { legacy: "aes-256-cbc" },
      });
      const [table] = (await planMigration(pool, [legacy])).tables;
      expect(table!.columns[0]!.from).to.deep.include({ plaintext: 0, legacy: 1800 });
      // Plaintext does not open as the legacy layout: what does would be garbage.
      const [refusal, warning] = table!.findings;
      expect(refusal).to.include({ severity: "refusal", kind: "key", column: "email" });
      expect(warning).to.include({ severity: "warning", kind: "unreadable", column: "email" });
      expect(warning!.message).to.match(/\d+ of 500 sampled rows .* about 1[789]\d\d in all/);
    });

    it("takes values of another column for those it will take over", async () => {
      await database.query("alter table users add data jsonb, add email_sealed text");
      await database.query("update users set data = '{}' where id <= 100");
      const sealed = column({ table: "users", column: "email_sealed", keyring, type: "json" });
      const [table] = (
        await planMigration(pool, [sealed], { sources: { "users.email_sealed": "data" } })
      ).tables;
      expect(table!.findings.filter(({ severity }) => severity === "refusal")).to.deep.equal([]);
      expect(table!.columns[0]).to.deep.include({ source: "data" });
      expect(table!.columns[0]!.from).to.deep.include({ nulls: 1900, plaintext: 100 });
      expect(table!.estimate!.rowsToWrite).to.equal(100);
    });

    it("tries the write when told, and takes it back", async () => {
      const before = await database.query(
        "select md5(string_agg(u::text || xmin, '')) from users u",
      );
      const [untried] = (await planMigration(pool, [email])).tables;
      const [tried] = (await planMigration(pool, [email], { trial: true })).tables;
      expect(tried!.findings).to.deep.equal([]);
      expect(
        await database.query("select md5(string_agg(u::text || xmin, '')) from users u"),
      ).to.deep.equal(before);
      const span = ({ least, most }: { least: number; most: number }): number => most / least;
      expect(span(tried!.estimate!.seconds)).to.be.at.most(span(untried!.estimate!.seconds));
    });
  });

  it("estimates write-ahead log, growth and time of a real run within a factor of two", async function () {
    this.timeout(60_000);
    await database.query("create table users (id int primary key, email text, note text, n int)");
    await database.query("create index on users (n)");
    await database.query(
      `insert into users select i, 'user' || i || '@secret.example', repeat(md5(i::text), 12), (i * 7919) % 20000
       from generate_series(1, 20000) i`,
    );
    await database.query("vacuum analyze users");
    await database.query("checkpoint");
    const note = column({ table: "users", column: "note", keyring, options: ACCEPT });
    const [table] = (await planMigration(pool, [email, note])).tables;
    const measure = async (): Promise<{ lsn: string; bytes: string }> => {
      const [row] = await database.query<{ lsn: string; bytes: string }>(
        "select pg_current_wal_insert_lsn()::text as lsn, sum(pg_column_size(u.*)) as bytes from users u",
      );
      return row!;
    };
    const before = await measure();
    const start = performance.now();
    await migrate(pool, [email, note], { workers: 1 });
    const seconds = (performance.now() - start) / 1000;
    const after = await measure();
    const [wal] = await database.query("select pg_wal_lsn_diff($1, $2)::int8 as bytes", [
      after.lsn,
      before.lsn,
    ]);
    const { estimate } = table!;
    expect(estimate!.rowsToWrite).to.equal(20_000);
    expect(estimate!.walBytes / Number(wal!.bytes)).to.be.within(0.5, 2);
    const growth = Number(after.bytes) - Number(before.bytes);
    expect(estimate!.growthBytes / growth).to.be.within(0.8, 1.25);
    expect(seconds).to.be.within(estimate!.seconds.least / 4, estimate!.seconds.most * 4); // a busy machine
  });

  it("judges a large table by a sample of its pages, unless asked for all", async function () {
    this.timeout(60_000);
    await database.query(
      "create table users (id int primary key, email text, note text) with (fillfactor = 10)",
    );
    await database.query(
      "insert into users select i, 'x', repeat('n', 600) from generate_series(1, 20000) i",
    );
    const [sampled] = (await planMigration(pool, [email])).tables;
    expect(sampled).to.include({ isSampled: true });
    expect(sampled!.rows).to.be.within(19_000, 21_000);
    expect(sampled!.columns[0]!.from!.plaintext).to.equal(sampled!.rows);
    const [exact] = (await planMigration(pool, [email], { exact: true })).tables;
    expect(exact).to.include({ isSampled: false, rows: 20_000 });
  });

  it("lists the leaves of a partitioned table, and adds them up", async () => {
    await database.query(
      "create table users (id int primary key, email text) partition by range (id)",
    );
    for (const [i, from] of [0, 100, 200].entries()) {
      await database.query(
        `create table users_${i} partition of users for values from (${from}) to (${from + 100})`,
      );
    }
    await database.query("insert into users select i, 'plain' from generate_series(0, 299) i");
    const plan = await planMigration(pool, [email], { trial: true });
    expect(plan.isPossible).to.equal(true);
    const [table] = plan.tables;
    expect(table!.partitions).to.deep.equal(["public.users_0", "public.users_1", "public.users_2"]);
    expect(table).to.deep.include({ rows: 300 });
    expect(table!.bytes.table).to.equal(3 * 8192 * 1);
    expect(table!.findings).to.deep.include({
      severity: "note",
      kind: "partitions",
      message: "A partitioned table of 3 leaves: they are migrated one after the other.",
    });
  });

  const strict = column({ table: "users", column: "email", keyring });
  const random =
    "create table users (id int primary key, email text); insert into users values (1, 'plain')";
  const trigger = (body: string): string =>
    `${random}; create or replace function meddle() returns trigger language plpgsql as $$begin ${body} end$$;
     create trigger meddle before update on users for each row execute function meddle()`;

  const afterTrigger = (body: string): string =>
    `${trigger(body)}; drop trigger meddle on users;
     create trigger meddle after update on users for each row when (pg_trigger_depth() = 0) execute function meddle()`;

  const obstacles: readonly {
    readonly name: string;
    readonly sql: string;
    readonly severity: Finding["severity"];
    readonly kind: Finding["kind"];
    readonly says: RegExp;
    readonly columns?: readonly EncryptedColumn[];
    readonly options?: PlanOptions;
  }[] = [
    {
      name: "a missing table",
      sql: "select 1",
      severity: "refusal",
      kind: "missing",
      says: /"users" does not exist/,
    },
    {
      name: "a missing column",
      sql: "create table users (id int primary key)",
      severity: "refusal",
      kind: "missing",
      says: /no column "email".*ADD COLUMN "email" text/,
    },
    {
      name: "a missing blind index",
      sql: random,
      columns: [
        column({
          table: "users",
          column: "email",
          keyring,
          options: { ...ACCEPT, blindIndex: { column: "email_index" } },
        }),
      ],
      severity: "refusal",
      kind: "missing",
      says: /ADD COLUMN "email_index" text/,
    },
    {
      name: "a view in place of a table",
      sql: "create view users as select 1 as id, 'x'::text as email",
      severity: "refusal",
      kind: "missing",
      says: /public\.users is a view/,
    },
    {
      name: "a model without primary key",
      sql: random,
      columns: [
        column({ table: "users", column: "email", keyring, options: ACCEPT, primaryKey: [] }),
      ],
      severity: "refusal",
      kind: "primary-key",
      says: /no primary key, so that a row .* could not be found again.*ADD COLUMN id bigint/,
    },
    {
      name: "a primary key that the table does not have",
      sql: random,
      columns: [
        column({ table: "users", column: "email", keyring, options: ACCEPT, primaryKey: ["uid"] }),
      ],
      severity: "refusal",
      kind: "primary-key",
      says: /names "uid", which the table does not have/,
    },
    {
      name: "a primary key without a unique index",
      sql: "create table users (id int, email text); create index on users (id); insert into users values (1, 'plain')",
      severity: "refusal",
      kind: "primary-key",
      says: /no unique index .*ADD PRIMARY KEY \("id"\)/,
    },
    {
      name: "an encrypted primary key",
      sql: "create table users (id int, email text primary key); insert into users values (1, 'plain')",
      columns: [
        column({
          table: "users",
          column: "email",
          keyring,
          options: ACCEPT,
          primaryKey: ["email"],
        }),
      ],
      severity: "refusal",
      kind: "primary-key",
      says: /part of the primary key/,
    },
    {
      name: "an encrypted partition key",
      sql: "create table users (id int, email text) partition by list (email)",
      severity: "refusal",
      kind: "primary-key",
      says: /part of the partition key/,
    },
    {
      name: "a varchar",
      sql: "create table users (id int primary key, email varchar(80)); insert into users values (1, 'plain')",
      severity: "refusal",
      kind: "too-short",
      says: /character varying\(80\), and takes 80 characters.*TYPE text \(at once/,
    },
    {
      name: "another type",
      sql: "create table users (id int primary key, email jsonb)",
      severity: "refusal",
      kind: "column-type",
      says: /jsonb, and ciphertext needs text.*source/,
    },
    {
      name: "a generated column",
      sql: "create table users (id int primary key, email text generated always as ('x') stored)",
      severity: "refusal",
      kind: "generated-column",
      says: /is generated/,
    },
    {
      name: "a generated column that is computed from it",
      sql: `${random}; alter table users add lower_email text generated always as (lower(email)) stored`,
      severity: "warning",
      kind: "generated-column",
      says: /"lower_email" is computed from "email"/,
    },
    {
      name: "a generated column that cannot be computed from ciphertext",
      sql: `create table users (id int primary key, email text, n int generated always as (email::int) stored);
            insert into users (id, email) values (1, '7')`,
      severity: "refusal",
      kind: "generated-column",
      says: /expression of generated column "n" fails on ciphertext/,
    },
    {
      name: "a CHECK constraint that refuses ciphertext",
      sql: `create table users (id int primary key, email text constraint has_at check (email like '%@%'));
            insert into users values (1, 'a@b')`,
      severity: "refusal",
      kind: "check-constraint",
      says: /"has_at" refuses ciphertext.*DROP CONSTRAINT "has_at"/,
    },
    {
      name: "a CHECK constraint that fails on ciphertext",
      sql: `create table users (id int primary key, email text check (email::int > 0)); insert into users values (1, '7')`,
      severity: "refusal",
      kind: "check-constraint",
      says: /fails on ciphertext/,
    },
    {
      name: "the constraint of finalize before going back",
      sql: `create table users (id int primary key, email text constraint users_email_encrypted check (email ~ '^9V6h'));
            insert into users values (1, '${strict.cipher.seal("x") as string}')`,
      options: { direction: "decrypt" },
      severity: "refusal",
      kind: "check-constraint",
      says: /refuses plaintext.*finalize --undo/,
    },
    {
      name: "an index whose expression fails on ciphertext",
      sql: `create table users (id int primary key, email text); create index users_n on users ((email::int));
            insert into users values (1, '7')`,
      severity: "refusal",
      kind: "index",
      says: /expression of index users_n fails/,
    },
    {
      name: "an index that cannot hold ciphertext",
      sql: `create table users (id int primary key, email text); create index users_email on users (email);
            insert into users select 1, string_agg(md5(i::text), '') from generate_series(1, 64) i`,
      severity: "refusal",
      kind: "index",
      says: /users_email cannot hold ciphertext of 2\d{3} bytes/,
    },
    {
      name: "an index that would find nothing",
      sql: `${random}; create index users_email on users (lower(email))`,
      severity: "warning",
      kind: "index",
      says: /users_email finds nothing in ciphertext/,
    },
    {
      name: "UNIQUE on random ciphertext",
      sql: `${random}; alter table users add unique (email)`,
      severity: "warning",
      kind: "index",
      says: /no longer finds equal values/,
    },
    {
      name: "a foreign key that refers to it",
      sql: `create table users (id int primary key, email text unique);
            create table logins (email text references users (email)); insert into users values (1, 'plain')`,
      severity: "refusal",
      kind: "foreign-key",
      says: /of logins compares "email".*ALTER TABLE logins DROP CONSTRAINT/,
    },
    {
      name: "a view on it",
      sql: `${random}; create view shown as select email from users`,
      severity: "warning",
      kind: "dependent-view",
      says: /View shown shows ciphertext/,
    },
    {
      name: "a materialized view of it",
      sql: `${random}; create materialized view kept as select email from users`,
      severity: "warning",
      kind: "dependent-view",
      says: /Materialized view kept keeps plaintext.*REFRESH/,
    },
    {
      name: "plaintext in a strict column",
      sql: random,
      columns: [strict],
      severity: "refusal",
      kind: "plaintext",
      says: /1 values are no envelope.*plaintext: "accept"/,
    },
    {
      name: "a column that still writes the legacy layout",
      sql: random,
      columns: [
        column({
          table: "users",
          column: "email",
          keyring,
          options: { legacy: "aes-256-cbc", suite: "aes-256-cbc" },
        }),
      ],
      severity: "refusal",
      kind: "insecure-write",
      says: /still writes the legacy layout/,
    },
    {
      name: "a column that may store plaintext",
      sql: random,
      columns: [
        column({
          table: "users",
          column: "email",
          keyring,
          options: { ...ACCEPT, onEncryptFailure: "insecure-store-plaintext" },
        }),
      ],
      severity: "warning",
      kind: "insecure-write",
      says: /whenever encryption fails/,
    },
    {
      name: "a value under an unknown key",
      sql: `create table users (id int primary key, email text);
            insert into users values (1, '${column({ table: "users", column: "email", keyring: Keyring.fromKey(generateRootKey()) }).cipher.seal("x") as string}')`,
      severity: "warning",
      kind: "unreadable",
      says: /1 of 1 sampled rows cannot be read \(ERR_KEY_UNKNOWN\).*Add the key/,
    },
    {
      name: "a trigger",
      sql: trigger("new.id := new.id; return new;"),
      severity: "warning",
      kind: "trigger",
      says: /"meddle" \(meddle\) runs before each row/,
    },
    {
      name: "a trigger that raises (trial)",
      sql: trigger("raise exception 'value % is secret', new.email using errcode = 'P0042';"),
      options: { trial: true },
      severity: "refusal",
      kind: "trial",
      says: /with code P0042/,
    },
    {
      name: "a trigger that changes ciphertext (trial)",
      sql: trigger("new.email := lower(new.email); return new;"),
      options: { trial: true },
      severity: "refusal",
      kind: "trial",
      says: /of 1 sampled rows 0 kept their ciphertext/,
    },
    {
      name: "a trigger that writes rows once more afterwards (trial)",
      sql: afterTrigger("update users set email = upper(email) where id = new.id; return null;"),
      options: { trial: true },
      severity: "refusal",
      kind: "trial",
      says: /changes what is written to an encrypted column.*of 1 sampled rows 0 kept their ciphertext.*Take the column out of that trigger/,
    },
    {
      name: "a trigger that runs after the write, and how to find out what it does",
      sql: afterTrigger("return null;"),
      severity: "warning",
      kind: "trigger",
      says: /runs after each row that the engine writes.*the run stops.*plan --trial/,
    },
    {
      name: "a trigger of a partition alone",
      sql: `${afterTrigger("return null;")}; alter table users rename to part; create table users (like part) partition by range (id);
            alter table users attach partition part for values from (0) to (10)`,
      severity: "warning",
      kind: "trigger",
      says: /"meddle" of public\.part \(meddle\) runs after each row/,
    },
    {
      name: "a trigger that keeps rows as they are (trial)",
      sql: trigger("return null;"),
      options: { trial: true },
      severity: "refusal",
      kind: "trial",
      says: /Of 1 sampled rows PostgreSQL wrote 0/,
    },
    {
      name: "autovacuum switched off",
      sql: `${random}; alter table users set (autovacuum_enabled = false)`,
      severity: "warning",
      kind: "vacuum",
      says: /Autovacuum is off for users/,
    },
    {
      name: "a publication without replica identity",
      sql: `create table users (id int, email text); create unique index on users (id); insert into users values (1, 'plain');
            drop publication if exists p; create publication p for table users`,
      severity: "refusal",
      kind: "replica-identity",
      says: /users is published by logical replication without a replica identity/,
    },
  ];

  for (const { name, sql, severity, kind, says, columns, options } of obstacles) {
    it(`${severity === "refusal" ? "refuses" : "warns of"} ${name}`, async () => {
      await database.query("drop view if exists users");
      await database.query("drop table if exists logins");
      await database.query(sql);
      const found = await findings(columns, options);
      await database.query("drop view if exists users").catch(() => {});
      const texts = found.map(
        (one) => `${one.severity} ${one.kind}: ${one.message} ${one.fix ?? ""}`,
      );
      const match = found.find(
        (one, i) => one.severity === severity && one.kind === kind && says.test(texts[i]!),
      );
      expect(match, texts.join("\n")).not.to.equal(undefined);
      expect(texts.join("\n")).not.to.match(/'plain'|value plain|9V6h[A-Za-z0-9+/]{8}/);
      if (severity === "refusal") {
        expect((await planMigration(pool, columns ?? [email], options)).isPossible).to.equal(false);
      }
    });
  }

  describe("of the server", () => {
    beforeEach(() => database.query(random));

    it("names open snapshots", async () => {
      const client = await pool.connect();
      await client.query("begin isolation level repeatable read; select 1 from users");
      const found = await findings([email], { maxSnapshotAgeSeconds: 0 });
      await client.query("rollback");
      client.release();
      expect(found[0]).to.include({ severity: "warning", kind: "old-snapshot" });
      expect(found[0]!.message).to.match(/process \d+, idle in transaction/);
      expect(await findings()).to.deep.equal([]);
    });

    it("names replication slots that nobody reads", async () => {
      await database.query("select pg_create_physical_replication_slot('forgotten', true)");
      const found = await findings();
      await database.query("select pg_drop_replication_slot('forgotten')");
      expect(found[0]).to.include({ severity: "warning", kind: "replica" });
      expect(found[0]!.message).to.include('slot "forgotten"');
    });

    async function as(setting: string): Promise<readonly Finding[]> {
      const limited = new Pool({ connectionString: database.url, options: `-c ${setting}` });
      const plan = await planMigration(limited, [email]);
      await limited.end();
      expect(plan.isPossible).to.equal(false);
      return [...plan.findings, ...plan.tables.flatMap((table) => table.findings)];
    }

    it("refuses transactions that may not write", async () => {
      const [found] = await as("default_transaction_read_only=on");
      expect(found).to.include({ severity: "refusal", kind: "read-only" });
    });

    it("refuses a role that lacks privileges, or from whom rows are hidden", async () => {
      const role = `reader_${database.name}`;
      await database.query(`create role ${role}`);
      try {
        await database.query(`grant select on users to ${role}`);
        const found = await as(`role=${role}`);
        expect(found.map(({ kind }) => kind)).to.include.members(["privilege"]);
        const texts = found.map(({ message }) => message).join("\n");
        expect(texts)
          .to.include('may not UPDATE column "email"')
          .and.include('may not make the schema "fieldseal"');

        await database.query(
          `grant update on users to ${role}; alter table users enable row level security`,
        );
        expect((await as(`role=${role}`)).map(({ kind }) => kind)).to.include("row-security");
      } finally {
        await database.query(`drop owned by ${role}; drop role ${role}`);
      }
    });
  });
});
