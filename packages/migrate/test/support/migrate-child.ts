// A process of its own that migrates, again and again until it is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { Keyring } from "@fieldseal/crypto";
import { Pool } from "pg";
import { migrate, type RunOptions } from "../../src/index.ts";
import { ACCEPT, column } from "../columns.ts";

const { url, key, options } = JSON.parse(process.argv[2] as string) as {
  url: string;
  key: string;
  options: RunOptions;
};
const keyring = Keyring.fromKey(key);
const columns = ["a", "b"].map((name) =>
  column({ table: "t", column: name, keyring, options: ACCEPT }),
);
const pool = new Pool({ connectionString: url, max: 3 });
pool.on("error", () => {});
for (;;) {
  try {
    const [report] = await migrate(pool, columns, options);
    process.send?.({
      runId: report!.runId,
      rowsWritten: report!.rowsWritten,
      state: report!.state,
    });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
  await sleep(100);
}
