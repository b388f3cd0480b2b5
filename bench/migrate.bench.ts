// Rows a second of the engine, as a ratio to the bare `UPDATE t SET c = c || ''` of equal neighbouring tables in the same
// run, one measured just before and one just after; and the shapes of other libraries' migrators, on tables as large. The
// server writes to disk as in production (fsync), and has no autovacuum that would come between. BENCH_ROWS,
// BENCH_ROUNDS and BENCH_PART ("1 text", "2 processes") choose less.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { generateRootKey } from "@fieldseal/crypto";
import { Client } from "pg";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable, median } from "./interleaved.ts";
import { SHAPES } from "./migrate-shapes.ts";
import { describe, type Sample, type Task } from "./migrate-worker.ts";
import { slowNetwork } from "./slow-network.ts";

const ROWS = Number(process.env.BENCH_ROWS ?? 200_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const PART = process.env.BENCH_PART ?? "";
/** Of the table's rows, those that a slow shape gets: each shape others. */
const SLOW_ROWS = 2000;
/** The same, where every statement takes a millisecond more. */
const FAR_ROWS = 500;

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

async function engine(
  columns: readonly string[],
  processes: number,
  url = database.url,
): Promise<Measured> {
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
    worker.send({ url, key, table: "t", columns } satisfies Task);
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

const range = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)})`;
const table: string[][] = [];
/** By shape and round: rows a second, and how many times as fast one process of the engine was just before. */
const slow = new Map<string, { rate: number; factor: number }[]>();

const [cipher] = describe({ url: "", key, table: "t", columns: ["notes"] }).map(
  (column) => column.cipher,
);

interface Place {
  readonly name: string;
  readonly client: Client;
  /** Of each shape. */
  readonly rows: number;
  readonly engineRate: number;
}

/** In the round of the engine's measurement: a machine's disk and load change from minute to minute. */
async function measureShapes({ name: where, client: at, rows, engineRate }: Place): Promise<void> {
  await fill("t", ROWS);
  let first = 1;
  for (const [shape, run] of Object.entries(SHAPES)) {
    const seal = cipher!.seal.bind(cipher);
    const rate = rows / (await seconds(() => run({ client: at, seal, first, rows })));
    first += rows;
    const name = `${shape}${where}`;
    const samples = slow.get(name) ?? [];
    slow.set(name, [...samples, { rate, factor: engineRate / rate }]);
    console.error(name, samples.length, rate, engineRate / rate);
  }
}

/** As an application's server is to its database. What a round trip took is told with the figures. */
const far = await slowNetwork(database.url);
const farClient = new Client({ connectionString: far.url });
await farClient.connect();
const FAR = ", a millisecond away";
const farTrips: number[] = [];
const farRates: number[] = [];

async function measureFar(columns: readonly string[]): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const start = performance.now();
    await farClient.query("SELECT 1");
    farTrips.push(performance.now() - start);
  }
  await fill("t", ROWS);
  const engineRate = ROWS / (await engine(columns, 1, far.url)).writing;
  farRates.push(engineRate);
  await measureShapes({ name: FAR, client: farClient, rows: FAR_ROWS, engineRate });
}
for (const [name, columns] of Object.entries(WAYS)) {
  const set = columns.map((column) => `${column} = ${column} || ''`).join(", ");
  for (const processes of [1, 2]) {
    const label = `${name}, ${processes} process${processes === 1 ? "" : "es"}`;
    if (!label.includes(PART)) continue;
    const rounds: (Measured & { bare: number })[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of ["before", "t", "after"]) await fill(one, ROWS);
      const before = await seconds(() => client.query(`UPDATE before SET ${set}`));
      const measured = await engine(columns, processes);
      const after = await seconds(() => client.query(`UPDATE after SET ${set}`));
      rounds.push({ ...measured, bare: (before + after) / 2 });
      if (processes === 1 && columns.length === 1) {
        const engineRate = ROWS / measured.writing;
        await measureShapes({ name: "", client, rows: SLOW_ROWS, engineRate });
        await measureFar(columns);
      }
      console.error(name, processes, rounds.at(-1), { before, after });
    }
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

if (farRates.length > 0) {
  const rate = median(farRates).toFixed(0);
  table.push(["1 text column", `**fieldseal**, pass that writes${FAR}`, rate, ""]);
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
if (farTrips.length > 0) {
  console.log(
    `"a millisecond away": through a proxy that holds back what the client sends; a round trip takes ${range(farTrips)} ms\n`,
  );
}
console.log(markdownTable(["", "", "rows/s", "of the bare UPDATE"], table));
await client.end();
await farClient.end();
await far.close();
await database.drop();
await stopPostgres();
