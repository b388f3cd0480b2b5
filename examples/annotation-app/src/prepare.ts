// What must hold before anything is served: tables in their newest form, first data, accounts, and nothing in the clear.
// Several processes may start at once; one of them does it, and the others find it done.
import type { Configuration } from "./config/configuration.ts";
import type { KeyStore } from "./config/key-store.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { applySchema } from "./database/schema.ts";
import { DEMO_ACCOUNTS, putAccount } from "./http/accounts.ts";
import { openObjectStore, plainFilesIn } from "./media/object-store.ts";
import { encryptFiles } from "./seed/encrypt-files.ts";
import { areRowsEncrypted, encryptRows } from "./seed/encrypt-rows.ts";
import { isEmpty, seedLegacyData } from "./seed/legacy-data.ts";
import type { Reporter } from "./terminal.ts";

export interface PrepareOptions {
  readonly configuration: Configuration;
  readonly keys: KeyStore;
  readonly reporter: Reporter;
  readonly databaseUrl: string;
  /** Folder of the object store. */
  readonly objects: string;
}

/** Any number that nothing else in this database locks. */
const START_LOCK = 7_240_118;

export async function prepare(options: PrepareOptions): Promise<void> {
  const { databaseUrl: url, keys } = options;
  const database = await openDatabase({ url, keyring: keys.keyring, plaintext: "accept" });
  try {
    const lock = await database.pool.connect();
    try {
      await lock.query("SELECT pg_advisory_lock($1)", [START_LOCK]);
      await prepareAlone(database, options);
    } finally {
      // With its connection the lock ends, whatever happened.
      lock.release(true);
    }
  } finally {
    await database.close();
  }
}

async function prepareAlone(database: Database, options: PrepareOptions): Promise<void> {
  const { configuration, keys, reporter, objects } = options;
  const added = await applySchema(database.sequelize);
  if (added.length > 0) reporter.step(`Created the tables (${added.join(", ")})`);
  const wantsData = configuration.seed === "photographs" && (await isEmpty(database.pool));
  if (wantsData && !(await areRowsEncrypted(database))) {
    await seedLegacyData(database.pool, plainFilesIn(objects));
    reporter.step("Filled the database with photographs and clips, in the clear as older data is");
  }
  if (!configuration.isProduction) {
    for (const account of DEMO_ACCOUNTS) await putAccount(database.models, account);
  }
  if (await areRowsEncrypted(database)) return;
  await encryptRows(database, reporter);
  await encryptFiles(openObjectStore(objects, keys.keyring, "accept"), reporter);
}
