// One connection of an application: it has rows of its own, so that it knows what each must hold. Old and new versions
// of the application in one: some writes store plaintext, some ciphertext.
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnvelope, type EncryptedColumn } from "@fieldseal/crypto";
import { Client, type QueryResult } from "pg";
import type { Random } from "./random.ts";

export interface Row {
  readonly a: string | null;
  readonly b: string | null;
  readonly n: number;
}

/** A statement and what it makes of rows: undefined where there is none. */
interface Step {
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly after: ReadonlyMap<number, Row | undefined>;
}

export interface WriterSettings {
  readonly url: string;
  readonly random: Random;
  /** This writer's ids are those that leave `place` when divided by `writers`. */
  readonly place: number;
  readonly writers: number;
  readonly rows: number;
  readonly columns: readonly EncryptedColumn[];
  readonly signal: AbortSignal;
}

const MOVED_AND_INSERTED = 2; // ids beyond the first rows, as a multiple of them
const PAUSE_MS = 4;

export class Writer {
  readonly expected = new Map<number, Row>();
  /** What must not happen: rows that do not hold what was acknowledged. */
  readonly violations: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly latencies: number[] = [];
  readonly #settings: WriterSettings;
  #serial = 0;

  constructor(settings: WriterSettings) {
    this.#settings = settings;
    const { rows, place, writers } = settings;
    for (let id = place; id < rows; id += writers) this.expected.set(id, firstRow(id));
  }

