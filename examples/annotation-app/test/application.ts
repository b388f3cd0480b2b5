// The real application for a test: its own database and folder, a free port, a key in a private file.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateRootKey } from "@fieldseal/crypto";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { type Application, startApplication } from "../src/application.ts";
import { type Environment, readConfiguration } from "../src/config/configuration.ts";
import { EnvFile } from "../src/config/env-file.ts";
import { KeyStore } from "../src/config/key-store.ts";

export interface TestApplication {
  readonly url: string;
  readonly database: TestDatabase;
  /** Holds the objects and the server's log. */
  readonly folder: string;
  readonly keys: KeyStore;
  /** What the start said. */
  readonly said: readonly string[];
  /** Stops it and starts it again over the same data; the address may change. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startTestApplication(
  environment: Environment = {},
): Promise<TestApplication> {
  const database = await createTestDatabase({ name: "annotation" });
  const folder = await mkdtemp(join(tmpdir(), "fieldseal-app-"));
  const file = new EnvFile(join(folder, ".env"));
  file.set({ ENCRYPTION_KEY: generateRootKey() });
  const configuration = readConfiguration(
    { PORT: "0", DATABASE_URL: database.url, DATA_DIRECTORY: "data", ...environment },
    folder,
  );
  const said: string[] = [];
  const reporter = {
    step: (sentence: string) => void said.push(sentence),
    progress: (what: string, done: number, total: number) =>
      void said.push(`${what} ${done}/${total}`),
  };
  let keys = new KeyStore({}, file);
  let application: Application;
  const start = async (): Promise<void> => {
    application = await startApplication({ configuration, keys, reporter });
  };
  const stop = async (): Promise<void> => {
    await application.stop();
    keys.close();
  };
  await start();
  return {
    get url() {
      return application.url;
    },
    get keys() {
      return keys;
    },
    database,
    folder,
    said,
    async restart() {
      await stop();
      keys = new KeyStore({}, file);
      await start();
    },
    async stop() {
      await stop();
      await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}
