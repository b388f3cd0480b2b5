// A PostgreSQL that still runs over the data directory: its application was killed, or is another one that is in use.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { ConfigurationError } from "../config/configuration.ts";

const STOP_MS = 10_000;

/**
 * Stops a server that nobody is connected to. One that is none of ours, or that a crash of the machine left only the
 * file of, is left to PostgreSQL, which knows stale files.
 * @throws {@link ConfigurationError} when somebody is connected
 */
export async function stopLeftServer(databaseDir: string, password: string): Promise<void> {
  const pidFile = join(databaseDir, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  // Lines: process id, data directory, start time, port. https://www.postgresql.org/docs/current/storage-file-layout.html
  const [pid, , , port] = readFileSync(pidFile, "utf8").split("\n").map(Number);
  if (!pid || !port) return;
  const others = await othersConnectedTo({ port, password, databaseDir });
  if (others === undefined) return;
  if (others > 0) {
    throw new ConfigurationError(
      `Another process uses the database in ${databaseDir}. Stop it, or set another DATA_DIRECTORY.`,
    );
  }
  process.kill(pid, "SIGINT"); // ends open transactions, and then itself in good order
  const until = Date.now() + STOP_MS;
  while (existsSync(pidFile) && Date.now() < until) await delay(50);
}

interface LeftServer {
  readonly port: number;
  readonly password: string;
  readonly databaseDir: string;
}

/** @returns undefined when the server of this folder does not answer there */
async function othersConnectedTo(server: LeftServer): Promise<number | undefined> {
  const { port, password, databaseDir } = server;
  const client = new Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password,
    database: "postgres",
    connectionTimeoutMillis: 2_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ folder: string; others: number }>(
      `SELECT current_setting('data_directory') AS folder, count(*)::integer AS others FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    const [answer] = rows;
    return answer?.folder === databaseDir ? answer.others : undefined;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
