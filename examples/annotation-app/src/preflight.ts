// What can be known to be wrong before the application is loaded, which takes a second or two: a port that is taken,
// variables of the object store, a database that does not let it in.
import { createServer as createProbe } from "node:net";
import { Client } from "pg";
import type { Configuration } from "./config/configuration.ts";
import type { KeyStore } from "./config/key-store.ts";

/** Its failures are among those that `start-failure.ts` explains. */
export async function preflight(
  configuration: Configuration,
  { keyring }: KeyStore,
): Promise<void> {
  await refuseTakenPort(configuration);
  if (configuration.objectStore.STORAGE_TYPE === "s3") {
    const { openObjectStore } = await import("./media/object-store.ts");
    await openObjectStore(configuration.objectStore, { keyring, plaintext: "accept" });
  }
  const { databaseUrl } = configuration;
  if (databaseUrl !== undefined) await knockAt(databaseUrl);
}

/** Before the first start has worked for seconds, only to fail at its last step. */
async function refuseTakenPort({ host, port }: Configuration): Promise<void> {
  const probe = createProbe();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()));
  });
}

async function knockAt(connectionString: string): Promise<void> {
  const client = new Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  await client.end();
}
