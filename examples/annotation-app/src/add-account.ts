// The command that lets somebody in: `npm run account -- NAME annotator`, with the password on standard input.
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { ConfigurationError, readConfiguration } from "./config/configuration.ts";
import { EnvFile } from "./config/env-file.ts";
import { KeyStore } from "./config/key-store.ts";
import { explainFailure } from "./start-failure.ts";

const FOLDER = join(import.meta.dirname, "..");
const SHORTEST = 12;

async function addAccount(): Promise<string> {
  const [name = "", role] = process.argv.slice(2);
  if (name === "" || (role !== "annotator" && role !== "viewer")) {
    throw new ConfigurationError("Usage: npm run account -- NAME annotator|viewer < password.txt");
  }
  const file = new EnvFile(resolve(process.env.ENV_FILE ?? join(FOLDER, ".env")));
  const { databaseUrl } = readConfiguration({ ...file.read(), ...process.env }, FOLDER);
  if (databaseUrl === undefined) {
    throw new ConfigurationError(
      "Set DATABASE_URL: the embedded PostgreSQL has demo accounts only.",
    );
  }
  const password = (await text(process.stdin)).replace(/\r?\n$/, "");
  if (password.length < SHORTEST) {
    throw new ConfigurationError(`The password needs ${SHORTEST} characters at least.`);
  }
  const keys = new KeyStore(process.env, file);
  // Only now, because they bring both ORMs: what is wrong is said at once.
  const { openDatabase } = await import("./database/database.ts");
  const { putAccount } = await import("./http/accounts.ts");
  const database = await openDatabase({
    url: databaseUrl,
    keyring: keys.keyring,
    plaintext: "reject",
  });
  try {
    await putAccount(database.models, { name, password, role });
    return `${name} can sign in as ${role}.`;
  } finally {
    keys.close();
    await database.close();
  }
}

await addAccount().then(
  (done) => process.stdout.write(`${done}\n`),
  (error: unknown) => {
    process.stderr.write(`${explainFailure(error, undefined)}\n`);
    process.exitCode = 1;
  },
);
