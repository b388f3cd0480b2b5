// A process of its own that migrates; `kill.test.ts` starts several and kills them.
import { Keyring } from "@fieldseal/crypto";
import { Pool } from "pg";
import { migrate } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const [url, key] = process.argv.slice(2) as [string, string];
const pool = new Pool({ connectionString: url, max: 3 });
pool.on("error", () => {});
const columns = ["a", "b"].map((name) =>
  column({ table: "t", column: name, keyring: Keyring.fromKey(key), options: ACCEPT }),
);
const [report] = await migrate(pool, columns, { batchRows: 100, chunks: 20, leaseMs: 700 });
process.stdout.write(JSON.stringify({ state: report!.state, written: report!.rowsWritten }));
await pool.end();
