// Between batches: is the run still wanted, does the server need a rest, who is to be told.
import { channels } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Progress } from "./contract.ts";
import { readHealth, reasonToWait } from "./health.ts";
import { readProgress } from "./journal.ts";
import { Bucket, pause } from "./pace.ts";
import { refusePoison, type Run } from "./run.ts";
import type { Turns } from "./turns.ts";

const LEASE = "lease of another process";
const HEALTH_MS = 1000;
/** Between looks at the write-ahead log where it is limited: what is written meanwhile goes at full speed. */
const WAL_MS = 50;
/** Of a wait; another look is taken then. */
const WAIT_MS = 1000;

export class Monitor {
  readonly #client: Turns<ClientBase>;
  readonly #run: Run;
  readonly #rowRate: Bucket | undefined;
  readonly #walRate: Bucket | undefined;
  #walBytes: number | undefined;
  #nextLook = 0;
  #nextHealth = 0;
  #nextWal = 0;
  #walLook: Promise<void> | undefined;
  #isRunning = true;
  #look: Promise<void> | undefined;
  #leaseSeconds: number | undefined;

  constructor(client: Turns<ClientBase>, run: Run) {
    const { maxRowsPerSecond, maxWalBytesPerSecond } = run.options;
    this.#client = client;
    this.#run = run;
    this.#rowRate = maxRowsPerSecond === undefined ? undefined : new Bucket(maxRowsPerSecond);
    this.#walRate =
      maxWalBytesPerSecond === undefined ? undefined : new Bucket(maxWalBytesPerSecond);
  }

  /** All that is left is on lease of other processes: of live ones, or of one that was killed. undefined: no longer. */
  waitForLease(seconds: number | undefined): void {
    this.#leaseSeconds = seconds;
  }

  /** Every worker stops before its next batch. */
  stop(): void {
    this.#isRunning = false;
  }

  /** After every batch: keeps to the rates; false when the worker is to stop. */
  async mayGoOn(rows: number): Promise<boolean> {
    const { signal, deadline } = this.#run;
    if (this.#rowRate) await pause(this.#rowRate.take(rows), signal);
    if (this.#walRate && (this.#walLook || performance.now() >= this.#nextWal)) {
      this.#walLook ??= this.#keepToWal(this.#walRate).finally(() => (this.#walLook = undefined));
      await this.#walLook;
    }
    if (signal?.aborted === true || performance.now() >= deadline) return false;
    if (performance.now() >= this.#nextLook) {
      // The workers share a look.
      this.#look ??= this.#takeLook().finally(() => (this.#look = undefined));
      await this.#look;
    }
    return this.#isRunning;
  }

  async #takeLook(): Promise<void> {
    const { options, signal } = this.#run;
    for (;;) {
      const waitingFor = await this.#reasonToWait();
      const progress = await this.#report(waitingFor);
      refusePoison(this.#run, progress);
      this.#isRunning &&= progress.state === "running";
      this.#nextLook = performance.now() + options.progressMs;
      const isOver = signal?.aborted === true || performance.now() >= this.#run.deadline;
      if (waitingFor === undefined || !this.#isRunning || isOver) return;
      await pause(WAIT_MS, signal);
      this.#nextHealth = 0;
    }
  }

  async #report(waitingFor: string | undefined): Promise<Progress> {
    const progress = await this.#client.take((client) =>
      readProgress(client, this.#run.id, this.#run.table),
    );
    const { onProgress } = this.#run.options;
    const told = { ...progress, ...this.#wait(waitingFor) };
    onProgress?.(told);
    if (channels.migrate.hasSubscribers) channels.migrate.publish(told);
    return progress;
  }

  #wait(waitingFor: string | undefined): Pick<Progress, "waitingFor" | "waitingSeconds"> {
    if (waitingFor !== undefined) return { waitingFor };
    if (this.#leaseSeconds === undefined) return {};
    return { waitingFor: LEASE, waitingSeconds: Math.ceil(this.#leaseSeconds) };
  }

  async #keepToWal(rate: Bucket): Promise<void> {
    const { walBytes } = await this.#client.take(readHealth);
    const grown = walBytes - (this.#walBytes ?? walBytes);
    this.#walBytes = walBytes;
    await pause(rate.take(grown), this.#run.signal);
    this.#nextWal = performance.now() + WAL_MS;
  }

  async #reasonToWait(): Promise<string | undefined> {
    if (performance.now() < this.#nextHealth) return undefined;
    this.#nextHealth = performance.now() + HEALTH_MS;
    const health = await this.#client.take(readHealth);
    return reasonToWait(health, this.#run.options);
  }
}
