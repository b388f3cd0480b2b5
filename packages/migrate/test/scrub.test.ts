// What is left of plaintext, looked for in the files and statistics of a real server.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { generateRootKey, Keyring, type MigrationError } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { skip } from "../../../test/support/skip.ts";
import { dropSources, migrate, scrubColumns, type ScrubReport } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const SECRET = "Plainly-Secret";

describe("scrubColumns", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const name = column({ table: "people", column: "name", keyring, options: ACCEPT });
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    pool.on("error", () => {});
  });
  beforeEach(async () => {
    await database.query("create table people (id int primary key, name text, age int)");
    await database.query(
      `insert into people select i, '${SECRET}-' || i % 50, i from generate_series(1, 2000) i`,
    );
    await database.query("analyze people");
    await migrate(pool, [name]);
  });
  afterEach(() => database.query("drop table people; drop schema if exists fieldseal cascade"));
  after(async () => {
    await pool.end();
    await database.drop();
  });

  /** How often the secret stands in the table's file. */
  async function countInFile(context: Mocha.Context): Promise<number> {
    if (database.dataDirectory === undefined) skip(context, "the server's files are out of reach");
    await database.query("checkpoint");
    const [row] = await database.query("select pg_relation_filepath('people') as path");
    const file = await readFile(join(database.dataDirectory, row!.path as string), "latin1");
    return file.split(SECRET).length - 1;
  }

  const countInStatistics = async (): Promise<number> => {
    const [row] = await database.query(
      "select count(*)::int as n from pg_stats where tablename = 'people' and most_common_vals::text like $1",
      [`%${SECRET}%`],
    );
    return row!.n as number;
  };

  const stateOf = ({ tables, remnants }: ScrubReport): Record<string, string> =>
    Object.fromEntries(
      [...remnants, ...tables.flatMap((table) => table.remnants)].map(({ kind, state }) => [
        kind,
        state,
      ]),
    );

  it("takes plaintext out of the statistics, and says what VACUUM leaves in the files", async function () {
    expect(await countInStatistics(), "before").to.equal(1);
    const report = await scrubColumns(pool, [name]);
    expect(await countInStatistics()).to.equal(0);
    expect(report.tables[0]).to.deep.include({
      table: "people",
      columns: ["name"],
      steps: ["vacuum", "analyze", "statistics"],
    });
    expect(stateOf(report)).to.include({
      "dead-rows": "remains",
      statistics: "removed",
      wal: "remains",
      backup: "unknown",
      log: "unknown",
    });
    const deadRows = report.tables[0]!.remnants.find(({ kind }) => kind === "dead-rows");
    expect(deadRows!.fix).to.match(/VACUUM FULL public\.people/);
    expect(await countInFile(this), "the report is right").to.be.greaterThan(0);
    expect(JSON.stringify(report)).not.to.include(SECRET);
  });

  it("leaves nothing in the table's files when told to write it anew", async function () {
    expect(await countInFile(this), "before").to.be.greaterThan(1000);
    const steps: string[] = [];
    const report = await scrubColumns(pool, [name], {
      rewrite: true,
      onStep: ({ step }) => steps.push(step),
    });
    expect(steps).to.deep.equal(["rewrite", "analyze", "statistics", "wal"]);
    expect(stateOf(report)).to.include({ "dead-rows": "removed" });
    expect(await countInFile(this)).to.equal(0);
  });

  it("knows that dropped columns stay in the rows", async function () {
    await database.query("alter table people add column name_sealed text");
    const sealed = column({ table: "people", column: "name_sealed", keyring });
    const sources = { "people.name_sealed": "name" };
    await migrate(pool, [name], { direction: "decrypt" });
    await migrate(pool, [sealed], { sources });
    await dropSources(pool, [sealed], sources);
    expect(stateOf(await scrubColumns(pool, [sealed]))).to.include({
      "dropped-columns": "remains",
    });
    expect(await countInFile(this)).to.be.greaterThan(0);
    expect(stateOf(await scrubColumns(pool, [sealed], { rewrite: true }))).to.include({
      "dropped-columns": "removed",
    });
    expect(await countInFile(this)).to.equal(0);
  });

  it("reports statistics that still show plaintext, and what a role may not do", async () => {
    await migrate(pool, [name], { direction: "decrypt" });
    await database.query("analyze people");
    await database.query(
      "drop role if exists scrub_reader; create role scrub_reader login password 'x'",
    );
    await database.query("grant select on people to scrub_reader");
    const url = new URL(database.url);
    [url.username, url.password] = ["scrub_reader", "x"];
    const reader = new Pool({ connectionString: url.href });
    const report = await scrubColumns(reader, [name]);
    await reader.end();
    expect(report.tables[0]!.steps).to.deep.equal([]);
    expect(stateOf(report)).to.include({ statistics: "remains", wal: "remains" });
    expect(report.remnants.find(({ kind }) => kind === "wal")!.fix).to.match(/superuser/);
    await database.query("revoke all on people from scrub_reader; drop role scrub_reader");
  });

  it("waits a moment only for a table that is in use", async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query("begin; select 1 from people limit 1");
    const error = await scrubColumns(pool, [name], {
      rewrite: true,
      lockTimeoutMs: 20,
      lockAttempts: 2,
    }).then(
      () => undefined,
      (reason: MigrationError) => reason,
    );
    await client.end();
    expect(error).to.include({ code: "ERR_MIGRATE_BUSY", table: "people" });
  });
});
