// The conformance suite over plain `pg` and ColumnCipher: the smallest adapter there can be. It proves the suite
// itself, and shows whoever writes an adapter for another ORM what there is to do.
import pg from "pg";
import { isDeepStrictEqual } from "node:util";
import { codecsByType, ColumnCipher, queryRefusal } from "../src/index.ts";
import {
  describeConformance,
  Not,
  type ConformanceCondition,
  type ConformanceDefinition,
  type ConformanceModel,
  type ConformanceRecord,
} from "../src/testing.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { recordStatements } from "../../../test/support/sent-statements.ts";

const PLAIN_TYPES = { text: "text", json: "jsonb", binary: "bytea", base64: "text" };

const sent = recordStatements(pg);

class PgModel implements ConformanceModel {
  readonly #table: string;
  readonly #pool: pg.Pool;
  /** Undefined for plain columns. */
  readonly #ciphers: Map<string, ColumnCipher<unknown> | undefined>;
  readonly #jsonFields: Set<string>;
  readonly #firstStatement = sent.length;

  private constructor(pool: pg.Pool, definition: ConformanceDefinition) {
    const { name, keyring, fields } = definition;
    this.#pool = pool;
    pool.on("error", () => {}); // dropping the database ends connections that are still closing
    this.#table = `"${name}"`;
    this.#jsonFields = new Set();
    this.#ciphers = new Map();
    for (const [field, { type, options }] of Object.entries(fields)) {
      const isPlain = options === "plain";
      if (isPlain && type === "json") this.#jsonFields.add(field);
      const cipher = isPlain
        ? undefined
        : new ColumnCipher({
            codec: codecsByType[type],
            label: `${name}.${field}`,
            options,
            defaultContext: { table: name, column: field },
            defaultKeyring: keyring,
          });
      this.#ciphers.set(field, cipher);
    }
  }

