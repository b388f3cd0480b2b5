// Processes that are killed while the application writes: afterwards the last acknowledged write of every row is the
// value that is read, and nothing is encrypted twice.
import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, verifyColumns } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const ROWS = 6000;
const KILLS = 8;

describe("Killed workers beside a writing application", function () {
  this.timeout(60_000);
  const key = generateRootKey();
  const keyring = Keyring.fromKey(key);
  const columns = ["a", "b"].map((name) =>
    column({ table: "t", column: name, keyring, options: ACCEPT }),
  );
  const [a] = columns;
  let database: TestDatabase;
  const children = new Set<ChildProcess>();

  before(async () => {
    database = await createTestDatabase();
    await database.query("create table t (id int primary key, a text, b text)");
    await database.query(
      "insert into t select i, 'first ' || i, 'b' || i from generate_series(1, $1) i",
      [ROWS],
    );
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await database.drop();
  });

  function startWorker(): ChildProcess {
    const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
    const child = spawn(
      process.execPath,
      ["--conditions=@fieldseal/source", worker, database.url, key],
      {
        stdio: "ignore",
      },
    );
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
  }

  /** Writes plaintext and envelopes, inserts and deletes, until told to stop; returns what was acknowledged. */
  async function application(
    seed: number,
    signal: AbortSignal,
  ): Promise<Map<number, string | undefined>> {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const last = new Map<number, string | undefined>();
    for (let i = 0; !signal.aborted; i++) {
      // Each writer has ids of its own, so that the last write is known.
      const id = 1 + seed + 3 * Math.floor(Math.random() * (ROWS / 3 - 1));
      const value = `written ${seed} ${i}`;
      const kind = Math.random();
      if (kind < 0.1) {
        await client.query("delete from t where id = $1", [id]);
        last.set(id, undefined);
        continue;
      }
      const stored = kind < 0.5 ? value : a!.cipher.seal(value);
      await client.query(
        "insert into t values ($1, $2, 'b') on conflict (id) do update set a = excluded.a",
        [id, stored],
      );
      last.set(id, value);
      await sleep(Math.random() * 3);
    }
    await client.end();
    return last;
  }

  it("loses no write, encrypts nothing twice, and ends with every value encrypted", async () => {
    const controller = new AbortController();
    const writers = [0, 1, 2].map((seed) => application(seed, controller.signal));
    for (let kill = 0; kill < KILLS; kill++) {
      const pair = [startWorker(), startWorker()];
      await sleep(350 + Math.random() * 500);
      for (const child of pair) child.kill("SIGKILL");
    }
    controller.abort();
    const acknowledged = await Promise.all(writers);

    const pool = new Pool({ connectionString: database.url });
    await sleep(800); // leases of the dead end
    const [report] = await migrate(pool, columns, { batchRows: 100, chunks: 20, leaseMs: 700 });
    expect(report).to.include({ state: "done", poisonRows: 0 });
    const rows = new Map(
      (await database.query("select id, a from t")).map(({ id, a: stored }) => [
        id as number,
        stored as string,
      ]),
    );
    for (const [id, value] of acknowledged.flatMap((one) => [...one])) {
      const stored = rows.get(id);
      expect(stored === undefined ? undefined : a!.cipher.open(stored), `row ${id}`).to.equal(
        value,
      );
    }
    for (const finding of await verifyColumns(pool, columns)) {
      expect(finding).to.include({ plaintext: 0, unreadableRows: 0, isStrict: true });
    }
    const [deep] = await database.query(
      "select count(*)::int as n from t where a not like '9V6h%'",
    );
    expect(deep!.n).to.equal(0);
    const [again] = await migrate(pool, columns);
    expect(again!.rowsWritten).to.equal(0);
    await pool.end();
  });
});
