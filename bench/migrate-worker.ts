// One process that migrates when it is told to; migrate.bench.ts starts one or two.
import { once } from "node:events";
import {
  bytesCodec,
  ColumnCipher,
  Keyring,
  textCodec,
  type EncryptedColumn,
  type ValueCodec,
} from "@fieldseal/crypto";
import { migrate } from "@fieldseal/migrate";
import { Pool } from "pg";

export interface Task {
  readonly url: string;
  readonly key: string;
  readonly table: string;
  readonly columns: readonly string[];
}

/** What a process reports: rows that all have written so far, and when. */
export interface Sample {
  readonly rowsWritten: number;
  readonly at: number;
}

export function describe({ key, table, columns }: Task): EncryptedColumn[] {
  const keyring = Keyring.fromKey(key);
  return columns.map((column) => ({
    model: table,
    field: column,
    schema: undefined,
    table,
    column,
    primaryKey: ["id"],
    isNullable: true,
    cipher: new ColumnCipher({
      codec: (column === "photo" ? bytesCodec : textCodec) as ValueCodec<unknown>,
      label: `${table}.${column}`,
      options: { plaintext: "accept" },
      defaultContext: { table, column },
      defaultKeyring: keyring,
    }),
  }));
}

if (process.send !== undefined) {
  process.send("ready");
  const [task] = (await once(process, "message")) as [Task];
  const pool = new Pool({ connectionString: task.url });
  const columns = describe(task);
  let last = 0;
  await migrate(pool, columns, {
    progressMs: 50,
    onProgress: ({ rowsWritten }) => {
      if (rowsWritten === last) return;
      last = rowsWritten;
      process.send?.({ rowsWritten, at: Date.now() } satisfies Sample);
    },
  });
  await pool.end();
  process.disconnect();
}
