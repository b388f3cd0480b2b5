// Re-encryption of everything under the primary key: tables one after the other by the engine, then the files. A
// restart goes on where it stopped.
import { cancelRun, listRuns, migrate, type RunReport } from "@fieldseal/migrate";
import type { EncryptedStorage } from "@fieldseal/storage";
import type { RotationState } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import { Problem } from "../http/problem.ts";
import { Pace } from "./pace.ts";
import { RotationJournal } from "./rotation-journal.ts";
import { readTargets, rowsOf, type TableTarget, type Targets } from "./rotation-targets.ts";

export interface RotationOptions {
  readonly database: Database;
  readonly storage: EncryptedStorage;
  readonly rowsPerSecond: number | undefined;
  readonly onFailure: (error: unknown) => void;
}

const IDLE: RotationState = {
  state: "idle",
  done: 0,
  total: 0,
  rowsPerSecond: 0,
  etaSeconds: null,
  workedSeconds: 0,
  failures: 0,
  step: "",
};

/** Pages that follow are told at most so often. */
const TELL_MS = 150;
const BATCH_ROWS = 200;

export class Rotation {
  readonly #options: RotationOptions;
  readonly #journal: RotationJournal;
  readonly #followers = new Set<(state: RotationState) => void>();
  readonly #doneTables: string[] = [];
  #state: RotationState = IDLE;
  #toldAt = 0;
  #abort = new AbortController();
  #work: Promise<void> | undefined;
  #isStarting = false;

  constructor(options: RotationOptions) {
    this.#options = options;
    this.#journal = new RotationJournal(options.database.pool);
  }

  get state(): RotationState {
    return this.#state;
  }

  /** Running, or about to: from now on the primary key must stay what it is. */
  get isUnderWay(): boolean {
    return this.#isStarting || this.#work !== undefined;
  }

