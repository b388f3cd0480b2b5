// Work that failed and must happen all the same: kept in the database, tried again with growing pauses, by whichever
// process is free.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Op } from "sequelize";
import type { Database } from "../database/database.ts";
import type { RetryJobRow } from "../database/models.ts";

export type Payload = RetryJobRow["payload"];

/** Must do no harm when it runs twice: a process may end between the work and its crossing out. */
export type JobHandler = (payload: Payload) => Promise<void>;

export interface RetryQueueOptions {
  readonly handlers: Readonly<Record<string, JobHandler>>;
  readonly onFailure: (kind: string, error: unknown) => void;
  /** Defaults to 2 s. */
  readonly pollMs?: number;
}

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;

export class RetryQueue {
  readonly #database: Database;
  readonly #options: RetryQueueOptions;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(database: Database, options: RetryQueueOptions) {
    this.#database = database;
    this.#options = options;
  }

  async add(kind: string, payload: Payload): Promise<void> {
    await this.#database.models.RetryJob.create({
      id: randomUUID(),
      kind,
      payload,
      attempts: 0,
      nextAt: new Date(),
      lastError: null,
    });
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Does what is due. @returns how many jobs it tried */
  async runDue(): Promise<number> {
    let tried = 0;
    while (!this.#stop.signal.aborted && (await this.#runOne())) tried += 1;
    return tried;
  }

  async #run(): Promise<void> {
    const { pollMs = 2_000, onFailure } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.runDue().catch((error: unknown) => onFailure("queue", error));
      await delay(pollMs, undefined, { signal }).catch(() => {});
    }
  }

  /** The row stays locked while its work is done, so that nobody else does it too. */
  async #runOne(): Promise<boolean> {
    const { sequelize, models } = this.#database;
    const { handlers, onFailure } = this.#options;
    return sequelize.transaction(async (transaction) => {
      const job = await models.RetryJob.findOne({
        where: { nextAt: { [Op.lte]: new Date() }, kind: Object.keys(handlers) },
        order: [["nextAt", "ASC"]],
        lock: true,
        skipLocked: true,
        transaction,
      });
      if (!job) return false;
      try {
        await handlers[job.kind]?.(job.payload);
        await job.destroy({ transaction });
      } catch (error) {
        onFailure(job.kind, error);
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** job.attempts, LONGEST_PAUSE_MS);
        const lastError = error instanceof Error ? error.name : typeof error;
        const nextAt = new Date(Date.now() + pauseMs);
        await job.update({ attempts: job.attempts + 1, nextAt, lastError }, { transaction });
      }
      return true;
    });
  }
}
