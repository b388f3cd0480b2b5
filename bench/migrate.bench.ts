// Rows a second of the engine, as a ratio to the bare `UPDATE t SET c = c || ''` of equal neighbouring tables in the same
// run, one measured just before and one just after; and the shapes of other libraries' migrators. The server writes to
// disk as in production (fsync), and has no autovacuum that would come between.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { generateRootKey } from "@fieldseal/crypto";
import { Client } from "pg";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable } from "./interleaved.ts";
import { describe, type Sample, type Task } from "./migrate-worker.ts";

const ROWS = Number(process.env.BENCH_ROWS ?? 200_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SLOW_ROWS = 2000;
const SLOW_BATCH = 500;

const database = await createTestDatabase({
  serverSettings: {
    fsync: "on",
    synchronous_commit: "on",
    max_wal_size: "16GB",
    checkpoint_timeout: "1h",
    shared_buffers: "512MB",
    autovacuum: "off",
  },
});
const client = new Client({ connectionString: database.url });
await client.connect();
await client.query(`CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.updated_at := now(); RETURN NEW; END$$`);
const key = generateRootKey();

/** Bytes that do not compress, as pictures do not; made once, because that takes longer than what is measured. */
await client.query(
  `CREATE TABLE original AS SELECT i::bigint AS id, 'user' || i || '@example.org' AS email, repeat(md5(i::text), 15) AS notes,
     (SELECT string_agg(sha256((i || '.' || k)::bytea), '') FROM generate_series(1, 64) k) AS photo, now() AS updated_at
   FROM generate_series(1, ${ROWS}) i`,
);

async function fill(table: string, rows: number): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${table}`);
  await client.query(`CREATE TABLE ${table} (LIKE original)`);
  await client.query(`INSERT INTO ${table} SELECT * FROM original WHERE id <= $1`, [rows]);
  await client.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
  await client.query(`CREATE INDEX ON ${table} (email); CREATE INDEX ON ${table} (updated_at)`);
  await client.query(
    `CREATE TRIGGER touch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch()`,
  );
  await client.query(`VACUUM ANALYZE ${table}`);
}

async function seconds(action: () => Promise<unknown>): Promise<number> {
  await client.query("CHECKPOINT");
  const start = performance.now();
  await action();
  return (performance.now() - start) / 1000;
}

interface Measured {
  /** Until the last row was written. */
  readonly writing: number;
  /** With the pass that proves that nothing is left. */
  readonly whole: number;
}

async function engine(columns: readonly string[], processes: number): Promise<Measured> {
  await client.query("DROP SCHEMA IF EXISTS fieldseal CASCADE");
  const script = fileURLToPath(new URL("migrate-worker.ts", import.meta.url));
  const workers = Array.from({ length: processes }, () =>
    fork(script, { execArgv: ["--conditions=@fieldseal/source"], stdio: "inherit" }),
  );
  await Promise.all(workers.map((worker) => once(worker, "message")));
  await client.query("CHECKPOINT");
  const start = Date.now();
  let writtenAt = 0;
  const ended = workers.map((worker) => {
    worker.on("message", ({ rowsWritten, at }: Sample) => {
      if (rowsWritten === ROWS && writtenAt === 0) writtenAt = at;
    });
    worker.send({ url: database.url, key, table: "t", columns } satisfies Task);
    return once(worker, "disconnect");
  });
  await Promise.all(ended);
  const whole = (Date.now() - start) / 1000;
  if (writtenAt === 0) throw new Error("The engine did not write every row.");
  return { writing: (writtenAt - start) / 1000, whole };
}

const WAYS: Readonly<Record<string, readonly string[]>> = {
  "1 text column of 480 bytes": ["notes"],
  "3 columns, one of them 2 KB bytea": ["email", "notes", "photo"],
};

/** Of an even number of rounds, what lies between the two in the middle. */
const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]] as [number, number];
  return (middle[0] + middle[1]) / 2;
};
const range = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)})`;
const table: string[][] = [];
/** By shape and round: rows a second, and how many times as fast one process of the engine was just before. */
const slow = new Map<string, { rate: number; factor: number }[]>();

const [seal] = describe({ url: "", key, table: "t", columns: ["notes"] }).map(
  ({ cipher }) => cipher,
);
const select = "SELECT notes FROM t WHERE id = $1";
const update = "UPDATE t SET notes = $1 WHERE id = $2";
const rewrite = async (id: number, lock = ""): Promise<void> => {
  const { rows } = await client.query<{ notes: string }>(select + lock, [id]);
  await client.query(update, [seal!.seal(rows[0]!.notes), id]);
};
const ids = Array.from({ length: SLOW_ROWS }, (_, i) => i + 1);
const SHAPES: Readonly<Record<string, () => Promise<void>>> = {
  "row by row, no transaction (loses updates)": async () => {
    for (const id of ids) await rewrite(id);
  },
  "a transaction per row, locked (cloak_ecto)": async () => {
    for (const id of ids) {
      await client.query("BEGIN");
      await rewrite(id, " FOR UPDATE");
      await client.query("COMMIT");
    }
  },
  "a transaction per row, not locked (prisma-field-encryption; loses updates)": async () => {
    for (const id of ids) {
      await client.query("BEGIN");
      await rewrite(id);
      await client.query("COMMIT");
    }
  },
  "batches read at once, rows written one by one in a transaction (Lockbox; loses updates)":
    async () => {
      for (let first = 1; first <= SLOW_ROWS; first += SLOW_BATCH) {
        const { rows } = await client.query<{ id: string; notes: string }>(
          "SELECT id, notes FROM t WHERE id >= $1 ORDER BY id LIMIT $2",
          [first, SLOW_BATCH],
        );
        await client.query("BEGIN");
        for (const { id, notes } of rows) await client.query(update, [seal!.seal(notes), id]);
        await client.query("COMMIT");
      }
    },
};
/** In the round of the engine's measurement: a machine's disk and load change from minute to minute. */
async function measureShapes(engineRate: number): Promise<void> {
  for (const [name, shape] of Object.entries(SHAPES)) {
    await fill("t", SLOW_ROWS);
    const rate = SLOW_ROWS / (await seconds(shape));
    const samples = slow.get(name) ?? [];
    slow.set(name, [...samples, { rate, factor: engineRate / rate }]);
    console.error(name, samples.length, rate, engineRate / rate);
  }
}

for (const [name, columns] of Object.entries(WAYS)) {
  const set = columns.map((column) => `${column} = ${column} || ''`).join(", ");
  for (const processes of [1, 2]) {
    const rounds: (Measured & { bare: number })[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of ["before", "t", "after"]) await fill(one, ROWS);
      const before = await seconds(() => client.query(`UPDATE before SET ${set}`));
      const measured = await engine(columns, processes);
      const after = await seconds(() => client.query(`UPDATE after SET ${set}`));
      rounds.push({ ...measured, bare: (before + after) / 2 });
      if (processes === 1 && columns.length === 1) await measureShapes(ROWS / measured.writing);
      console.error(name, processes, rounds.at(-1), { before, after });
    }
    const label = `${name}, ${processes} process${processes === 1 ? "" : "es"}`;
    const rate = (one: (round: (typeof rounds)[0]) => number): string =>
      (ROWS / median(rounds.map(one))).toFixed(0);
    table.push([label, "bare UPDATE", rate(({ bare }) => bare), "1"]);
    table.push([
      label,
      "**fieldseal**, pass that writes",
      rate(({ writing }) => writing),
      range(rounds.map(({ bare, writing }) => bare / writing)),
    ]);
    table.push([
      label,
      "**fieldseal**, with the pass that proves it",
      rate(({ whole }) => whole),
      range(rounds.map(({ bare, whole }) => bare / whole)),
    ]);
  }
}

for (const [name, samples] of slow) {
  table.push([
    "1 text column",
    name,
    median(samples.map(({ rate }) => rate)).toFixed(0),
    `one process of fieldseal: ${range(samples.map(({ factor }) => factor))} times as fast`,
  ]);
}

console.log(
  `node ${process.version}, ${ROWS} rows, ${ROUNDS} rounds, medians (and range); client and server on one machine\n`,
);
console.log(markdownTable(["", "", "rows/s", "of the bare UPDATE"], table));
await client.end();
await database.drop();
await stopPostgres();
