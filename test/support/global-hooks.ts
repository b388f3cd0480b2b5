// Runs once around the whole test run, whatever its outcome.
import { stopPostgres } from "./postgres.ts";

export async function mochaGlobalTeardown(): Promise<void> {
  await stopPostgres();
}
