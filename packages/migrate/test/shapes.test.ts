// Tables as people make them: every kind of key, partitions, schemas; and what happens to a row that moves meanwhile.
import {
  generateRootKey,
  Keyring,
  type EncryptedColumn,
  type MigrationError,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, planMigration, verifyColumns } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const ROWS = 1500;
const SCHEMA = 'Odd "schema"';

interface Shape {
  /** Columns of the key, as a table definition. */
  readonly key: string;
  readonly names: readonly string[];
  /** The key of row i. */
  readonly values: string;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  "bigint beyond JavaScript's whole numbers": {
    key: "id bigint primary key",
    names: ["id"],
    values: "9223372036854775807 - i",
  },
  "integer, negative and with gaps": {
    key: "id int primary key",
    names: ["id"],
    values: "-2147483648 + i * 1000",
  },
  "random uuid": { key: "id uuid primary key", names: ["id"], values: "gen_random_uuid()" },
  "text of a language's collation": {
    key: 'id text collate "en-x-icu" primary key',
    names: ["id"],
    values: "(array['É','e','Z','a','-'])[1 + i % 5] || i",
  },
  "text of a collation that ignores case": {
    key: "id text collate ignoring_case primary key",
    names: ["id"],
    values: "'Key' || i",
  },
  "text with all that needs escapes": {
    key: "id text primary key",
    names: ["id"],
    values: `'"\\{},' || chr(10) || 'NULL ''' || i`,
  },
  "timestamp with time zone": {
    key: "at timestamptz primary key",
    names: ["at"],
    values: "'2026-11-27 01:02:03.123456+05:30'::timestamptz + i * interval '1.000001 s'",
  },
  "numeric, equal in different forms": {
    key: "id numeric primary key",
    names: ["id"],
    values: "(i || repeat('.0', i % 2))::numeric",
  },
  bytea: { key: "id bytea primary key", names: ["id"], values: "decode(md5(i::text), 'hex')" },
  "two columns, in another order than in the table": {
    key: `"second Part" text, first int, primary key (first, "second Part")`,
    names: ["first", "second Part"],
    values: "'x' || i, i % 7",
  },
  "one integer, by a unique index instead of a primary key": {
    key: "id int not null unique",
    names: ["id"],
    values: "i",
  },
};

