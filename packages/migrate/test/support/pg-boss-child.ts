// A process of its own that works on a queue of pg-boss until it is told to stop, or killed.
import { once } from "node:events";
import { Keyring } from "@fieldseal/crypto";
import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { workMigration } from "../../src/pg-boss.ts";
import { ACCEPT, column } from "../columns.ts";

const [url, key] = process.argv.slice(2) as [string, string];
const keyring = Keyring.fromKey(key);
const columns = ["a", "b"].map((name) =>
  column({ table: "t", column: name, keyring, options: ACCEPT }),
);
const pool = new Pool({ connectionString: url, max: 4 });
pool.on("error", () => {});
const boss = new PgBoss({
  connectionString: url,
  superviseIntervalSeconds: 1,
  monitorIntervalSeconds: 1,
  max: 3,
});
boss.on("error", () => {});
await boss.start();
await workMigration(boss, {
  pool,
  columns,
  sliceMs: 500,
  batchRows: 100,
  chunks: 40,
  leaseMs: 700,
  maxRowsPerSecond: 4000,
  onSlice: ({ isFinished }) => process.send?.({ isFinished }),
});
await once(process, "message");
await boss.stop();
await pool.end();
process.disconnect();