  /** Writes until told to stop, through restarts of the server. */
  async run(): Promise<void> {
    const { signal } = this.#settings;
    let unsure: ReadonlyMap<number, Row | undefined> = new Map();
    while (!signal.aborted || unsure.size > 0) {
      const client = new Client({
        connectionString: this.#settings.url,
        application_name: "application",
      });
      client.on("error", () => {});
      try {
        await client.connect();
        await this.#settle(client, unsure);
        unsure = new Map();
        while (!signal.aborted) {
          await this.#transaction(client, (changes) => (unsure = changes));
          unsure = new Map();
          await sleep(this.#settings.random.next() * PAUSE_MS);
        }
      } catch (error) {
        const { code = "connection" } = error as { code?: string };
        this.#count(`error ${code}`);
        if (code === "40P01") this.violations.push("deadlock in a transaction of the application");
        await sleep(50);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  /** A transaction whose COMMIT was not answered happened wholly or not at all. */
  async #settle(client: Client, unsure: ReadonlyMap<number, Row | undefined>): Promise<void> {
    if (unsure.size === 0) return;
    const found = await this.#read(client, [...unsure.keys()]);
    const agree = (states: ReadonlyMap<number, Row | undefined>): boolean =>
      [...unsure.keys()].every((id) => isSame(found.get(id), states.get(id)));
    const happened = agree(unsure);
    if (!happened && !agree(this.expected)) this.#violate("half a transaction", [...unsure.keys()]);
    if (happened) this.#apply(unsure);
    this.#count(happened ? "commit found" : "commit lost");
  }

  async #transaction(
    client: Client,
    announce: (changes: ReadonlyMap<number, Row | undefined>) => void,
  ): Promise<void> {
    const { random } = this.#settings;
    const changes = new Map<number, Row | undefined>();
    const start = performance.now();
    await client.query("BEGIN");
    for (let count = 1 + random.below(4); count > 0; count--) {
      const step = this.#step(changes);
      if (step === undefined) continue;
      const { rowCount } = await client.query(step.sql, [...step.values]);
      if (rowCount !== 1) this.#violate("a row is gone", [...step.after.keys()]);
      for (const [id, row] of step.after) changes.set(id, row);
      if (random.next() < 0.02) await sleep(random.next() * 300); // rows stay locked
    }
    if (random.next() < 0.1) {
      await client.query("ROLLBACK");
      this.#count("rollback");
      return;
    }
    announce(changes); // from here on only the server knows
    await client.query("COMMIT");
    this.latencies.push(performance.now() - start);
    this.#apply(changes);
    this.#count("commit");
    if (random.next() < 0.1) await this.#readBack(client);
  }

  /** A random write of one row that this transaction has not touched yet. */
  #step(changes: ReadonlyMap<number, Row | undefined>): Step | undefined {
    const { random, rows, place, writers, columns } = this.#settings;
    const ids = Math.floor((rows * MOVED_AND_INSERTED - place) / writers);
    const someId = (isThere: boolean): number | undefined => {
      for (let tries = 0; tries < 20; tries++) {
        const id = place + writers * random.below(ids);
        if (!changes.has(id) && this.expected.has(id) === isThere) return id;
      }
      return undefined;
    };
    const id = someId(true);
    const free = someId(false);
    if (id === undefined || free === undefined) return undefined;
    const row = this.expected.get(id) as Row;
    const value = `written by ${place}, number ${this.#serial++}`;
    const kind = random.next();
    const [a, b] = columns as readonly [EncryptedColumn, EncryptedColumn];
    const stored = (column: EncryptedColumn): unknown =>
      random.next() < 0.5 ? value : column.cipher.seal(value);
    const update = (set: string, values: readonly unknown[], after: Partial<Row>): Step => ({
      sql: `UPDATE t SET ${set} WHERE id = $1`,
      values: [id, ...values],
      after: new Map([[id, { ...row, ...after }]]),
    });
    if (kind < 0.45) return update("a = $2", [stored(a)], { a: value });
    if (kind < 0.55) return update("b = $2", [stored(b)], { b: value });
    if (kind < 0.6) return update("a = NULL", [], { a: null });
    if (kind < 0.7) return update("n = n + 1", [], { n: row.n + 1 });
    if (kind < 0.75) return update("a = a", [], {});
    if (kind < 0.82) {
      const after = new Map<number, Row | undefined>([
        [id, undefined],
        [free, row],
      ]);
      return { sql: "UPDATE t SET id = $2 WHERE id = $1", values: [id, free], after };
    }
    if (kind < 0.91) {
      return {
        sql: "DELETE FROM t WHERE id = $1",
        values: [id],
        after: new Map([[id, undefined]]),
      };
    }
    return {
      sql: "INSERT INTO t (id, a, b, n) VALUES ($1, $2, $3, 0)",
      values: [free, stored(a), stored(b)],
      after: new Map([[free, { a: value, b: value, n: 0 }]]),
    };
  }

  async #readBack(client: Client): Promise<void> {
    const ids = [...this.expected.keys()];
    const id = this.#settings.random.pick(ids);
    const found = await this.#read(client, [id]);
    if (!isSame(found.get(id), this.expected.get(id)))
      this.#violate("another value was read", [id]);
  }

  async #read(client: Client, ids: readonly number[]): Promise<Map<number, Row>> {
    const { rows }: QueryResult<Row & { id: string }> = await client.query(
      "SELECT id, a, b, n FROM t WHERE id = ANY ($1)",
      [ids],
    );
    const [a, b] = this.#settings.columns as readonly [EncryptedColumn, EncryptedColumn];
    return new Map(
      rows.map((row) => [Number(row.id), { a: opened(a, row.a), b: opened(b, row.b), n: row.n }]),
    );
  }

  #apply(changes: ReadonlyMap<number, Row | undefined>): void {
    for (const [id, row] of changes) {
      if (row === undefined) this.expected.delete(id);
      else this.expected.set(id, row);
    }
  }

  #violate(what: string, ids: readonly number[]): void {
    this.violations.push(`${what}: row ${ids.join(", ")}`);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

export function firstRow(id: number): Row {
  return { a: `first a of ${id}`, b: `first b of ${id}`, n: 0 };
}

function opened({ cipher }: EncryptedColumn, stored: string | null): string | null {
  if (stored === null || parseEnvelope(stored) === undefined) return stored;
  return cipher.open(stored) as string;
}

function isSame(one: Row | undefined, other: Row | undefined): boolean {
  return one?.a === other?.a && one?.b === other?.b && one?.n === other?.n;
}
