// What stands beside a run: other tables, other columns, tables of the same name, rows that a role does not see. Nothing of
// it is changed, taken for another, or passed over in silence.
import { setTimeout as sleep } from "node:timers/promises";
import { generateRootKey, Keyring, type MigrationError } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import {
  dropSources,
  finalizeColumns,
  migrate,
  planMigration,
  runSlice,
  undoFinalize,
  verifyColumns,
} from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("Neighbours of a run", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const [email, phone] = ["email", "phone"].map((name) =>
    column({ table: "t", column: name, keyring, options: ACCEPT }),
  ) as [ReturnType<typeof column>, ReturnType<typeof column>];
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    pool.on("error", () => {});
  });
  beforeEach(() =>
    database.query(
      `drop schema if exists fieldseal cascade; drop table if exists t cascade; drop table if exists child;
       create table t (id int primary key, email text unique, phone text, age int, age_sealed text)`,
    ),
  );
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function refusalOf(action: Promise<unknown>): Promise<MigrationError> {
    const error = await action.then(
      () => undefined,
      (reason: unknown) => reason as MigrationError,
    );
    expect(error, "refused").to.be.an("error");
    return error!;
  }

  it("does not write into tables that a foreign key would change with it", async () => {
    for (const action of ["cascade", "set null"]) {
      await database.query(
        `drop table if exists child; delete from t; insert into t (id, email) values (1, 'ada');
         create table child (email text references t (email) on update ${action}); insert into child values ('ada')`,
      );
      const error = await refusalOf(migrate(pool, [email]));
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      expect(error.message).to.include('"child_email_fkey" of child refers to column "email"');
      expect(await database.query("select email from child")).to.deep.equal([{ email: "ada" }]);
    }
    await database.query("insert into t (id, phone) values (2, '555')");
    expect((await migrate(pool, [phone]))[0]).to.include({ state: "done", rowsWritten: 1 });
  });

  it("takes over no plain column of a table that others inherit from, whose changes no trigger would see", async () => {
    await database.query(
      "create table child (primary key (id)) inherits (t); insert into child (id, age) values (1, 7)",
    );
    const age = column({ table: "t", column: "age_sealed", keyring, type: "json" });
    const sources = { "t.age_sealed": "age" };
    const error = await refusalOf(migrate(pool, [age], { sources }));
    expect(error.message).to.include("other tables inherit from it");
    expect((await verifyColumns(pool, [age], { sources }))[0]).to.include({ rows: 1 });
    expect(await database.query("select age_sealed from t")).to.deep.equal([{ age_sealed: null }]);
    await refusalOf(dropSources(pool, [age], sources));

    const ofChild = column({ table: "child", column: "age_sealed", keyring, type: "json" });
    const childSources = { "child.age_sealed": "age" };
    await migrate(pool, [ofChild], { sources: childSources });
    await database.query("update t set age = 8");
    await migrate(pool, [ofChild], { sources: childSources });
    const [row] = await database.query<{ age_sealed: string }>("select age_sealed from t");
    expect(ofChild.cipher.open(row!.age_sealed)).to.equal(8);
  });

  it("leaves the fence of other columns standing, whichever is finalized or undone after them", async () => {
    const detailOf = async (name: string): Promise<string | undefined> => {
      const insert = database.query(`insert into t (id, ${name}) values (1, 'secret')`);
      const error = await insert.then(
        async () => void (await database.query("delete from t")),
        (reason: unknown) => reason as Error & { constraint: string; detail?: string },
      );
      expect(String(error?.message) + String(error?.detail)).not.to.include("secret");
      return error?.constraint;
    };
    await finalizeColumns(pool, [email]);
    await finalizeColumns(pool, [phone]);
    expect([await detailOf("email"), await detailOf("phone")]).to.deep.equal([
      "zz_fieldseal_fence",
      "zz_fieldseal_fence",
    ]);
    const again = await finalizeColumns(pool, [email, phone]);
    expect(again.flatMap(({ changes }) => changes)).to.deep.equal([]);

    const [undone] = await undoFinalize(pool, [phone]);
    expect(undone).to.include({ hasFence: false }).and.have.deep.property("changes", ["undo"]);
    expect([await detailOf("email"), await detailOf("phone")]).to.deep.equal([
      "zz_fieldseal_fence",
      undefined,
    ]);
    expect((await finalizeColumns(pool, [email]))[0]?.changes).to.deep.equal([]);
    expect((await undoFinalize(pool, [phone]))[0]?.changes).to.deep.equal([]);
    await undoFinalize(pool, [email]);
    expect(await detailOf("email")).to.equal(undefined);
  });

  it("lets a column go back beside one that is finalized", async () => {
    await finalizeColumns(pool, [email]);
    const { tables } = await planMigration(pool, [phone], { direction: "decrypt" });
    const refusals = tables[0]!.findings.filter(({ severity }) => severity === "refusal");
    expect(refusals).to.deep.equal([]);
    await undoFinalize(pool, [email]);
  });

  it("keeps a paused run of one schema out of the way of another's", async () => {
    const inSchema = async (schema: string, signal?: AbortSignal): Promise<unknown> => {
      const own = new Pool({ connectionString: database.url, options: `-c search_path=${schema}` });
      const [report] = await migrate(own, [phone], signal ? { signal } : {});
      await own.end();
      return report;
    };
    for (const schema of ["tenant_c", "tenant_d"]) {
      await database.query(
        `create schema ${schema}; create table ${schema}.t (like t including all); insert into ${schema}.t (id, phone) values (1, 'x')`,
      );
    }
    expect(await inSchema("tenant_c", AbortSignal.abort())).to.include({ state: "paused" });
    expect(await inSchema("tenant_d")).to.include({ state: "done", rowsWritten: 1 });
    expect(await inSchema("tenant_c")).to.include({ state: "done", rowsWritten: 1 });
    await database.query("drop schema tenant_c cascade; drop schema tenant_d cascade");
  });

  it("tells tables of one name apart that the search path chooses between", async () => {
    const schemas = ["tenant_a", "tenant_b"];
    for (const schema of schemas) {
      await database.query(
        `create schema ${schema}; create table ${schema}.t (like t including all); insert into ${schema}.t (id, phone) values (1, 'x')`,
      );
    }
    for (const schema of schemas) {
      const own = new Pool({ connectionString: database.url, options: `-c search_path=${schema}` });
      await runSlice(own, [phone], { maxMs: 20_000, campaign: "2027" });
      await own.end();
      const [row] = await database.query<{ phone: string }>(`select phone from ${schema}.t`);
      expect(row!.phone, schema).to.match(/^9V6h/);
    }
    for (const schema of schemas) await database.query(`drop schema ${schema} cascade`);
  });

  it("does not call a column strict whose rows a policy hides", async () => {
    await database.query(
      `insert into t (id, phone) values (1, 'plain'); alter table t enable row level security;
       create role half_blind login password 'half_blind'; grant select on t to half_blind`,
    );
    const url = new URL(database.url);
    [url.username, url.password] = ["half_blind", "half_blind"];
    const own = new Pool({ connectionString: url.href });
    try {
      const error = await refusalOf(verifyColumns(own, [phone]));
      expect(error).to.include({ code: "ERR_MIGRATE_DATABASE" });
      expect(error.message).to.include("row-level security hides rows").and.not.include("written");
    } finally {
      await own.end();
      await database.query("drop owned by half_blind; drop role half_blind");
    }
    expect((await verifyColumns(pool, [phone]))[0]).to.include({ plaintext: 1, isStrict: false });
  });

  it("writes where transactions are serializable by default, and keeps out of those of the application", async () => {
    await database.query(
      `insert into t (id, phone) select i, 'x' from generate_series(1, 50) i;
       drop table if exists seen; create table seen (level text);
       create or replace function look() returns trigger language plpgsql as $$
         begin insert into seen values (current_setting('transaction_isolation')); return new; end $$;
       create trigger look before update on t for each row execute function look()`,
    );
    const own = new Pool({
      connectionString: database.url,
      options: "-c default_transaction_isolation=serializable",
    });
    expect((await migrate(own, [phone]))[0]).to.include({ state: "done", rowsWritten: 50 });
    await own.end();
    const seen = await database.query("select distinct level from seen");
    expect(seen).to.deep.equal([{ level: "read committed" }]);
  });

  it("waits for another caller that begins the run, however little its role may wait", async () => {
    await database.query("insert into t (id, phone) values (1, 'x')");
    const other = new Client({ connectionString: database.url });
    await other.connect();
    await other.query(
      `begin; select pg_advisory_xact_lock(x'66736561'::int, hashtext('public.t'))`,
    );
    for (const options of ["-c lock_timeout=50ms", "-c statement_timeout=1s"]) {
      const own = new Pool({ connectionString: database.url, options });
      own.on("error", () => {});
      const migrated = migrate(own, [phone]);
      migrated.catch(() => {}); // awaited below
      await sleep(1500);
      await other.query("commit");
      const [report] = await migrated;
      expect(report, options).to.include({ state: "done" });
      await own.end();
      await other.query(
        `begin; select pg_advisory_xact_lock(x'66736561'::int, hashtext('public.t'))`,
      );
    }
    await other.end();
  });

  describe("under repeatable read by default", () => {
    let own: Pool;
    let other: Client;

    beforeEach(async () => {
      await database.query("insert into t (id, phone) values (1, 'x')");
      const options = "-c default_transaction_isolation=repeatable\\ read";
      own = new Pool({ connectionString: database.url, options });
      own.on("error", () => {});
      other = new Client({ connectionString: database.url });
      await other.connect();
    });
    afterEach(async () => {
      await other.end();
      await own.end();
    });

    async function untilWaiting(count: number): Promise<void> {
      for (;;) {
        const [row] = await database.query<{ waiting: number }>(
          `select count(*)::int as waiting from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock'`,
        );
        if (row!.waiting >= count) return;
        await sleep(10);
      }
    }

    it("two callers at once share a run", async () => {
      await other.query(
        `begin; select pg_advisory_xact_lock(x'66736561'::int, hashtext('public.t'))`,
      );
      const callers = [migrate(own, [phone]), migrate(own, [phone])];
      await untilWaiting(2);
      await other.query("commit");
      for (const [report] of await Promise.all(callers)) expect(report!.state).to.equal("done");
      expect(await database.query("select state from fieldseal.run")).to.have.length(1);
    });

    it("a run ends that somebody else changes as it ends", async () => {
      const query = own.query.bind(own) as (...given: unknown[]) => Promise<unknown>;
      let wasInTheWay = false;
      own.query = (async (text: unknown, ...values: unknown[]) => {
        const isEnd = /SET state = CASE/.test(String(text)) && !wasInTheWay;
        if (!isEnd) return query(text, ...values);
        wasInTheWay = true;
        await other.query("begin; update fieldseal.run set rows_total = rows_total");
        const result = query(text, ...values);
        await untilWaiting(1);
        await other.query("commit");
        return result;
      }) as typeof own.query;
      const [report] = await migrate(own, [phone]);
      expect(report).to.include({ state: "done", rowsWritten: 1 });
      expect(wasInTheWay).to.equal(true);
    });
  });
});
