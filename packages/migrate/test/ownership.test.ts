// A schema "fieldseal" that somebody made before the engine did.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { listRuns, migrate, pauseRun, planMigration } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("The journal", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  let database: TestDatabase;
  let pool: Pool;
  let low: Client;
  let lowly: string;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    lowly = `${database.name}_lowly`;
    await database.query(
      `create role ${lowly} login password 'x'; grant create on database ${database.name} to ${lowly}`,
    );
    const { host, port } = database.connection;
    low = new Client({ host, port, database: database.name, user: lowly, password: "x" });
    await low.connect();
  });
  beforeEach(() =>
    database.query(
      "create table t (id int primary key, label text); insert into t values (1, 'x')",
    ),
  );
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table t");
  });
  after(async () => {
    await low.end();
    await pool.end();
    await database.drop();
  });

  const isSuperuser = async (): Promise<unknown> =>
    (await database.query("select rolsuper from pg_roles where rolname = $1", [lowly]))[0];
  const refusal = (action: () => Promise<unknown>): Promise<unknown> =>
    action().catch((error: unknown) => error);

  const evil = `create function fieldseal.evil() returns trigger language plpgsql as $$ begin
    execute 'alter role ' || quote_ident('ROLE') || ' superuser'; return new; exception when others then return new; end $$`;

  it("is not taken over by a role that made its schema, tables or functions first", async () => {
    await migrate(pool, [label]);
    const [{ ddl } = { ddl: "" }] = await database.query<{ ddl: string }>(
      "select string_agg(format('create table fieldseal.%I (like fieldseal.%1$I including all)', relname), ';') as ddl from pg_class where relnamespace = 'fieldseal'::regnamespace and relkind = 'r'",
    );
    await low.query("create schema theirs");
    await database.query("alter schema fieldseal rename to ours");
    await low.query("create schema fieldseal");
    await low.query(`grant all on schema fieldseal to public`);
    await database.query(
      "grant usage on schema ours to public; grant select on all tables in schema ours to public",
    );
    await low.query(ddl.replaceAll("like fieldseal.", "like ours."));
    await low.query(evil.replace("ROLE", lowly));
    await low.query(
      "create trigger evil before insert or update on fieldseal.run for each row execute function fieldseal.evil()",
    );
    await database.query("drop schema ours cascade");
    for (const action of [
      () => migrate(pool, [label]),
      () => listRuns(pool),
      () => pauseRun(pool, "1"),
    ]) {
      const error = await refusal(action);
      expect(error).to.include({ code: "ERR_MIGRATE_STATE" });
      expect((error as Error).message).to.include(lowly);
    }
    const plan = await planMigration(pool, [label]);
    expect(plan.findings[0]).to.include({ severity: "refusal", kind: "privilege" });
    expect(await isSuperuser()).to.deep.equal({ rolsuper: false });
    await database.query("drop schema theirs");
  });

  it("may be a schema of ours in which nothing is somebody else's", async () => {
    await database.query(`create schema fieldseal; grant all on schema fieldseal to ${lowly}`);
    await low.query(evil.replace("ROLE", lowly));
    expect(await refusal(() => migrate(pool, [label]))).to.include({ code: "ERR_MIGRATE_STATE" });
    await low.query("drop function fieldseal.evil()");
    expect((await migrate(pool, [label]))[0]).to.include({ state: "done", rowsWritten: 1 });
    await database.query(`grant trigger on fieldseal.run to ${lowly}`);
    await low.query("create schema theirs");
    await low.query(evil.replace("ROLE", lowly).replace("fieldseal.evil", "theirs.evil"));
    await low.query(
      "create trigger evil before insert on fieldseal.run for each row execute function theirs.evil()",
    );
    const error = await refusal(() => migrate(pool, [label]));
    expect(error).to.include({ code: "ERR_MIGRATE_STATE" });
    expect((error as Error).message).to.include("theirs.evil");
    await low.query("drop schema theirs cascade");
  });

  it("may belong to the role itself, to one that it is a member of, and to a superuser", async () => {
    const { host, port } = database.connection;
    const user = `${database.name}_app`;
    const group = `${database.name}_group`;
    await database.query(
      `create role ${group}; create role ${user} login password 'x' in role ${group}; grant create on database ${database.name} to ${group};
       alter table t owner to ${group}`,
    );
    const app = new Pool({ host, port, database: database.name, user, password: "x" });
    const sealed = async (): Promise<void> => {
      expect((await migrate(app, [label]))[0]).to.include({ state: "done" });
    };
    await sealed();
    await database.query(
      `drop schema fieldseal cascade; create schema fieldseal authorization ${group}`,
    );
    await sealed();
    await database.query(
      `drop schema fieldseal cascade; create schema fieldseal; grant all on schema fieldseal to ${user}`,
    );
    await sealed();
    await database.query(
      `drop schema fieldseal cascade; create schema fieldseal authorization ${lowly}`,
    );
    await low.query(`grant all on schema fieldseal to ${user}`);
    expect(await refusal(() => migrate(app, [label]))).to.include({ code: "ERR_MIGRATE_STATE" });
    await app.end();
  });

  it("names no table in its chunks but those of the run", async () => {
    await database.query(
      "create table other (id int primary key, label text); insert into other values (1, 'y')",
    );
    await migrate(pool, [label], { signal: AbortSignal.abort() });
    await database.query(`update fieldseal.chunk set leaf = 'public.other'`);
    const error = await refusal(() => migrate(pool, [label]));
    expect(error).to.include({ code: "ERR_MIGRATE_STATE", table: "t" });
    expect(await database.query("select label from other")).to.deep.equal([{ label: "y" }]);
    await database.query("drop table other");
  });
});
