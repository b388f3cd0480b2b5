// Runs once around the whole test run, whatever its outcome.
import { stopPostgres } from "./postgres.ts";
import { stopRadosgw } from "./radosgw-server.ts";

export async function mochaGlobalTeardown(): Promise<void> {
  await Promise.all([stopPostgres(), stopRadosgw()]);
}
