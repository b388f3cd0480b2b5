// Rows a second of the engine, as a ratio to the bare `UPDATE t SET c = c || ''` on an equal neighbouring range of the
// same table, measured just before and just after; and the shapes of other libraries' migrators.
import {
  bytesCodec,
  ColumnCipher,
  generateRootKey,
  Keyring,
  textCodec,
  type EncryptedColumn,
  type ValueCodec,
} from "@fieldseal/crypto";
import { migrate } from "@fieldseal/migrate";
import { Client, Pool } from "pg";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable } from "./interleaved.ts";

const ROWS = Number(process.env.BENCH_ROWS ?? 100_000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SLOW_ROWS = 1000;

const keyring = Keyring.fromKey(generateRootKey());
const database = await createTestDatabase({
  serverSettings: { max_wal_size: "8GB", autovacuum: "off" },
});
const client = new Client({ connectionString: database.url });
await client.connect();
const pool = new Pool({ connectionString: database.url });
pool.on("error", () => {});

function column(table: string, name: string, codec: ValueCodec<never>): EncryptedColumn {
  return {
    model: table,
    field: name,
    schema: undefined,
    table,
    column: name,
    primaryKey: ["id"],
    isNullable: true,
    cipher: new ColumnCipher({
      codec: codec as ValueCodec<unknown>,
      label: `${table}.${name}`,
      options: { plaintext: "accept" },
      defaultContext: { table, column: name },
      defaultKeyring: keyring,
    }),
  };
}

async function fill(table: string, rows: number): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${table}; DROP SCHEMA IF EXISTS fieldseal CASCADE`);
  await client.query(
    `CREATE TABLE ${table} (id bigint PRIMARY KEY, email text, notes text, photo bytea, updated_at timestamptz)`,
  );
  await client.query(
    `INSERT INTO ${table} SELECT i, 'user' || i || '@example.org', repeat(md5(i::text), 15),
       decode(repeat(md5(i::text) || md5((i + 1)::text), 64), 'hex') FROM generate_series(1, $1) i`,
    [rows],
  );
  await client.query(`CREATE INDEX ON ${table} (email); CREATE INDEX ON ${table} (updated_at)`);
  await client.query(`CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN NEW.updated_at := now(); RETURN NEW; END$$`);
  await client.query(
    `CREATE TRIGGER touch BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch()`,
  );
  await client.query(`VACUUM ANALYZE ${table}`);
  await client.query("CHECKPOINT");
}

const WAYS: Record<string, { columns: [string, ValueCodec<never>][]; set: string }> = {
  "1 text column of 480 bytes": {
    columns: [["notes", textCodec as ValueCodec<never>]],
    set: "notes = notes || ''",
  },
  "3 columns, one of them 2 KB bytea": {
    columns: [
      ["email", textCodec as ValueCodec<never>],
      ["notes", textCodec as ValueCodec<never>],
      ["photo", bytesCodec as ValueCodec<never>],
    ],
    set: "email = email || '', notes = notes || '', photo = photo || ''",
  },
};

async function rate(rows: number, action: () => Promise<unknown>): Promise<number> {
  await client.query("CHECKPOINT");
  const start = process.hrtime.bigint();
  await action();
  return rows / (Number(process.hrtime.bigint() - start) / 1e9);
}

/** One pass only: a second one, which finds nothing to do, is timed apart. */
async function engine(
  names: [string, ValueCodec<never>][],
): Promise<{ first: number; whole: number }> {
  const columns = names.map(([name, codec]) => column("t", name, codec));
  let seconds = 0;
  const start = process.hrtime.bigint();
  const whole = await rate(ROWS, () =>
    migrate(pool, columns, {
      onProgress: ({ rowsWritten }) => {
        if (rowsWritten === ROWS && seconds === 0)
          seconds = Number(process.hrtime.bigint() - start) / 1e9;
      },
    }),
  );
  return { first: ROWS / seconds, whole };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const table: string[][] = [];
for (const [name, { columns, set }] of Object.entries(WAYS)) {
  const samples: { bare: number; first: number; whole: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await fill("t", ROWS);
    const before = await rate(ROWS / 2, () =>
      client.query(`UPDATE t SET ${set} WHERE id <= $1`, [ROWS / 2]),
    );
    await fill("t", ROWS);
    const { first, whole } = await engine(columns);
    await fill("t", ROWS);
    const after = await rate(ROWS / 2, () =>
      client.query(`UPDATE t SET ${set} WHERE id > $1`, [ROWS / 2]),
    );
    samples.push({ bare: (before + after) / 2, first, whole });
  }
  const bare = median(samples.map((one) => one.bare));
  table.push([name, "bare UPDATE", bare.toFixed(0), "1.00"]);
  table.push([name, "**fieldseal**, pass that writes", ...cells(samples, "first")]);
  table.push([name, "**fieldseal**, with the pass that proves it", ...cells(samples, "whole")]);
}

function cells(
  samples: { bare: number; first: number; whole: number }[],
  key: "first" | "whole",
): string[] {
  return [
    median(samples.map((one) => one[key])).toFixed(0),
    median(samples.map((one) => one[key] / one.bare)).toFixed(2),
  ];
}

await fill("t", SLOW_ROWS);
const seal = column("t", "notes", textCodec as ValueCodec<never>).cipher;
const rowByRow = await rate(SLOW_ROWS, async () => {
  for (let id = 1; id <= SLOW_ROWS; id++) {
    const { rows } = await client.query<{ notes: string }>("SELECT notes FROM t WHERE id = $1", [
      id,
    ]);
    await client.query("UPDATE t SET notes = $1 WHERE id = $2", [seal.seal(rows[0]!.notes), id]);
  }
});
table.push([
  "1 text column",
  "row by row, no transaction (loses updates)",
  rowByRow.toFixed(0),
  "",
]);
await fill("t", SLOW_ROWS);
const transactions = await rate(SLOW_ROWS, async () => {
  for (let id = 1; id <= SLOW_ROWS; id++) {
    await client.query("BEGIN");
    const { rows } = await client.query<{ notes: string }>(
      "SELECT notes FROM t WHERE id = $1 FOR UPDATE",
      [id],
    );
    await client.query("UPDATE t SET notes = $1 WHERE id = $2", [seal.seal(rows[0]!.notes), id]);
    await client.query("COMMIT");
  }
});
table.push([
  "1 text column",
  "a transaction per row (cloak_ecto, prisma-field-encryption)",
  transactions.toFixed(0),
  "",
]);

console.log(
  `node ${process.version}, ${ROWS} rows, ${ROUNDS} rounds, medians; one process, client and server on one machine\n`,
);
console.log(markdownTable(["", "", "rows/s", "of the bare UPDATE"], table));
await client.end();
await pool.end();
await database.drop();
await stopPostgres();
