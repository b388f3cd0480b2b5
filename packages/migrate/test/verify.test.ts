import {
  generateRootKey,
  Keyring,
  type EncryptedColumn,
  type MigrationError,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { cancelRun, listRuns, migrate, pauseRun, verifyColumns } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("verifyColumns and the control of runs", () => {
  let database: TestDatabase;
  let pool: Pool;
  const oldKey = generateRootKey();
  const keyring = Keyring.fromKey(generateRootKey(), { previous: [oldKey] });
  const index = { blindIndex: { column: "a_index" } } as const;
  const accepting = column({ table: "t", column: "a", keyring, options: { ...ACCEPT, ...index } });

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    pool.on("error", () => {}); // connections that are closing when the database is dropped
    await database.query("create table t (id int primary key, a text, a_index text, b text)");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  it("knows no runs before the first", async () => {
    expect(await listRuns(pool)).to.deep.equal([]);
  });

  it("counts what a column holds, by key, and names what cannot be read", async () => {
    const old = column({ table: "t", column: "a", keyring: Keyring.fromKey(oldKey) });
    const stranger = column({
      table: "t",
      column: "a",
      keyring: Keyring.fromKey(generateRootKey()),
    });
    const elsewhere = column({ table: "t", column: "b", keyring });
    const { cipher } = accepting;
    const rows: [unknown, unknown][] = [
      [cipher.seal("one"), cipher.indexToken("one")],
      [old.cipher.seal("two"), cipher.indexToken("two")],
      ["plain", cipher.indexToken("plain")],
      [null, null],
      [stranger.cipher.seal("x"), null],
      [elsewhere.cipher.seal("moved"), null],
      [cipher.seal("drift"), cipher.indexToken("another")],
    ];
    for (const [i, row] of rows.entries()) {
      await database.query("insert into t (id, a, a_index) values ($1, $2, $3)", [i, ...row]);
    }
    const [finding] = await verifyColumns(pool, [accepting], { batchRows: 2 });
    expect(finding).to.deep.include({
      rows: 7,
      nulls: 1,
      plaintext: 1,
      legacy: 0,
      indexDrift: 1,
      unreadableRows: 2,
      isStrict: false,
      byKey: { [keyring.primary.id]: 2, [keyring.keys[1]!.id]: 1 },
    });
    expect(finding!.unreadable).to.deep.equal([
      {
        primaryKey: { id: "4" },
        column: "a",
        code: "ERR_KEY_UNKNOWN",
        keyId: stranger.cipher.primaryKeyId,
      },
      { primaryKey: { id: "5" }, column: "a", code: "ERR_DECRYPT_FAILED" },
    ]);
    expect(finding!.found).to.deep.equal([
      { kind: "plaintext", primaryKey: { id: "2" } },
      { kind: "index-drift", primaryKey: { id: "6" } },
    ]);
    const [known] = await verifyColumns(pool, [accepting, elsewhere]);
    expect(known).to.include({ unreadableRows: 2, movedRows: 1 });
    expect(known!.unreadable[1]).to.include({ movedFrom: "t.b" });
    expect(known!.unreadable[0]).not.to.have.property("movedFrom");
    await database.query("delete from t where id in (4, 5)");
    await migrate(pool, [accepting]);
    const [after] = await verifyColumns(pool, [accepting]);
    expect(after).to.deep.include({ plaintext: 0, indexDrift: 0, isStrict: true });
  });

  it("reads columns of limited width, which a run would refuse to write", async () => {
    await database.query("create table v (id int primary key, a varchar(300))");
    const limited = column({ table: "v", column: "a", keyring });
    await database.query("insert into v values (1, $1)", [limited.cipher.seal("x")]);
    const [finding] = await verifyColumns(pool, [limited]);
    expect(finding).to.include({ rows: 1, isStrict: true });
    const error = await migrate(pool, [limited]).catch((reason: MigrationError) => reason);
    expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
  });

  it("counts values that show their length where the column is padded, as a run would write them", async () => {
    await database.query("create table p (id int primary key, a text)");
    const [bare, padded] = [{}, { pad: 64 }].map((options) =>
      column({ table: "p", column: "a", keyring, options }),
    ) as [EncryptedColumn, EncryptedColumn];
    await database.query("insert into p values (1, $1)", [bare.cipher.seal("x")]);
    const [finding] = await verifyColumns(pool, [padded]);
    expect(finding).to.deep.include({ otherForm: 1, isStrict: false });
    expect(finding!.found).to.deep.equal([{ kind: "other-form", primaryKey: { id: "1" } }]);
    expect((await migrate(pool, [padded]))[0]).to.include({ state: "done", rowsWritten: 1 });
    expect((await verifyColumns(pool, [padded]))[0]).to.include({ otherForm: 0, isStrict: true });
  });

  it("pauses a run from elsewhere, and cancels it for good", async () => {
    await database.query("insert into t select i, 'v' || i from generate_series(1000, 3000) i");
    let runId = "";
    const [paused] = await migrate(pool, [accepting], {
      batchRows: 100,
      progressMs: 0,
      onProgress: (progress) => {
        runId = progress.runId;
        if (progress.rowsSeen > 300) void pauseRun(pool, runId).catch(() => {});
      },
    });
    expect(paused!.state).to.equal("paused");
    expect((await listRuns(pool))[0]).to.include({ runId, state: "paused" });
    await cancelRun(pool, runId);
    const error = await pauseRun(pool, runId).then(
      () => undefined,
      (reason: MigrationError) => reason,
    );
    expect(error).to.include({ code: "ERR_MIGRATE_STATE", runId });
    const [next] = await migrate(pool, [accepting]);
    expect(next!.runId).not.to.equal(runId);
    expect(next!.state).to.equal("done");
  });

  it("begins no other table where somebody pauses a run, until it is asked to go on", async () => {
    await database.query("create table behind (id int primary key, a text)");
    await database.query("insert into behind values (1, 'plain')");
    await database.query("update t set a = 'v' || id, a_index = null");
    const behind = column({ table: "behind", column: "a", keyring, options: ACCEPT });
    let pausing: Promise<void> | undefined;
    const paused = await migrate(pool, [accepting, behind], {
      batchRows: 100,
      progressMs: 0,
      onProgress: ({ runId, rowsSeen }) => {
        if (rowsSeen > 300) pausing ??= pauseRun(pool, runId);
      },
    });
    await pausing;
    expect(paused.map(({ table, state }) => [table, state])).to.deep.equal([["t", "paused"]]);
    expect(await database.query("select a from behind")).to.deep.equal([{ a: "plain" }]);
    const resumed = await migrate(pool, [accepting, behind]);
    expect(resumed.map(({ table, state }) => [table, state])).to.deep.equal([
      ["t", "done"],
      ["behind", "done"],
    ]);
  });

  it("begins no other table where it is interrupted while another process works on the run", async () => {
    await database.query("create table beyond (id int primary key, a text)");
    await database.query("insert into beyond values (1, 'plain')");
    await database.query("update t set a = 'v' || id, a_index = null");
    const beyond = column({ table: "beyond", column: "a", keyring, options: ACCEPT });
    const controller = new AbortController();
    let leasing: Promise<unknown> | undefined;
    const reports = await migrate(pool, [accepting, beyond], {
      batchRows: 100,
      chunks: 4,
      workers: 1,
      progressMs: 0,
      signal: controller.signal,
      onProgress: ({ runId, rowsSeen }) => {
        if (rowsSeen <= 300 || leasing) return;
        leasing = leaseLastChunk(runId).finally(() => controller.abort());
      },
    });
    await leasing;
    expect(reports.map(({ table, state }) => [table, state])).to.deep.equal([["t", "running"]]);
    expect((await listRuns(pool))[0]).to.include({ runId: reports[0]!.runId });
    await cancelRun(pool, reports[0]!.runId);
  });

  /** As another process would have it. */
  async function leaseLastChunk(runId: string): Promise<void> {
    await database.query(
      `update fieldseal.chunk set owner = gen_random_uuid(), lease_until = clock_timestamp() + interval '30 s'
       where run_id = $1 and number = (select max(number) from fieldseal.chunk where run_id = $1)`,
      [runId],
    );
  }
});
