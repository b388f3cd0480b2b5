// The command: reads the configuration, starts the application, and stops it on Ctrl-C. `npm start` runs this.
import { join } from "node:path";
import { type Application, startApplication } from "./application.ts";
import { ConfigurationError, readConfiguration } from "./config/configuration.ts";
import { EnvFile } from "./config/env-file.ts";
import { dropKeysFrom, ensureKey, KeyStore } from "./config/key-store.ts";
import { EncryptionError } from "@fieldseal/crypto";
import { Terminal } from "./terminal.ts";

const FOLDER = join(import.meta.dirname, "..");
const terminal = new Terminal(process.stdout);

async function start(): Promise<Application> {
  const file = new EnvFile(join(FOLDER, ".env"));
  const environment = { ...process.env };
  dropKeysFrom(process.env);
  const configuration = readConfiguration({ ...file.read(), ...environment }, FOLDER);
  const keyId = ensureKey(environment, file, configuration.isProduction);
  if (keyId !== undefined) {
    terminal.step(
      `Made the encryption key ${keyId} and wrote it to ${file.path} (mode 0600).\n` +
        "Keep a copy apart from the data: without it nothing opens.",
    );
  }
  const keys = new KeyStore(environment, file);
  try {
    const application = await startApplication({ configuration, keys, reporter: terminal });
    return { ...application, stop: () => application.stop().finally(() => keys.close()) };
  } catch (error) {
    keys.close();
    throw error;
  }
}

/** A second Ctrl-C does not wait. */
function stopOnSignal(stop: () => Promise<void>): void {
  let isStopping = false;
  const onSignal = (): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    terminal.step("\nStopping");
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
}

try {
  const started = start();
  stopOnSignal(async () => (await started).stop());
  const { url } = await started;
  terminal.step(`Fieldseal Annotate is at ${url} (stop it with Ctrl-C)`);
} catch (error) {
  const isExpected = error instanceof ConfigurationError || error instanceof EncryptionError;
  process.stderr.write(`${isExpected ? error.message : String((error as Error).stack)}\n`);
  // Not by exitCode: a package that watches the end of the process would set it to 0.
  process.exit(1);
}
