// What must hold before anything is served: tables in their newest form, first data, accounts, and nothing in the clear.
// Several processes may start at once; one of them does it, and the others find it done.
import type { Configuration } from "./config/configuration.ts";
import type { KeyStore } from "./config/key-store.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { refuseUnknownKeys } from "./database/values-by-key.ts";
import { applySchema } from "./database/schema.ts";
import { DEMO_ACCOUNTS, hasAccounts, putAccount } from "./http/accounts.ts";
import { openObjectStore } from "./media/object-store.ts";
import { encryptFiles } from "./seed/encrypt-files.ts";
import { areRowsEncrypted, encryptRows, refusePlaintext, scrub } from "./seed/encrypt-rows.ts";
import { isEmpty, seedLegacyData } from "./seed/legacy-data.ts";
import { openPlainFiles } from "./seed/plain-files.ts";
import type { Reporter } from "./terminal.ts";

export interface PrepareOptions {
  readonly configuration: Configuration;
  readonly keys: KeyStore;
  readonly reporter: Reporter;
  readonly databaseUrl: string;
  /** Stops between two steps, or in the middle of a long one; the next start goes on there. */
  readonly signal?: AbortSignal | undefined;
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
  const { keys, reporter, signal } = options;
  const added = await applySchema(database.sequelize);
  if (added.length > 0) reporter.step(`Created the tables (${added.join(", ")})`);
  await refuseUnknownKeys(database, keys.current);
  signal?.throwIfAborted();
  if (!(await areRowsEncrypted(database))) await encryptOlderData(database, options);
  await prepareAccounts(database, options);
}

async function encryptOlderData(database: Database, options: PrepareOptions): Promise<void> {
  const { configuration, keys, reporter, signal } = options;
  const { objectStore, seed } = configuration;
  // First of all, because it says what is wrong with the variables.
  const store = await openObjectStore(objectStore, { keyring: keys.keyring, plaintext: "accept" });
  if (seed === "photographs" && (await isEmpty(database.pool))) {
    const files = openPlainFiles(objectStore);
    await seedLegacyData(database.pool, files).finally(() => files.close());
    reporter.step("Filled the database with photographs and clips, in the clear as older data is");
  }
  await encryptRows(database, reporter, signal);
  await encryptFiles(store, reporter, signal);
  await refusePlaintext(database);
  await scrub(database);
}

async function prepareAccounts(
  { models }: Database,
  { configuration, reporter }: PrepareOptions,
): Promise<void> {
  if (!configuration.isProduction) {
    await Promise.all(DEMO_ACCOUNTS.map((account) => putAccount(models, account)));
  } else if (!(await hasAccounts(models))) {
    reporter.step(
      "Nobody can sign in yet. Add an account: npm run account -w @fieldseal/annotation-app -- NAME annotator",
    );
  }
}