  static async open(url: string, definition: ConformanceDefinition): Promise<PgModel> {
    const model = new PgModel(new pg.Pool({ connectionString: url }), definition);
    const columns = Object.entries(definition.fields).flatMap(([field, { type }]) => {
      const cipher = model.#ciphers.get(field);
      const sqlType = cipher
        ? { text: "text", binary: "bytea" }[cipher.storage]
        : PLAIN_TYPES[type];
      const index = cipher?.blindIndex;
      return [`"${field}" ${sqlType}`, ...(index ? [`"${index.column}" text`] : [])];
    });
    await model.#pool.query(
      `CREATE TABLE ${model.#table} (id serial PRIMARY KEY, ${columns.join(", ")})`,
    );
    return model;
  }

  async insert(values: ConformanceRecord): Promise<number> {
    const [id] = await this.insertMany([values]);
    return id!;
  }

  async insertMany(rows: readonly ConformanceRecord[]): Promise<number[]> {
    const fields = [...this.#ciphers.keys()];
    const columns = new Map<string, readonly unknown[]>();
    for (const field of fields) {
      this.#seal(
        field,
        rows.map((row) => row[field] ?? null),
      ).forEach((v, name) => columns.set(name, v));
    }
    const ids: number[] = [];
    for (let i = 0; i < rows.length; i++) {
      const names = [...columns.keys()];
      const { rows: inserted } = await this.#pool.query<{ id: number }>(
        `INSERT INTO ${this.#table} (${names.map((n) => `"${n}"`).join()}) VALUES (${names.map((_, n) => `$${n + 1}`).join()}) RETURNING id`,
        names.map((name) => columns.get(name)![i]),
      );
      ids.push(inserted[0]!.id);
    }
    return ids;
  }

  async load(id: number): Promise<ConformanceRecord> {
    const [row] = this.#open(
      (await this.#pool.query(`SELECT * FROM ${this.#table} WHERE id = $1`, [id])).rows,
    );
    return row!;
  }

  async loadAll(): Promise<ConformanceRecord[]> {
    return this.#open((await this.#pool.query(`SELECT * FROM ${this.#table} ORDER BY id`)).rows);
  }

  async change(id: number, change: (record: ConformanceRecord) => void): Promise<void> {
    const record = await this.load(id);
    const before = structuredClone(record);
    change(record);
    const changed = [...this.#ciphers.keys()].filter((field) => {
      const [was, is] = [before[field], record[field]].map((v) =>
        v instanceof Uint8Array ? Buffer.from(v) : v,
      );
      return !isDeepStrictEqual(was, is);
    });
    if (changed.length > 0)
      await this.update(id, Object.fromEntries(changed.map((f) => [f, record[f]])));
  }

  async update(id: number, values: ConformanceRecord): Promise<void> {
    await this.#update(values, "id = $1", [id]);
  }

  async upsert(values: ConformanceRecord): Promise<void> {
    const columns = this.#sealRow(values);
    const names = ["id", ...columns.keys()].map((name) => `"${name}"`);
    await this.#pool.query(
      `INSERT INTO ${this.#table} (${names.join()}) VALUES (${names.map((_, n) => `$${n + 1}`).join()})
       ON CONFLICT (id) DO UPDATE SET ${names.map((name) => `${name} = EXCLUDED.${name}`).join()}`,
      [values.id, ...columns.values()],
    );
  }

  async find(where: ConformanceCondition): Promise<number[]> {
    const { sql, parameters } = await this.#conditionOf(where);
    const query = `SELECT id FROM ${this.#table} WHERE ${sql} ORDER BY id`;
    return (await this.#pool.query<{ id: number }>(query, parameters)).rows.map(({ id }) => id);
  }

  async count(where: ConformanceCondition): Promise<number> {
    const { sql, parameters } = await this.#conditionOf(where);
    const query = `SELECT count(*)::int AS count FROM ${this.#table} WHERE ${sql}`;
    return (await this.#pool.query<{ count: number }>(query, parameters)).rows[0]!.count;
  }

  async updateWhere(where: ConformanceCondition, values: ConformanceRecord): Promise<void> {
    const { sql, parameters } = await this.#conditionOf(where);
    await this.#update(values, sql, parameters);
  }

  async deleteWhere(where: ConformanceCondition): Promise<void> {
    const { sql, parameters } = await this.#conditionOf(where);
    await this.#pool.query(`DELETE FROM ${this.#table} WHERE ${sql}`, parameters);
  }

  async #update(values: ConformanceRecord, where: string, of: readonly unknown[]): Promise<void> {
    const columns = this.#sealRow(values);
    const sets = [...columns.keys()].map((name, i) => `"${name}" = $${of.length + i + 1}`);
    const sql = `UPDATE ${this.#table} SET ${sets.join()} WHERE ${where}`;
    await this.#pool.query(sql, [...of, ...columns.values()]);
  }

  #sealRow(values: ConformanceRecord): Map<string, unknown> {
    const columns = new Map<string, unknown>();
    for (const [field, value] of Object.entries(values)) {
      if (field === "id") continue;
      this.#seal(field, [value]).forEach(([stored], name) => columns.set(name, stored));
    }
    return columns;
  }

  async #conditionOf(where: ConformanceCondition): Promise<{ sql: string; parameters: unknown[] }> {
    const parameters: unknown[] = [];
    const conditions: string[] = [];
    for (const [field, wanted] of Object.entries(where)) {
      const [value, isNegated] = wanted instanceof Not ? [wanted.value, true] : [wanted, false];
      const column = `"${field}"`;
      if (value === null) {
        conditions.push(`${column} IS ${isNegated ? "NOT " : ""}NULL`);
        continue;
      }
      const [compared, list] = await this.#holding(field, Array.isArray(value) ? value : [value]);
      parameters.push(list);
      const isOneOf = `"${compared}" = ANY($${parameters.length})`;
      conditions.push(isNegated ? `${column} IS NOT NULL AND NOT ${isOneOf}` : isOneOf);
    }
    return { sql: conditions.join(" AND "), parameters };
  }

  /**
   * A column, and what it has where the field holds one of the values. A blind index may be so short that others share
   * the token: rows are read and compared, and their ids are the answer.
   */
  async #holding(field: string, values: readonly unknown[]): Promise<[string, unknown[]]> {
    const cipher = this.#ciphers.get(field);
    if (!cipher) return [field, [...values]];
    if (!cipher.isDeterministic && !cipher.blindIndex)
      throw queryRefusal(cipher, "cannot be searched");
    const terms = values.flatMap((value) => cipher.searchValues(value));
    if (!cipher.blindIndex) return [field, terms];
    const sql = `SELECT * FROM ${this.#table} WHERE "${cipher.blindIndex.column}" = ANY($1)`;
    const rows = this.#open((await this.#pool.query(sql, [terms])).rows);
    const found = rows.filter((row) => values.some((v) => cipher.indexMatches(row[field], v)));
    return ["id", found.map(({ id }) => id)];
  }

  async findLike(property: string, pattern: string): Promise<number[]> {
    const cipher = this.#ciphers.get(property);
    if (cipher) throw queryRefusal(cipher, "cannot be matched by a pattern");
    const sql = `SELECT id FROM ${this.#table} WHERE "${property}" LIKE $1`;
    return (await this.#pool.query<{ id: number }>(sql, [pattern])).rows.map(({ id }) => id);
  }

  async sortBy(property: string): Promise<number[]> {
    const cipher = this.#ciphers.get(property);
    if (cipher) throw queryRefusal(cipher, "cannot be sorted by");
    const sql = `SELECT id FROM ${this.#table} ORDER BY "${property}"`;
    return (await this.#pool.query<{ id: number }>(sql)).rows.map(({ id }) => id);
  }

  statements(): readonly string[] {
    return sent.slice(this.#firstStatement);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  /** What to store, by column: the value's, and the blind index's. */
  #seal(field: string, values: readonly unknown[]): Map<string, readonly unknown[]> {
    const cipher = this.#ciphers.get(field);
    if (!cipher) {
      const isJson = this.#jsonFields.has(field);
      return new Map([[field, values.map((v) => (isJson && v !== null ? JSON.stringify(v) : v))]]);
    }
    const columns = new Map<string, readonly unknown[]>([[field, cipher.sealMany(values)]]);
    const index = cipher.blindIndex;
    if (index)
      columns.set(
        index.column,
        values.map((v) => (v === null ? null : cipher.indexToken(v))),
      );
    return columns;
  }

  #open(rows: readonly ConformanceRecord[]): ConformanceRecord[] {
    const opened = rows.map((row) => ({ ...row }));
    for (const [field, cipher] of this.#ciphers) {
      if (!cipher) continue;
      const values = cipher.openMany(rows.map((row) => row[field] as string | Buffer | null));
      values.forEach((value, i) => (opened[i]![field] = value));
    }
    return opened;
  }
}

describe("the conformance suite, on pg alone", () => {
  let database: TestDatabase;
  before(async function () {
    this.timeout(60_000);
    database = await createTestDatabase();
  });
  after(() => database.drop());

  describeConformance({
    describe,
    it: (title, run) => void it(title, run),
    before: (run) => before(run),
    after: (run) => after(run),
    query: (sql, parameters) => database.query(sql, parameters),
    openModel: (definition) => PgModel.open(database.url, definition),
  });
});
