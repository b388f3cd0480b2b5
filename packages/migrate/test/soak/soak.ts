// The engine under everything that can go wrong at once: an application that writes, workers killed with SIGKILL,
// connections cut, a server that crashes. Afterwards every acknowledged write is the value that is read.
import { fork, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generateRootKey, Keyring, parseEnvelope } from "@fieldseal/crypto";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../../test/support/postgres.ts";
import { listRuns, migrate, verifyColumns } from "../../src/index.ts";
import { ACCEPT, column } from "../columns.ts";
import { Random } from "./random.ts";
import { Writer, type Row } from "./writer.ts";

export interface SoakSettings {
  readonly seed: number;
  readonly seconds: number;
  readonly rows: number;
  /** Over the whole time, at random moments. */
  readonly kills: number;
  /** Workers that stand still for longer than their lease, and then go on as if nothing had happened. */
  readonly stalls: number;
  readonly cutConnections: number;
  readonly crashes: number;
}

export interface SoakFigures {
  readonly counts: Readonly<Record<string, number>>;
  /** Empty, or the engine is wrong. */
  readonly violations: readonly string[];
  readonly workerErrors: readonly string[];
  readonly deadlocks: number;
  readonly runsEnded: number;
  /** By the engine, in all runs. */
  readonly engine: {
    readonly passes: number;
    readonly rowsWritten: number;
    readonly conflicts: number;
  };
  readonly rowsLeft: number;
  readonly latencyMs: { readonly median: number; readonly p99: number; readonly max: number };
}

const PROCESSES = 3;
const LEASE_MS = 700;
const WRITERS = 6;

export async function soak(settings: SoakSettings): Promise<SoakFigures> {
  // The application's commits are durable, as everywhere; the engine's own need not be.
  const serverSettings = {
    synchronous_commit: "on",
    autovacuum_naptime: "1s",
    deadlock_timeout: "200ms",
  };
  const database = await createTestDatabase({ name: "soak", serverSettings });
  const soaking = new Soak(database, settings);
  try {
    return await soaking.run();
  } finally {
    soaking.end();
    await database.drop();
  }
}

class Soak {
  readonly #database: TestDatabase;
  readonly #settings: SoakSettings;
  readonly #random: Random;
  readonly #key = generateRootKey();
  readonly #keyring = Keyring.fromKey(this.#key);
  readonly #columns = ["a", "b"].map((name) =>
    column({ table: "t", column: name, keyring: this.#keyring, options: ACCEPT }),
  );
  readonly #workers = new Set<ChildProcess>();
  readonly #workerErrors: string[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #runs = new Set<string>();
  #engine = { passes: 0, rowsWritten: 0, conflicts: 0 };
  #isEnding = false;

  constructor(database: TestDatabase, settings: SoakSettings) {
    this.#database = database;
    this.#settings = settings;
    this.#random = new Random(settings.seed);
  }

  async run(): Promise<SoakFigures> {
    await this.#fill();
    const controller = new AbortController();
    const writers = Array.from({ length: WRITERS }, (_, place) =>
      this.#writer(place, controller.signal),
    );
    const writing = writers.map((writer) => writer.run());
    for (let i = 0; i < PROCESSES; i++) this.#startWorker();
    await this.#harm();
    controller.abort();
    await Promise.all(writing);
    this.end();
    const violations = [
      ...writers.flatMap((one) => one.violations),
      ...(await this.#compare(writers)),
    ];
    const latencies = writers.flatMap((one) => one.latencies).toSorted((a, b) => a - b);
    const at = (share: number): number =>
      Math.round(latencies[Math.floor((latencies.length - 1) * share)] ?? 0);
    const log = await this.#database.completeServerLog();
    for (const { counts } of writers) {
      for (const [name, count] of Object.entries(counts)) this.#count(name, count);
    }
    return {
      counts: this.#counts,
      violations,
      workerErrors: this.#workerErrors,
      deadlocks: log.split("deadlock detected").length - 1,
      runsEnded: this.#runs.size,
      engine: this.#engine,
      rowsLeft: writers.reduce((sum, { expected }) => sum + expected.size, 0),
      latencyMs: { median: at(0.5), p99: at(0.99), max: at(1) },
    };
  }

  /** Kills what is left of the workers. */
  end(): void {
    this.#isEnding = true;
    for (const worker of this.#workers) worker.kill("SIGKILL");
  }

  async #fill(): Promise<void> {
    await this.#database.query(
      "CREATE TABLE t (id bigint PRIMARY KEY, a text, b text, n int NOT NULL)",
    );
    await this.#database.query(
      "INSERT INTO t SELECT i, 'first a of ' || i, 'first b of ' || i, 0 FROM generate_series(0, $1::int - 1) i",
      [this.#settings.rows],
    );
    await this.#database.query("ANALYZE t");
  }

  #writer(place: number, signal: AbortSignal): Writer {
    const { rows, seed } = this.#settings;
    const random = new Random(seed + 1 + place);
    const { url } = this.#database;
    return new Writer({
      url,
      random,
      place,
      writers: WRITERS,
      rows,
      columns: this.#columns,
      signal,
    });
  }

