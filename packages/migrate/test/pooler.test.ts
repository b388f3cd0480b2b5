// Between the engine and PostgreSQL: a pooler that keeps sessions is fine, one that shares them between statements is refused.
import { generateRootKey, Keyring, type MigrationError } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { dropSources, migrate, planMigration, scrubColumns, verifyColumns } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("Through a pooler", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  let database: TestDatabase;
  let servers: Client[] = [];

  beforeEach(async () => {
    database = await createTestDatabase();
    await database.query(
      "create table t (id int primary key, label text, plain text); insert into t select i, 'secret ' || i from generate_series(1, 50) i",
    );
    servers = Array.from({ length: 3 }, () => new Client({ connectionString: database.url }));
    await Promise.all(servers.map((server) => server.connect()));
  });
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.end()));
    await database.drop();
  });

  /** Of PgBouncer what matters here: each statement outside of a transaction goes to the server that `next` names. */
  function poolOf(next: () => number): Pool {
    const query = (text: string, values: unknown[]): unknown =>
      servers[next()]!.query(text, values);
    const client = { query, on: () => {}, release: () => {} };
    const counts = { options: { max: 10 }, totalCount: 0, idleCount: 0 };
    return { ...counts, query, connect: async () => client } as unknown as Pool;
  }

  const inTurn = (count: number): (() => number) => {
    let turn = 0;
    return () => turn++ % count;
  };

  for (const [mode, next] of [
    ["the session that was free last", () => 0],
    ["sessions in turn, of two", inTurn(2)],
    ["sessions in turn, of three", inTurn(3)],
  ] as const) {
    it(`of transaction mode, with ${mode}: refused before a setting is made or a row is written`, async () => {
      const pool = poolOf(next);
      const sources = { "t.label": "plain" };
      for (const action of [
        () => migrate(pool, [label]),
        () => planMigration(pool, [label]),
        () => verifyColumns(pool, [label]),
        () => scrubColumns(pool, [label]),
        () => dropSources(pool, [label], sources),
      ]) {
        const error = await action().then(
          () => undefined,
          (reason: unknown) => reason as MigrationError,
        );
        expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
        expect(error!.message).to.match(
          /pooler in transaction mode.*Connect to PostgreSQL itself, or .*pool_mode = session/,
        );
      }
      for (const server of servers) {
        const { rows } = await server.query(
          `select current_setting('row_security') as rls, current_setting('statement_timeout') as timeout,
             to_regnamespace('fieldseal') as journal, (select count(*)::int from t where label like 'secret%') as plain`,
        );
        expect(rows).to.deep.equal([{ rls: "on", timeout: "0", journal: null, plain: 50 }]);
      }
    });
  }

  it("that keeps sessions works, and so does a pool with no room for a second look", async () => {
    const pool = new Pool({ connectionString: database.url, max: 2 });
    const busy = await pool.connect();
    const [before] = await verifyColumns(pool, [label]);
    expect(before).to.include({ plaintext: 50 });
    busy.release();
    const [report] = await migrate(pool, [label]);
    expect(report).to.include({ state: "done", rowsWritten: 50 });
    await pool.end();
  });

  it("a pool of one connection is refused: a run needs one that reads and one that writes", async () => {
    const pool = new Pool({ connectionString: database.url, max: 1 });
    const error = await migrate(pool, [label]).then(
      () => undefined,
      (reason: unknown) => reason as MigrationError,
    );
    await pool.end();
    expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
    expect(error!.message).to.match(/pool of at least 2 connections, and this one has max: 1/);
  });
});
