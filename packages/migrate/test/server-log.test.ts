// What PostgreSQL writes into its log when it refuses a value: the row, unless somebody sees to it that it does not.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { skip } from "../../../test/support/skip.ts";
import { migrate, planMigration, type RunOptions } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const MARKER = "SECRETSSN";

describe("The server's log", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const ssn = column({ table: "t", column: "ssn", keyring, options: ACCEPT });
  let database: TestDatabase;
  let owner: string;

  before(async function () {
    database = await createTestDatabase({ settings: { log_min_duration_statement: "0" } });
    if (database.dataDirectory === undefined) skip(this, "the log of DATABASE_URL is out of sight");
    owner = `${database.name}_owner`;
    await database.query(
      `create role ${owner} login password 'x'; alter database ${database.name} owner to ${owner};
       alter schema public owner to ${owner}`,
    );
  });
  afterEach(async () => {
    await database.query(
      "drop schema if exists fieldseal cascade; drop table if exists t; drop function if exists tell()",
    );
  });
  after(async () => {
    await database.drop();
  });

  /** What was to be found in the log, if only a role that may do anything had asked. */
  const roles = ["a superuser", "an owner"] as const;

  async function withPool<T>(
    role: (typeof roles)[number],
    action: (pool: Pool) => Promise<T>,
  ): Promise<T> {
    const { host, port } = database.connection;
    const other = { host, port, database: database.name, user: owner, password: "x" };
    const pool = new Pool(role === "an owner" ? other : { connectionString: database.url });
    try {
      return await action(pool);
    } finally {
      await pool.end();
    }
  }

  async function create(sql: string): Promise<void> {
    await database.query(sql);
    await database.query(`alter table t owner to ${owner}`);
  }

  /** Of what was logged since `start`: the test's own statements come before. */
  async function leaks(start: number): Promise<string[]> {
    const log = (await database.completeServerLog()).slice(start);
    expect(log, "the log is read").to.include("duration:");
    return log.split("\n").filter((line) => line.includes(MARKER));
  }

  const tell = `create function tell() returns trigger language plpgsql as $$ begin
    raise warning 'row %', new; raise exception 'not this one: %', new; end $$;
    create trigger tell before update on t for each row execute function tell()`;
  const down: RunOptions = { direction: "decrypt" };
  const intoPlain: RunOptions = { ...down, sources: { "t.ssn": "plain" } };
  const cases: Readonly<
    Record<
      string,
      { readonly table: string; readonly sealed: boolean; readonly options: RunOptions }
    >
  > = {
    "a CHECK constraint that refuses ciphertext, over a plain column": {
      table:
        "create table t (id int primary key, plain varchar, ssn text check (length(ssn) < 20))",
      sealed: false,
      options: { sources: { "t.ssn": "plain" } },
    },
    "a CHECK constraint in place, beside another column": {
      table: "create table t (id int primary key, plain text, ssn text check (ssn !~ '^9V6h'))",
      sealed: false,
      options: {},
    },
    "an integer column that cannot hold what was encrypted": {
      table: "create table t (id int primary key, plain int, ssn text)",
      sealed: true,
      options: intoPlain,
    },
    "a column that is too short": {
      table: "create table t (id int primary key, plain varchar(3), ssn text)",
      sealed: true,
      options: intoPlain,
    },
    "a unique constraint": {
      table: "create table t (id int primary key, plain text, ssn text unique)",
      sealed: true,
      options: down,
    },
    "a unique constraint that is deferred to the end of the transaction": {
      table:
        "create table t (id int primary key, plain text, ssn text unique deferrable initially deferred)",
      sealed: true,
      options: down,
    },
    "a trigger that says what it refuses": {
      table: `create table t (id int primary key, plain text, ssn text); ${tell}`,
      sealed: true,
      options: down,
    },
  };

  for (const role of roles) {
    for (const [what, { table, sealed, options }] of Object.entries(cases)) {
      it(`holds no value when ${role} meets ${what}`, async () => {
        await create(table);
        for (const id of [1, 2]) {
          const value = sealed ? ssn.cipher.seal(MARKER) : MARKER;
          const name = !sealed && options.sources ? "plain" : "ssn";
          await database.query(`insert into t (id, ${name}) values ($1, $2)`, [id, value]);
        }
        const start = (await database.completeServerLog()).length;
        const outcome = await withPool(role, async (pool) => {
          await planMigration(pool, [ssn], { ...options, trial: true });
          return migrate(pool, [ssn], { ...options, maxPoisonRows: 0 }).catch(
            (error: unknown) => error,
          );
        });
        expect(outcome, "something was refused").to.have.property("code");
        expect(outcome)
          .to.have.property("code")
          .that.is.oneOf(["ERR_MIGRATE_DATABASE", "ERR_MIGRATE_POISON"]);
        const lines = await leaks(start);
        // A role that may not set it cannot keep a server from logging parameters, of which the plan speaks, nor the
        // application's own triggers from warning.
        const ofErrors = lines.filter((line) => !/parameters: |WARNING: /i.test(line));
        expect(ofErrors).to.deep.equal([]);
        if (role === "a superuser") expect(lines).to.deep.equal([]);
      });
    }
  }

  it("is spoken of by the plan where this role cannot keep values out of it", async () => {
    await create("create table t (id int primary key, ssn text)");
    const kinds = async (options: RunOptions): Promise<(string | undefined)[]> => {
      const plan = await withPool("an owner", (pool) => planMigration(pool, [ssn], options));
      return plan.findings.filter(({ kind }) => kind === "server-log").map(({ fix }) => fix);
    };
    expect(await kinds({})).to.deep.equal([]);
    const [parameters, ...others] = await kinds(down);
    expect(parameters).to.include("log_parameter_max_length");
    expect(others).to.deep.equal([]);
    await database.query(`revoke temporary on database ${database.name} from public, ${owner}`);
    try {
      const [temporary] = await kinds({});
      expect(temporary).to.match(/GRANT TEMPORARY ON DATABASE/);
      await database.query("insert into t values (1, 'x')");
      const [report] = await withPool("an owner", (pool) => migrate(pool, [ssn]));
      expect(report).to.include({ state: "done", rowsWritten: 1 });
      await database.query(`grant set on parameter log_min_messages to ${owner}`);
      expect(await kinds({})).to.deep.equal([]);
    } finally {
      await database.query(`grant temporary on database ${database.name} to public, ${owner}`);
      await database.query(`revoke set on parameter log_min_messages from ${owner}`);
    }
    const plan = await withPool("a superuser", (pool) => planMigration(pool, [ssn], down));
    expect(plan.findings.map(({ kind }) => kind)).not.to.include("server-log");
  });
});
