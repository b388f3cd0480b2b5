// What the engine spares the server: rates, waits, short statements, a table that does not grow.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool, type ClientConfig } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { BatchSize } from "../src/batch-size.ts";
import { Bucket } from "../src/pace.ts";
import { migrate, type Progress, type RunOptions } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("The pace of a run", function () {
  this.timeout(60_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
  });
  afterEach(() =>
    database.query("drop schema if exists fieldseal cascade; drop table if exists t"),
  );
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function fill(rows: number, bytes = 40): Promise<void> {
    await database.query(
      "create table t (id int primary key, label text) with (autovacuum_enabled = off)",
    );
    await database.query(
      "insert into t select i, rpad(md5(i::text), $2, md5((i + 1)::text)) from generate_series(1, $1) i",
      [rows, bytes],
    );
    await database.query("vacuum analyze t");
  }

  async function client(config: ClientConfig = {}): Promise<Client> {
    const one = new Client({ connectionString: database.url, ...config });
    one.on("error", () => {});
    await one.connect();
    return one;
  }

  it("keeps to rows a second, within a tenth", async () => {
    await fill(2400);
    const start = performance.now();
    let seconds = 0;
    await migrate(pool, [label], {
      batchRows: 40,
      maxRowsPerSecond: 800,
      progressMs: 0,
      onProgress: ({ rowsWritten }) => {
        if (rowsWritten === 2400 && seconds === 0) seconds = (performance.now() - start) / 1000;
      },
    });
    expect(2400 / seconds).to.be.within(560, 880);
  });

  it("catches up half a second that was lost, and no more", async () => {
    const bucket = new Bucket(1000);
    expect(bucket.take(100)).to.be.within(90, 100);
    await new Promise((wake) => setTimeout(wake, 300));
    expect(bucket.take(100), "200 ms are to spare").to.be.lessThan(0);
    await new Promise((wake) => setTimeout(wake, 1500));
    expect(bucket.take(1000)).to.be.within(450, 500);
  });

  it("keeps to bytes of write-ahead log a second", async () => {
    await fill(12_000, 600);
    const position = async (): Promise<number> => {
      const [row] = await database.query<{ bytes: string }>(
        "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes",
      );
      return Number(row!.bytes);
    };
    const limit = 6_000_000;
    const [before, start] = [await position(), performance.now()];
    await migrate(pool, [label], { batchRows: 100, maxWalBytesPerSecond: limit });
    const written = (await position()) - before;
    const rate = written / ((performance.now() - start) / 1000);
    expect(written, "enough to be limited").to.be.greaterThan(2 * limit);
    expect(rate).to.be.lessThan(1.2 * limit);
  });

  /** At a run that waits, so many until the reason is taken away: nothing may be written between them. */
  const LOOKS = 3;

  /** Starts a run that has to wait for a reason, takes the reason away, and sees the run end. */
  async function expectWait(
    reason: string,
    {
      options,
      relieve,
    }: { readonly options?: RunOptions; readonly relieve: () => Promise<unknown> },
  ): Promise<void> {
    const waits: Progress[] = [];
    let isRelieved = false;
    const [report] = await migrate(pool, [label], {
      batchRows: 20,
      progressMs: 0,
      ...options,
      onProgress: (progress) => {
        // Once relieved it may have to wait again: a replica follows, but not in step.
        if (progress.waitingFor === undefined || isRelieved) return;
        waits.push(progress);
        isRelieved = waits.length === LOOKS;
        if (isRelieved) void relieve();
      },
    });
    expect(report).to.include({ state: "done", rowsWritten: 400 });
    expect(waits.map(({ waitingFor }) => waitingFor)).to.deep.equal([reason, reason, reason]);
    const [first, last] = [waits[0]!, waits.at(-1)!];
    // A batch of each worker may have been under way.
    expect(last.rowsWritten - first.rowsWritten).to.be.lessThan(61);
  }

  it("waits while somebody holds an old snapshot", async () => {
    await fill(400);
    const reader = await client();
    await reader.query("begin isolation level repeatable read; select 1 from t");
    await new Promise((wake) => setTimeout(wake, 1100));
    await expectWait("old snapshot", {
      options: { maxSnapshotAgeSeconds: 1 },
      relieve: () => reader.query("commit"),
    });
    await reader.end();
  });

  it("waits while the application waits for a lock of the engine", async () => {
    await fill(400);
    await database.query(
      "create table if not exists elsewhere (n int); insert into elsewhere values (1)",
    );
    // A trigger of the application, say, has locked this row on behalf of the engine.
    const engine = await client({ application_name: "fieldseal" });
    const app = await client();
    await engine.query("begin; select * from elsewhere for update");
    const waiting = app.query("select * from elsewhere for update");
    await expectWait("lock waits", { relieve: () => engine.query("commit") });
    await waiting;
    await Promise.all([engine.end(), app.end()]);
  });

  it("waits while a replica is behind", async () => {
    await fill(400);
    const replica = await client({ replication: "true" } as ClientConfig);
    const { rows } = await replica.query<{ xlogpos: string }>("IDENTIFY_SYSTEM");
    const [high, low] = rows[0]!.xlogpos.split("/").map((part) => BigInt(`0x${part}`)) as [
      bigint,
      bigint,
    ];
    const { connection } = replica as unknown as {
      connection: NodeJS.EventEmitter & {
        query(sql: string): void;
        sendCopyFromChunk(chunk: Buffer): void;
      };
    };
    const streaming = new Promise((resolve) => connection.once("replicationStart", resolve));
    connection.query(`START_REPLICATION PHYSICAL ${rows[0]!.xlogpos}`);
    await streaming;
    const confirm = (position: bigint): void => {
      const status = Buffer.alloc(34);
      status.write("r");
      for (const offset of [1, 9, 17]) status.writeBigInt64BE(position, offset);
      connection.sendCopyFromChunk(status);
    };
    confirm((high << 32n) | low);
    const behind =
      "select 1 from pg_stat_replication where pg_current_wal_lsn() - replay_lsn > 10000";
    do {
      await database.query("insert into t select 1000 + i from generate_series(1, 200) i");
      await database.query("delete from t where id > 1000");
    } while ((await database.query(behind)).length === 0);
    await expectWait("replication lag", {
      options: { maxReplicationLagBytes: 10_000 },
      relieve: async () => {
        // It catches up, and keeps up.
        for (;;) {
          const done = await database.query<{ lsn: string }>(
            "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::text as lsn from pg_stat_replication",
          );
          if (done.length === 0) return;
          confirm(BigInt(done[0]!.lsn));
          await new Promise((wake) => setTimeout(wake, 20));
        }
      },
    });
    await replica.end();
  });

  it("tunes batches toward 100 ms, by a fifth at a time, between 50 and 1500 rows", () => {
    const after = (msPerRow: number, batches: number): number => {
      const size = new BatchSize(undefined);
      for (let i = 0; i < batches; i++) {
        const before = size.rows;
        size.observe(size.rows, size.rows * msPerRow);
        expect(size.rows).to.be.within(Math.floor(before * 0.79), Math.ceil(before * 1.21));
      }
      return size.rows;
    };
    expect(after(0.3, 30) * 0.3).to.be.within(95, 105);
    expect(after(0.5, 30) * 0.5).to.be.within(95, 105);
    expect(after(0.001, 30)).to.equal(1500);
    expect(after(50, 30)).to.equal(50);
    const fixed = new BatchSize(300);
    fixed.observe(300, 10_000);
    expect(fixed.rows).to.equal(300);
  });

  it("lets the table grow by a slice when it vacuums, not to double", async () => {
    const size = async (): Promise<number> => {
      const [row] = await database.query<{ bytes: string }>(
        "select pg_relation_size('t') as bytes",
      );
      return Number(row!.bytes);
    };
    await fill(50_000, 100);
    await migrate(pool, [label], { vacuum: true });
    const grown = await size();
    await database.query("vacuum full t");
    expect(grown / (await size())).to.be.lessThan(1.3);
  });

  it("never reads the whole table for a batch", async () => {
    await fill(4000);
    const scans = async (): Promise<number> => {
      const [row] = await database.query<{ n: string }>(
        "select seq_scan as n from pg_stat_user_tables where relname = 't'",
      );
      return Number(row!.n);
    };
    const before = await scans();
    await migrate(pool, [label], { batchRows: 40 });
    await new Promise((wake) => setTimeout(wake, 200)); // sessions report when they end
    expect((await scans()) - before, "of 200 batches in two passes").to.be.lessThan(4);
  });
});
