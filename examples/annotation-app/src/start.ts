// The command: reads the configuration, starts the application, and stops it on Ctrl-C. `npm start` runs this.
import { join, resolve } from "node:path";
import type { Application } from "./application.ts";
import {
  type Configuration,
  readConfiguration,
  refuseUnknownNames,
} from "./config/configuration.ts";
import { EnvFile } from "./config/env-file.ts";
import { dropSecretsFrom, ensureKey, KeyStore } from "./config/key-store.ts";
import { hasEmbeddedDatabase } from "./database/embedded-postgres.ts";
import { preflight } from "./preflight.ts";
import { explainFailure } from "./start-failure.ts";
import { Terminal } from "./terminal.ts";

const FOLDER = join(import.meta.dirname, "..");
/** How soon a server notices that the npm that started it is gone: a shell between them passes no signal on. */
const PARENT_MS = 250;

const terminal = new Terminal(process.stdout);
const stopping = new AbortController();
let configuration: Configuration | undefined;

async function start(): Promise<Application> {
  const environment = { ...process.env };
  dropSecretsFrom(process.env);
  const file = new EnvFile(resolve(environment.ENV_FILE ?? join(FOLDER, ".env")));
  const inFile = file.read();
  refuseUnknownNames(inFile, file.path);
  configuration = readConfiguration({ ...inFile, ...environment }, FOLDER);
  const { isProduction, databaseUrl, dataDirectory } = configuration;
  const hasData = databaseUrl === undefined && hasEmbeddedDatabase(dataDirectory);
  const keyId = await ensureKey(environment, file, { isProduction, hasData });
  if (keyId !== undefined) {
    terminal.step(
      `Made the encryption key ${keyId} and wrote it to ${file.path} (mode 0600).\n` +
        "Keep a copy apart from the data: without it nothing opens.",
    );
  }
  const keys = new KeyStore(environment, file);
  try {
    await preflight(configuration, keys);
    // Only now, because it takes a second or two: what is wrong is said at once.
    const { startApplication } = await import("./application.ts");
    const { signal } = stopping;
    const application = await startApplication({ configuration, keys, reporter: terminal, signal });
    return { ...application, stop: () => application.stop().finally(() => keys.close()) };
  } catch (error) {
    keys.close();
    throw error;
  }
}

function fail(error: unknown): never {
  process.stderr.write(`${explainFailure(error, configuration)}\n`);
  // Not by exitCode: a package that watches the end of the process would set it to 0.
  process.exit(1);
}

/** A second Ctrl-C does not wait. */
function stopOnSignal(stop: () => Promise<void>): void {
  const onSignal = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
    terminal.step("\nStopping");
    stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && !stopping.signal.aborted) onSignal();
  }, PARENT_MS).unref();
}

try {
  const started = start();
  // A start that is broken off has undone what it did when it fails.
  stopOnSignal(() =>
    started.then(
      ({ stop }) => stop(),
      () => {},
    ),
  );
  const { url } = await started;
  terminal.step(`Fieldseal Annotate is at ${url} (stop it with Ctrl-C)`);
} catch (error) {
  if (stopping.signal.aborted) process.exit(0); // broken off: whatever failed, that is why
  fail(error);
}