  #startWorker(): void {
    const script = fileURLToPath(new URL("../support/migrate-child.ts", import.meta.url));
    // Slow enough that every kill meets a pass at work.
    const options = {
      batchRows: 200,
      chunks: 30,
      leaseMs: LEASE_MS,
      maxRowsPerSecond: this.#settings.rows / 15,
      vacuum: true,
    };
    const parameters = JSON.stringify({ url: this.#database.url, key: this.#key, options });
    const worker = fork(script, [parameters], {
      execArgv: ["--conditions=@fieldseal/source"],
      stdio: "ignore",
    });
    this.#workers.add(worker);
    worker.on("message", (message: { error?: string; runId?: string }) => {
      if (message.error !== undefined) this.#workerErrors.push(message.error);
      if (message.runId !== undefined) this.#runs.add(message.runId);
    });
    worker.on("exit", () => {
      this.#workers.delete(worker);
      if (!this.#isEnding) this.#startWorker();
    });
  }

  /** All the harm of a soak, at random moments of its time. */
  async #harm(): Promise<void> {
    const { seconds, kills, stalls, cutConnections, crashes } = this.#settings;
    const planned = (count: number, action: () => Promise<void> | void) =>
      Array.from({ length: count }, () => ({
        at: (0.05 + 0.9 * this.#random.next()) * seconds * 1000,
        action,
      }));
    const plan = [
      ...planned(kills, () => this.#kill()),
      ...planned(stalls, () => this.#stall()),
      ...planned(cutConnections, () => this.#cutConnection()),
      ...planned(crashes, () => this.#crash()),
    ].toSorted((one, other) => one.at - other.at);
    const start = performance.now();
    for (const { at, action } of plan) {
      await sleep(Math.max(0, start + at - performance.now()));
      await action();
    }
    await sleep(Math.max(0, start + seconds * 1000 - performance.now()));
  }

  #kill(): void {
    const victim = this.#random.pick([...this.#workers]);
    victim.kill("SIGKILL");
    this.#count("worker killed");
  }

  #stall(): void {
    const victim = this.#random.pick([...this.#workers]);
    victim.kill("SIGSTOP");
    setTimeout(() => victim.kill("SIGCONT"), 2 * LEASE_MS);
    this.#count("worker stalled");
  }

  async #cutConnection(): Promise<void> {
    const application = this.#random.next() < 0.7 ? "fieldseal" : "application";
    const [cut] = await this.#database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 ORDER BY random() LIMIT 1",
      [application],
    );
    if (cut) this.#count(`connection cut: ${application}`);
  }

  async #crash(): Promise<void> {
    await this.#database.crashServer();
    this.#count("server crashed");
  }

  /** The database against what the application was told; also ends the migration, and runs it a second time. */
  async #compare(writers: readonly Writer[]): Promise<string[]> {
    const violations: string[] = [];
    const pool = new Pool({ connectionString: this.#database.url });
    try {
      await sleep(LEASE_MS + 100); // leases of the dead end
      const [report] = await migrate(pool, this.#columns);
      if (report?.state !== "done" || report.poisonRows > 0)
        violations.push(`the last run ended ${report?.state}`);
      const [again] = await migrate(pool, this.#columns);
      if (again?.rowsWritten !== 0)
        violations.push(`a second run wrote ${again?.rowsWritten} rows`);
      for (const { column, isStrict } of await verifyColumns(pool, this.#columns)) {
        if (!isStrict) violations.push(`column ${column} is not strict`);
      }
      for (const { pass, rowsWritten, conflicts } of await listRuns(pool)) {
        this.#engine.passes += pass;
        this.#engine.rowsWritten += rowsWritten;
        this.#engine.conflicts += conflicts;
      }
      violations.push(...this.#compareRows(await this.#database.query("SELECT * FROM t"), writers));
    } finally {
      await pool.end();
    }
    return violations;
  }

  #compareRows(stored: readonly Record<string, unknown>[], writers: readonly Writer[]): string[] {
    const expected = new Map(writers.flatMap((one) => [...one.expected]));
    const violations: string[] = [];
    for (const { id, n, ...values } of stored) {
      const row = expected.get(Number(id));
      expected.delete(Number(id));
      for (const { column: name, cipher } of this.#columns) {
        const cell = values[name] as string | null;
        const isSealedOnce = cell === null || parseEnvelope(cell) !== undefined;
        const value = cell === null ? null : cipher.open(cell);
        if (!isSealedOnce || row === undefined || value !== row[name as keyof Row] || n !== row.n) {
          violations.push(`row ${String(id)}, column ${name} is not what was acknowledged`);
        }
      }
    }
    for (const id of expected.keys()) violations.push(`row ${id} is gone`);
    return violations;
  }

  #count(name: string, count = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + count;
  }
}
