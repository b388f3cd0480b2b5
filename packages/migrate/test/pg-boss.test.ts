// Several machines, as far as PostgreSQL can tell: workers of pg-boss in processes of their own, one of them killed.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { cancelRun, listRuns, pauseRun, resumeRun, verifyColumns } from "../src/index.ts";
import { enqueueMigration, workMigration } from "../src/pg-boss.ts";
import { ACCEPT, column } from "./columns.ts";

const ROWS = 12_000;
const QUEUE = "fieldseal-migrate";

describe("pg-boss", function () {
  this.timeout(60_000);
  const key = generateRootKey();
  const keyring = Keyring.fromKey(key);
  const columns = ["a", "b"].map((name) =>
    column({ table: "t", column: name, keyring, options: ACCEPT }),
  );
  let database: TestDatabase;
  let pool: Pool;
  let boss: PgBoss;
  const children = new Set<ChildProcess>();

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
  });
  beforeEach(async () => {
    await database.query(
      "drop schema if exists fieldseal cascade; drop schema if exists pgboss cascade",
    );
    await database.query("drop table if exists t");
    await database.query("create table t (id int primary key, a text, b text)");
    await database.query(
      "insert into t select i, 'a' || i, 'b' || i from generate_series(1, $1) i",
      [ROWS],
    );
    boss = new PgBoss({
      connectionString: database.url,
      superviseIntervalSeconds: 1,
      monitorIntervalSeconds: 1,
      max: 3,
    });
    boss.on("error", () => {});
    await boss.start();
  });
  afterEach(() => boss.stop({ graceful: false }));
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await pool.end();
    await database.drop();
  });

  function startWorker(): ChildProcess {
    const script = fileURLToPath(new URL("support/pg-boss-child.ts", import.meta.url));
    const child = fork(script, [database.url, key], {
      execArgv: ["--conditions=@fieldseal/source"],
      stdio: "ignore",
    });
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  }

  async function until(isTrue: () => Promise<boolean>): Promise<void> {
    while (!(await isTrue())) await sleep(50);
  }

  const written = async (): Promise<number> => (await listRuns(pool))[0]?.rowsWritten ?? 0;
  const openJobs = async (): Promise<number> => {
    const [row] = await database.query<{ n: number }>(
      "select count(*)::int as n from pgboss.job where name = $1 and state < 'completed'",
      [QUEUE],
    );
    return row!.n;
  };

  async function expectMigrated(): Promise<void> {
    const rows = await database.query<Record<"a" | "b", string> & { id: number }>(
      "select * from t",
    );
    expect(rows).to.have.length(ROWS);
    for (const name of ["a", "b"] as const) {
      const { cipher } = column({ table: "t", column: name, keyring });
      const values = cipher.openMany(rows.map((row) => row[name]));
      expect(values).to.deep.equal(rows.map(({ id }) => `${name}${id}`));
    }
    for (const finding of await verifyColumns(pool, columns)) {
      expect(finding).to.include({ isStrict: true, unreadableRows: 0 });
    }
  }

  it("shares a migration among processes, takes over what a killed one left, and writes every row once", async () => {
    const workers = [startWorker(), startWorker(), startWorker()];
    const slices = workers.map(() => 0);
    workers.forEach((worker, i) => worker.on("message", () => slices[i]!++));
    await enqueueMigration(boss, { campaign: "first", lanes: 4 });
    await enqueueMigration(boss, { campaign: "first", lanes: 4 }); // adds nothing
    expect(await openJobs()).to.equal(4);
    await until(async () => (await written()) > 1000);
    const [victim] = workers;
    const ended = once(victim!, "exit");
    victim!.kill("SIGKILL");
    await ended;
    expect(await written(), "killed in the middle").to.be.lessThan(ROWS);
    const [abandoned] = await database.query<{ n: number }>(
      "select count(*)::int as n from pgboss.job where name = $1 and state = 'active'",
      [QUEUE],
    );
    await until(async () => (await listRuns(pool))[0]?.state === "done");
    await until(async () => (await openJobs()) === 0);
    expect(abandoned!.n).to.be.greaterThan(0);
    expect(Math.min(...slices.slice(1)), "slices of each survivor").to.be.greaterThan(0);
    const runs = await listRuns(pool);
    expect(runs, "one run for all").to.have.length(1);
    expect(runs[0]).to.include({ rowsWritten: ROWS, conflicts: 0, rowsSkipped: 0, poisonRows: 0 });
    await expectMigrated();
    const jobs = await database.query<{ state: string; output: object | null; retries: number }>(
      "select state, output, retry_count as retries from pgboss.job where name = $1",
      [QUEUE],
    );
    expect(jobs.length, "slices of each lane").to.be.greaterThan(8);
    expect(new Set(jobs.map(({ state }) => state))).to.deep.equal(new Set(["completed"]));
    expect(JSON.stringify(jobs)).to.not.match(/9V6h|"a\d/);
    // The same campaign again costs a look.
    await enqueueMigration(boss, { campaign: "first", lanes: 2 });
    await until(async () => (await openJobs()) === 0);
    expect(await listRuns(pool)).to.have.length(1);
    for (const worker of workers.slice(1)) worker.send("stop");
    await Promise.all(workers.slice(1).map((worker) => once(worker, "exit")));
  });

  it("rests while a run is paused, and ends when it is cancelled", async () => {
    const states: (string | undefined)[] = [];
    await workMigration(boss, {
      pool,
      columns,
      sliceMs: 200,
      batchRows: 50,
      maxRowsPerSecond: 1000,
      localConcurrency: 1,
      onSlice: ({ reports }) => states.push(reports.at(-1)?.state),
    });
    await enqueueMigration(boss, { campaign: "second", lanes: 1 });
    await until(async () => (await written()) > 0);
    const [run] = await listRuns(pool);
    await pauseRun(pool, run!.runId);
    await until(async () => states.includes("paused"));
    const [waiting] = await database.query<{ n: number }>(
      "select count(*)::int as n from pgboss.job where name = $1 and state = 'created' and start_after > now() + interval '5 s'",
      [QUEUE],
    );
    expect(waiting!.n).to.equal(1);
    await resumeRun(pool, run!.runId);
    await cancelRun(pool, run!.runId);
    await database.query("update pgboss.job set start_after = now() where name = $1", [QUEUE]);
    await until(async () => (await openJobs()) === 0);
    expect(states.at(-1)).to.equal("cancelled");
    expect(await written()).to.be.lessThan(ROWS);
  });
});
