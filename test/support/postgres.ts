// Real PostgreSQL for tests: one server per run, started by the first test that asks, or DATABASE_URL.
// Each call of createTestDatabase() gives a database of its own in it.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { startServer, type Server, type Settings } from "./postgres-server.ts";

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** The parts of `url`, under the names that `pg` and the ORMs use. */
  readonly connection: Readonly<
    Record<"host" | "user" | "password" | "database", string> & { port: number }
  >;
  /** Undefined on DATABASE_URL, whose files this process cannot see. */
  readonly dataDirectory: string | undefined;
  /** A plain `pg` client's view: what really is stored. */
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]>;
  /** What has arrived of the server's log since it started; empty on DATABASE_URL. */
  serverLog(): string;
  /** The same, after all that the server has logged until now has arrived: for "this is not in the log". */
  completeServerLog(): Promise<string>;
  /** Stops the server in immediate mode, and starts it again. Only where the database has a server of its own. */
  crashServer(): Promise<void>;
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Part of the database's name, for people who read a log. Defaults to "test". */
  readonly name?: string;
  /** Settings of this database alone, as `log_statement`. Defaults to none. */
  readonly settings?: Settings;
  /**
   * Settings that only a start can set, as `wal_level`: the database gets a server of its own, which ends
   * with it. Refused with DATABASE_URL. Defaults to none: the server that all tests share.
   */
  readonly serverSettings?: Settings;
}

let shared: Promise<Server> | undefined;
const undropped = new Set<TestDatabase>();

/** A new empty database; drop it in `after`. The server starts with the first call (about a second). */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = await serverFor(options.serverSettings);
  const name = `fieldseal_${options.name ?? "test"}_${randomBytes(6).toString("hex")}`;
  await runAlone(server.url.href, [
    `CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE template0 ENCODING 'UTF8'`,
    ...Object.entries(options.settings ?? {}).map(
      ([setting, value]) =>
        `ALTER DATABASE ${pg.escapeIdentifier(name)} SET ${setting} = ${pg.escapeLiteral(value)}`,
    ),
  ]);
  const isAlone = options.serverSettings !== undefined;
  const database = openDatabase(server, name, isAlone ? () => server.stop() : undefined);
  undropped.add(database);
  return database;
}

/** Drops what tests left, stops the server that this process started and removes its folder. */
export async function stopPostgres(): Promise<void> {
  const running = shared;
  shared = undefined;
  await Promise.allSettled([...undropped].map((database) => database.drop()));
  await (await running)?.stop();
}

async function serverFor(settings: Settings | undefined): Promise<Server> {
  const url = process.env.DATABASE_URL;
  if (settings === undefined) return (shared ??= url ? useServer(url) : startServer());
  if (url) throw new Error("A server of DATABASE_URL cannot be started with other settings.");
  return startServer(settings);
}

async function useServer(url: string): Promise<Server> {
  return {
    url: new URL(url),
    dataDirectory: undefined,
    log: [],
    crash: undefined,
    stop: async () => {},
  };
}

function openDatabase(
  server: Server,
  name: string,
  stopServer: (() => Promise<void>) | undefined,
): TestDatabase {
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4 });
  pool.on("error", () => {}); // the server ends idle connections when a test drops or stops it
  const database: TestDatabase = {
    url: url.href,
    name,
    connection: {
      host: url.hostname,
      port: Number(url.port || 5432),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: name,
    },
    dataDirectory: server.dataDirectory,
    async query<Row extends pg.QueryResultRow>(sql: string, parameters: readonly unknown[] = []) {
      return (await pool.query<Row>(sql, [...parameters])).rows;
    },
    serverLog: () => server.log.join(""),
    completeServerLog: () => completeLog(server, url.href),
    async crashServer() {
      if (stopServer === undefined || server.crash === undefined) {
        throw new Error("This server is not the database's own.");
      }
      await server.crash();
    },
    async drop() {
      if (!undropped.delete(database)) return;
      await pool.end();
      await untilLeft(server.url.href, name);
      const drop = `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`;
      await (stopServer?.() ?? runAlone(server.url.href, [drop]));
    },
  };
  return database;
}

/** Lets the server log a mark, and waits for it: the log comes through a pipe, later than query results may. */
async function completeLog(server: Server, url: string): Promise<string> {
  if (server.dataDirectory === undefined) return "";
  const mark = randomBytes(8).toString("hex");
  await runAlone(url, [`DO $$ BEGIN RAISE LOG 'end of log %', '${mark}'; END $$`]);
  for (let tries = 0; tries < 500; tries++) {
    const log = server.log.join("");
    if (log.includes(`end of log ${mark}`)) return log;
    await delay(10);
  }
  throw new Error("The server's log did not arrive within five seconds.");
}

/**
 * A pool has ended before its connections have: one that the server cuts off meanwhile is an error, which nobody hears any
 * more. Those that a test has left open are cut off all the same.
 */
async function untilLeft(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  try {
    await client.connect();
    for (let tries = 0; tries < 50; tries++) {
      const look = "SELECT FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
      if ((await client.query(look, [name])).rowCount === 0) return;
      await delay(10);
    }
  } catch {
    // The server was stopped, or has crashed.
  } finally {
    await client.end().catch(() => {});
  }
}

async function runAlone(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}
