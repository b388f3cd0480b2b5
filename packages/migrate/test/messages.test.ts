// What the engine says when something is missing, in the way, or to be waited for: the reason, and what to do.
import { generateRootKey, Keyring, type MigrationError } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import {
  cancelRun,
  finalizeColumns,
  migrate,
  pauseRun,
  planMigration,
  verifyColumns,
  type Finding,
  type Progress,
} from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("The messages of the engine", function () {
  this.timeout(30_000);
  let database: TestDatabase;
  let pool: Pool;
  const keyring = Keyring.fromKey(generateRootKey());
  const email = column({ table: "people", column: "email", keyring, options: ACCEPT });

  before(async () => {
    database = await createTestDatabase();
    // Catalogs are read in another order by a hash join, which the server prefers once they have grown.
    const options = "-c enable_nestloop=off -c enable_mergejoin=off";
    pool = new Pool({ connectionString: database.url, max: 4, options });
    pool.on("error", () => {}); // connections that are closing when the database is dropped
  });
  beforeEach(async () => {
    await database.query("create table people (id bigint primary key, email text, note text)");
    await database.query("insert into people select i, 'p' || i from generate_series(1, 2000) i");
  });
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade");
    await database.query("drop schema if exists other cascade");
    await database.query("drop table people cascade");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function refusal(action: Promise<unknown>): Promise<string> {
    return action.then(
      () => expect.fail("was accepted"),
      (error: MigrationError) => error.message,
    );
  }

  async function refusals(
    columns: Parameters<typeof planMigration>[1],
    options?: Parameters<typeof planMigration>[2],
  ): Promise<Finding[]> {
    const { findings, tables } = await planMigration(pool, columns, options);
    return [...findings, ...tables.flatMap((table) => table.findings)].filter(
      ({ severity }) => severity === "refusal",
    );
  }

  describe("for a column that is missing", () => {
    const wrong = column({ table: "people", column: "emial", keyring, options: ACCEPT });
    const there = 'only "id", "email", "note"';

    it("name those that there are, and both fixes", async () => {
      const fix =
        'Correct the name in people.emial, or: ALTER TABLE "people" ADD COLUMN "emial" text.';
      for (const action of [migrate, verifyColumns]) {
        const message = await refusal(action(pool, [wrong]));
        expect(message).to.include(`it has no column "emial", ${there}. ${fix}`);
      }
      expect(await refusal(finalizeColumns(pool, [wrong]))).to.include(
        'which people.emial names; it has "id", "email", "note". Correct the name there, or: ALTER',
      );
      const [found] = await refusals([wrong]);
      expect(found!.message).to.include('it has "id", "email", "note"');
      expect(found!.fix).to.include("Correct the name in people.emial, or: ALTER TABLE");
    });

    it("say where it is named: as a primary key, or as a source", async () => {
      const keyed = column({ table: "people", column: "email", keyring, primaryKey: ["uid"] });
      expect(await refusal(migrate(pool, [keyed]))).to.include(
        `it has no column "uid", ${there}. Correct the primary key that the model declares.`,
      );
      const sources = { "people.email": "gone" };
      expect(await refusal(migrate(pool, [email], { sources }))).to.include(
        `it has no column "gone", ${there}. Correct "people.email" in the option sources.`,
      );
    });

    it("do not list hundreds", async () => {
      const names = Array.from({ length: 30 }, (_, i) => `add c${i} int`);
      await database.query(`alter table people ${names.join(", ")}`);
      expect(await refusal(migrate(pool, [wrong]))).to.include('"c16" and 13 more. Correct');
    });
  });

  it("for a table that is missing name the schema that has it", async () => {
    const gone = column({ table: "persons", column: "email", keyring, options: ACCEPT });
    expect(await refusal(migrate(pool, [gone]))).to.include(
      "Correct the table's name in the model",
    );
    await database.query('create schema other; create table other."Persons" (id int)');
    const fix = 'There is "other"."Persons": correct schema and name in the model';
    for (const action of [migrate, verifyColumns, finalizeColumns]) {
      expect(await refusal(action(pool, [gone]))).to.include(fix);
    }
    expect(await refusals([gone])).to.have.nested.property("[0].fix", fix);
  });

  it("for a table whose schema is closed to the role name the grant", async () => {
    await database.query("create schema other; create table other.people (id int, email text)");
    const role = `narrow_${process.pid}`;
    await database.query(`create role ${role} login password 'narrow'`);
    const url = new URL(database.url);
    [url.username, url.password] = [role, "narrow"];
    const narrow = new Pool({ connectionString: url.href });
    try {
      const closed = column({ schema: "other", table: "people", column: "email", keyring });
      const fix = `GRANT USAGE ON SCHEMA "other" TO ${role}`;
      expect(await refusal(verifyColumns(narrow, [closed]))).to.include(fix);
      const { tables } = await planMigration(narrow, [closed]);
      expect(tables[0]!.findings).to.have.nested.property("[0].fix", fix);
    } finally {
      await narrow.end();
      await database.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it("for a read-only database name the setting", async () => {
    await migrate(pool, [email]);
    const url = `${database.url}?options=-c%20default_transaction_read_only%3Don`;
    const reader = new Pool({ connectionString: url });
    try {
      const message = await refusal(finalizeColumns(reader, [email]));
      expect(message).to.include("25006: the database is read-only. Use the primary server");
    } finally {
      await reader.end();
    }
  });

  it("for a run that cannot be paused name its state, and for another one how to cancel it", async () => {
    const [report] = await migrate(pool, [email]);
    expect(await refusal(pauseRun(pool, report!.runId))).to.equal(
      `Run ${report!.runId} is done; only one that is running can become paused.`,
    );
    expect(await refusal(cancelRun(pool, "99"))).to.equal("There is no run 99.");
    const controller = new AbortController();
    controller.abort();
    const options = { direction: "decrypt", signal: controller.signal } as const;
    const [paused] = await migrate(pool, [email], options);
    expect(await refusal(migrate(pool, [email]))).to.include(
      `"fieldseal migrate cancel ${paused!.runId}"`,
    );
  });

  it("never tell more rows seen than there are, though more come while a run is paused", async () => {
    const controller = new AbortController();
    const options = { batchRows: 200, chunks: 4, workers: 1, progressMs: 0 };
    const told: Progress[] = [];
    await migrate(pool, [email], {
      ...options,
      signal: controller.signal,
      onProgress: (progress) => progress.rowsSeen > 0 && controller.abort(),
    });
    await database.query(
      "insert into people select i, 'p' || i from generate_series(2001, 5000) i",
    );
    await migrate(pool, [email], { ...options, onProgress: (progress) => told.push(progress) });
    expect(told.filter(({ rowsSeen, rowsTotal }) => rowsSeen > rowsTotal)).to.deep.equal([]);
    const second = told.find(({ pass }) => pass === 1)!;
    expect(second).to.include({ rowsTotal: 5000 });
    expect(told.at(-1)).to.include({ rowsSeen: 5000, rowsTotal: 5000 });
  });

  it("for the way back from a finalized column name what takes its guards away", async () => {
    await migrate(pool, [email]);
    await finalizeColumns(pool, [email]);
    const message = await refusal(migrate(pool, [email], { direction: "decrypt" }));
    expect(message).to.include('"fieldseal migrate finalize --undo"').and.not.include("Drop it");
    const begun = await database.query("select 1 from fieldseal.run where direction = 'decrypt'");
    expect(begun, "no run is left to be cancelled").to.deep.equal([]);
    await database.query("alter table people drop constraint people_email_encrypted");
    expect(await refusals([email], { direction: "decrypt" })).to.deep.equal([
      {
        severity: "refusal",
        kind: "trigger",
        column: "email",
        message: 'The fence of "fieldseal migrate finalize" refuses plaintext of "email".',
        fix: "fieldseal migrate finalize --undo",
      },
    ]);
    expect(await refusals([email])).to.deep.equal([]);
  });

  it("after a worker was killed say that its lease is waited for, and how long at most", async () => {
    const controller = new AbortController();
    const options = { batchRows: 200, chunks: 4, workers: 1, progressMs: 0 };
    const { signal } = controller;
    const onFirst = ({ rowsSeen }: Progress): unknown => rowsSeen > 0 && controller.abort();
    await migrate(pool, [email], { ...options, signal, onProgress: onFirst });
    // As a process leaves it that was killed in the middle of the first chunk.
    await database.query(
      `update fieldseal.chunk set owner = gen_random_uuid(), lease_until = clock_timestamp() + interval '1.5 s'
       where number = (select min(number) from fieldseal.chunk where finished_at is null)`,
    );
    const told: Progress[] = [];
    const [report] = await migrate(pool, [email], {
      ...options,
      onProgress: (progress) => told.push(progress),
    });
    expect(report).to.deep.include({ state: "done" }).and.not.have.property("waitingFor");
    const waits = told.filter(({ waitingFor }) => waitingFor !== undefined);
    expect(waits).to.have.length.above(0);
    for (const { waitingFor, waitingSeconds, chunksLeft } of waits) {
      expect(waitingFor).to.equal("lease of another process");
      expect(waitingSeconds).to.be.within(0, 2);
      expect(chunksLeft).to.equal(1);
    }
    expect(told.at(-1)).not.to.have.property("waitingFor");
  });

  it("do not call it waiting while a worker of the same process is at work", async () => {
    const told: Progress[] = [];
    await migrate(pool, [email], {
      batchRows: 50,
      chunks: 3,
      workers: 2,
      progressMs: 0,
      maxRowsPerSecond: 4000,
      onProgress: (progress) => told.push(progress),
    });
    expect(told.filter(({ waitingFor }) => waitingFor !== undefined)).to.deep.equal([]);
  });
});