  /** Calls `tell` with the state now and with every change, until the returned function is called. */
  follow(tell: (state: RotationState) => void): () => void {
    this.#followers.add(tell);
    tell(this.#state);
    return () => void this.#followers.delete(tell);
  }

  /** Goes on with what a former process left. */
  async restore(): Promise<void> {
    const saved = await this.#journal.read();
    if (!saved) return;
    const { state, failures, doneTables, done, total, workedMs } = saved;
    this.#doneTables.push(...doneTables);
    this.#set({ ...IDLE, state, failures, done, total, workedSeconds: workedMs / 1000 }, true);
    if (state === "running") this.#begin();
  }

  /** @throws {@link Problem} 409 while one is running */
  async start(): Promise<RotationState> {
    return this.#begun(async () => {
      await this.#cancelLeftRuns();
      this.#doneTables.length = 0;
      this.#state = IDLE;
    });
  }

  /** Stops after the batch at hand. */
  async pause(): Promise<RotationState> {
    this.#abort.abort();
    await this.#work;
    return this.#state;
  }

  async resume(): Promise<RotationState> {
    if (this.isUnderWay) return this.#state;
    return this.#state.state === "paused" ? this.#begun() : this.start();
  }

  /** Ends with the process; the next one goes on, unless a person had paused it. */
  async stop(): Promise<void> {
    const wasRunning = this.#work !== undefined;
    const { state } = await this.pause();
    if (wasRunning && state === "paused") await this.#save("running");
  }

  /** Two that start at the same moment would share one journal and one progress: the second is refused. */
  async #begun(prepare?: () => Promise<void>): Promise<RotationState> {
    if (this.isUnderWay) throw new Problem(409, "RUNNING", "A re-encryption is running already.");
    this.#isStarting = true;
    try {
      await prepare?.();
      await this.#save("running");
      this.#set({ ...this.#state, state: "running" }, true);
      this.#begin();
      return this.#state;
    } finally {
      this.#isStarting = false;
    }
  }

  #begin(): void {
    this.#abort = new AbortController();
    this.#work = this.#run(this.#abort.signal)
      .catch(async (error: unknown) => {
        this.#options.onFailure(error);
        await this.#end("failed").catch(this.#options.onFailure);
      })
      .finally(() => {
        this.#work = undefined;
      });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { targets, done, total } = await this.#measure();
    this.#set({ ...this.#state, done, total }, true);
    const pace = new Pace(done, this.#state.workedSeconds);
    const tell = (at: number, step: string): void => {
      this.#set({ ...this.#state, ...pace.at(Math.min(at, total), total), step });
    };
    let base = done;
    for (const target of targets.tables) {
      if (this.#doneTables.includes(target.table)) continue;
      const report = await this.#rotateTable(target, signal, (rows) =>
        tell(base + rows, target.table),
      );
      if (report?.state === "paused") return this.#end("paused");
      // By an operator, or another console that began anew: rows are left that nobody has moved.
      if (report?.state === "cancelled") return this.#end("failed");
      this.#countFailures(report?.poisonRows ?? 0);
      this.#doneTables.push(target.table);
      base += target.rows;
      tell(base, target.table);
      await this.#save("running");
    }
    await this.#rewrapFiles(targets.files, signal, (count) => tell(base + count, "files"));
    if (signal.aborted) return this.#end("paused");
    return this.#end(this.#state.failures > 0 ? "failed" : "done");
  }

  async #rotateTable(
    { columns, rows }: TableTarget,
    signal: AbortSignal,
    tell: (rows: number) => void,
  ): Promise<RunReport | undefined> {
    const { database, rowsPerSecond = Infinity } = this.#options;
    const [report] = await migrate(database.pool, columns, {
      signal,
      batchRows: Math.min(BATCH_ROWS, rowsPerSecond),
      ...(rowsPerSecond === Infinity ? {} : { maxRowsPerSecond: rowsPerSecond }),
      // A second pass looks at rows again; they are counted once.
      onProgress: ({ rowsSeen }) => tell(Math.min(rowsSeen, rows)),
    });
    return report;
  }

  async #rewrapFiles(
    files: readonly string[],
    signal: AbortSignal,
    tell: (count: number) => void,
  ): Promise<void> {
    const { storage, onFailure } = this.#options;
    for (const [i, key] of files.entries()) {
      if (signal.aborted) return;
      await storage.rewrap(key).catch((error: unknown) => {
        onFailure(error);
        this.#countFailures(1);
      });
      tell(i + 1);
    }
  }

  async #measure(): Promise<{ targets: Targets; done: number; total: number }> {
    const targets = await readTargets(this.#options.database, this.#options.storage);
    const done = rowsOf(targets.tables.filter(({ table }) => this.#doneTables.includes(table)));
    return { targets, done, total: targets.total };
  }

  /** Runs of another key, or of a rotation that was given up, would be taken for this one. */
  async #cancelLeftRuns(): Promise<void> {
    const { pool } = this.#options.database;
    for (const { runId, state } of await listRuns(pool)) {
      if (state === "running" || state === "paused") await cancelRun(pool, runId);
    }
  }

  #countFailures(count: number): void {
    this.#state = { ...this.#state, failures: this.#state.failures + count };
  }

  async #end(state: RotationState["state"]): Promise<void> {
    const { done, total } = this.#state;
    const figures = { done: state === "done" ? total : done, rowsPerSecond: 0, etaSeconds: null };
    this.#set({ ...this.#state, ...figures, state, step: "" }, true);
    await this.#save(state);
  }

  #save(state: RotationState["state"]): Promise<void> {
    const { failures, done, total, workedSeconds } = this.#state;
    const doneTables = this.#doneTables;
    const workedMs = workedSeconds * 1000;
    return this.#journal.write({ state, failures, doneTables, done, total, workedMs });
  }

  #set(state: RotationState, isNews = false): void {
    this.#state = state;
    const now = performance.now();
    if (!isNews && now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    for (const tell of this.#followers) tell(state);
  }
}