describe("Tables", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url, max: 6 });
    await database.query(`create schema "${SCHEMA.replaceAll('"', '""')}"`);
    await database.query(
      "create collation ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
  });
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table if exists t cascade");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  /** Every row holds its own value: a value that got to another row would show. */
  async function expectMigrated(sql: string, one: EncryptedColumn): Promise<void> {
    const rows = await database.query<{ stored: string; was: string }>(
      `select "the ""value""" as stored, was from ${sql}`,
    );
    expect(rows).to.have.length(ROWS);
    const strict = column({ table: one.table, column: one.column, keyring });
    expect(strict.cipher.openMany(rows.map(({ stored }) => stored))).to.deep.equal(
      rows.map(({ was }) => was),
    );
  }

  for (const [i, [name, { key, names, values }]] of Object.entries(SHAPES).entries()) {
    it(`with a key of ${name}`, async () => {
      const table = `A "table" ${i}`;
      const sql = `"${SCHEMA.replaceAll('"', '""')}"."${table.replaceAll('"', '""')}"`;
      await database.query(`create table ${sql} ("the ""value""" text, was text, ${key})`);
      await database.query(
        `insert into ${sql} select 'v' || i, 'v' || i, ${values} from generate_series(1, $1) i order by md5(i::text)`,
        [ROWS],
      );
      const one = column({
        schema: SCHEMA,
        table,
        column: 'the "value"',
        primaryKey: names,
        keyring,
        options: ACCEPT,
      });
      const [report] = await migrate(pool, [one], { batchRows: 200, chunks: 3 });
      expect(report).to.include({
        state: "done",
        rowsWritten: ROWS,
        poisonRows: 0,
        rowsSkipped: 0,
      });
      await expectMigrated(sql, one);
      const [finding] = await verifyColumns(pool, [one], { batchRows: 100 });
      expect(finding).to.include({ rows: ROWS, isStrict: true });
      const [again] = await migrate(pool, [one]);
      expect(again).to.include({ state: "done", rowsWritten: 0 });
      const [back] = await migrate(pool, [one], { direction: "decrypt" });
      expect(back).to.include({ state: "done", rowsWritten: ROWS });
      await database.query(
        `do $$ begin assert not exists (select from ${sql} where was <> "the ""value"""); end $$`,
      );
    });
  }

  describe("that are partitioned", () => {
    const one = column({
      table: "t",
      column: 'the "value"',
      primaryKey: ["id", "region"],
      keyring,
      options: ACCEPT,
    });

    beforeEach(async () => {
      await database.query(
        `create table t ("the ""value""" text, was text, id int, region text, primary key (id, region)) partition by list (region);
         create table t_north partition of t for values in ('north') partition by range (id);
         create table t_north_low partition of t_north for values from (0) to (500);
         create table t_north_high partition of t_north for values from (500) to (10000);
         create table t_south (was text, region text not null, "the ""value""" text, id int not null);
         alter table t attach partition t_south for values in ('south')`,
      );
      await database.query(
        `insert into t select 'v' || i, 'v' || i, i, case when i % 3 = 0 then 'south' else 'north' end from generate_series(1, $1) i`,
        [ROWS],
      );
    });

    it("are migrated leaf by leaf, whatever the order of their columns", async () => {
      const [report] = await migrate(pool, [one], { batchRows: 100, chunks: 6 });
      expect(report).to.include({ state: "done", rowsWritten: ROWS, rowsTotal: ROWS });
      await expectMigrated("t", one);
    });

    it("lose no row that moves to another partition meanwhile", async () => {
      const app = new Client({ connectionString: database.url });
      await app.connect();
      const controller = new AbortController();
      const moving = (async () => {
        for (let i = 0; !controller.signal.aborted; i++) {
          const id = 1 + ((i * 7) % ROWS);
          await app.query(
            `update t set region = case region when 'south' then 'north' else 'south' end where id = $1`,
            [id],
          );
        }
        return app.end();
      })();
      const [report] = await migrate(pool, [one], {
        batchRows: 50,
        chunks: 6,
        maxRowsPerSecond: 3000,
      });
      controller.abort();
      await moving;
      expect(report!.state).to.equal("done");
      const [again] = await migrate(pool, [one]);
      expect(again!.state).to.equal("done");
      await expectMigrated("t", one);
    });

    it("get the partition migrated that is attached while a run is at work", async () => {
      await database.query(
        `create table t_west ("the ""value""" text, was text, id int not null, region text not null);
         insert into t_west values ('v0', 'v0', 0, 'west'); delete from t where id = 1`,
      );
      const app = new Client({ connectionString: database.url });
      await app.connect();
      const attach = async (): Promise<void> => {
        await app.query("begin; select from fieldseal.run for update"); // the next pass waits
        await app.query("alter table t attach partition t_west for values in ('west'); commit");
      };
      let attached: Promise<void> | undefined;
      const [report] = await migrate(pool, [one], {
        batchRows: 100,
        chunks: 6,
        progressMs: 0,
        onProgress: () => void (attached ??= attach()),
      });
      await attached;
      await app.end();
      expect(report).to.include({ state: "done", rowsWritten: ROWS });
      await expectMigrated("t", one);
    });
  });

  it("that inherit are migrated with their children", async () => {
    await database.query(
      `create table t ("the ""value""" text, was text, id int primary key);
       create table t_child (extra int, primary key (id)) inherits (t)`,
    );
    await database.query(
      "insert into t select 'v' || i, 'v' || i, i from generate_series(1, 700) i",
    );
    await database.query(
      "insert into t_child select 'v' || i, 'v' || i, i, 0 from generate_series(701, $1) i",
      [ROWS],
    );
    const one = column({ table: "t", column: 'the "value"', keyring, options: ACCEPT });
    const [report] = await migrate(pool, [one]);
    expect(report).to.include({ state: "done", rowsWritten: ROWS });
    await expectMigrated("t", one);
  });

  it("that inherit are verified with their children, also where both have a row of one key", async () => {
    await database.query(
      `create table t ("the ""value""" text, was text, id int primary key);
       create table t_child (primary key (id)) inherits (t)`,
    );
    const one = column({ table: "t", column: 'the "value"', keyring, options: ACCEPT });
    const sealed = one.cipher.seal("v");
    await database.query("insert into t select $1, 'v', i from generate_series(1, 10) i", [sealed]);
    await database.query(
      "insert into t_child select case i when 3 then 'plain' else $1 end, 'v', i from generate_series(1, 10) i",
      [sealed],
    );
    const [finding] = await verifyColumns(pool, [one], { batchRows: 5 });
    expect(finding).to.include({ rows: 20, plaintext: 1, isStrict: false });
  });

  it("whose key may be NULL are refused: such a row would be passed over, and vouched for", async () => {
    await database.query(
      `create table t ("the ""value""" text, id int unique);
       insert into t values ('a', 1), ('secret', null)`,
    );
    const one = column({ table: "t", column: 'the "value"', keyring, options: ACCEPT });
    for (const look of [migrate, verifyColumns]) {
      const error = await look(pool, [one]).then(
        () => expect.fail("was taken"),
        (reason: unknown) => reason as MigrationError,
      );
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      expect(error.message).to.match(/"id" .* may be NULL.*ALTER COLUMN "id" SET NOT NULL/);
    }
    const { isPossible, tables } = await planMigration(pool, [one]);
    expect(isPossible).to.equal(false);
    expect(tables[0]?.findings.map(({ kind }) => kind)).to.deep.equal(["primary-key"]);
    await database.query("delete from t where id is null; alter table t alter id set not null");
    expect((await migrate(pool, [one]))[0]).to.include({ state: "done", rowsWritten: 1 });
  });

  it("without rows are done at once", async () => {
    await database.query(`create table t ("the ""value""" text, id int primary key)`);
    const one = column({ table: "t", column: 'the "value"', keyring, options: ACCEPT });
    const [report] = await migrate(pool, [one]);
    expect(report).to.include({ state: "done", rowsWritten: 0, rowsTotal: 0 });
  });
});
