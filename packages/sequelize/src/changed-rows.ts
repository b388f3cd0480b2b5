// Which rows statements changed, in the forms in which Sequelize tells it. Their primary keys come back by RETURNING, and
// leave the result where nobody asked for them.
import { Model } from "sequelize";
import type { Attribute } from "./sequelize-internals.ts";

type Row = Record<string, unknown>;

export interface ChangeOptions {
  readonly returning?: unknown;
  readonly limit?: unknown;
  readonly raw?: unknown;
}

/** A method of the query interface that changes rows. */
export interface ChangeMethod {
  /** Under which name a column stands in the rows that come back; undefined where none do, being deleted. */
  readonly named?: "field" | "fieldName";
  /** Whether rows come back where nothing is said. */
  readonly returns?: boolean;
  /** Whether PostgreSQL takes its limit. */
  readonly isLimited?: boolean;
  /** The rows are undefined where Sequelize puts them into an instance. */
  read(result: unknown): { readonly count: number; readonly rows: readonly Row[] | undefined };
  /** What it gives for several statements, the last of which gave `last`. */
  result(count: number, rows: readonly Row[] | undefined, last: unknown): unknown;
}

export const BULK_UPDATE: ChangeMethod = {
  named: "fieldName",
  read: (result) => ({ count: (result as Row[]).length, rows: result as Row[] }),
  result: (count, rows) => rows ?? count,
};

export const INCREMENT: ChangeMethod = {
  named: "field",
  returns: true,
  read(result) {
    const [rows, count] = result as [unknown, number];
    return { count, rows: Array.isArray(rows) ? (rows as Row[]) : undefined };
  },
  result(count, rows, last) {
    const [first] = last as readonly unknown[];
    return [rows ?? (Array.isArray(first) ? [] : first), count];
  },
};

export const BULK_DELETE: ChangeMethod = {
  isLimited: true,
  // Seeds name no type of statement, and get what `pg` gives.
  read: (result) => ({
    count: Array.isArray(result)
      ? (result[1] as { rowCount: number }).rowCount
      : (result as number),
    rows: [],
  }),
  result: (count, _rows, last) =>
    Array.isArray(last) ? [last[0], Object.assign(last[1] as object, { rowCount: count })] : count,
};

/** A row's primary key, as text to compare. */
export function keyText(
  primaryKeys: readonly Attribute[],
  row: Row,
  named: "field" | "fieldName" = "fieldName",
): string {
  const values = primaryKeys.map(({ [named]: name }) => row[name]);
  return JSON.stringify(values.map((value) => (typeof value === "bigint" ? String(value) : value)));
}

/** What the statements of one change did so far. */
export class ChangedRows {
  readonly #method: ChangeMethod;
  readonly #options: ChangeOptions;
  readonly #primaryKeys: readonly Attribute[];
  readonly #isReturning: boolean;
  /** The columns that were asked for, if not all. */
  readonly #columns: readonly unknown[] | undefined;
  /** Of the primary key, those that were not. */
  readonly #unasked: readonly Attribute[];
  #rows: readonly Row[] | undefined = [];
  /** Made when somebody asks: mostly nobody does, and there may be millions. */
  #keys: ReadonlySet<string> | undefined;
  #count = 0;
  #isTold = true;
  #last: unknown;

  constructor(method: ChangeMethod, options: ChangeOptions, primaryKeys: readonly Attribute[]) {
    const { returning = method.returns } = options;
    this.#method = method;
    this.#options = options;
    this.#primaryKeys = primaryKeys;
    this.#isReturning = Boolean(returning);
    const isListed = Array.isArray(returning) && returning.length > 0 && !returning.includes("*");
    this.#columns = isListed ? (returning as readonly unknown[]) : undefined;
    const isEverything = this.#isReturning && this.#columns === undefined;
    this.#unasked =
      method.named === undefined || isEverything
        ? []
        : primaryKeys.filter(({ field }) => this.#columns?.includes(field) !== true);
  }

  /** For the next statement. */
  get options(): ChangeOptions {
    const { raw } = this.#options;
    const columns = [...(this.#columns ?? []), ...this.#unasked.map(({ field }) => field)];
    return {
      ...this.#options,
      ...(this.#unasked.length > 0 && { returning: columns, raw: !this.#isReturning || raw }),
      ...(this.#remaining < Infinity && { limit: this.#remaining }),
    };
  }

  get #remaining(): number {
    const { limit } = this.#options;
    return this.#method.isLimited && limit ? Number(limit) - this.#count : Infinity;
  }

  /** Whether no more may be changed, or nobody can tell what was. */
  get isOver(): boolean {
    return this.#remaining <= 0 || !this.#isTold;
  }

  get count(): number {
    return this.#count;
  }

  get result(): unknown {
    const { named = "fieldName" } = this.#method;
    const unasked = this.#unasked.map(({ [named]: name }) => name);
    const rows = this.#isReturning ? this.#rows : undefined;
    for (const copy of rows?.flatMap(copiesIn) ?? []) for (const name of unasked) delete copy[name];
    return this.#method.result(this.#count, rows, this.#last);
  }

  /** Takes a statement's result; returns how many rows it changed. */
  add(result: unknown): number {
    const { count, rows } = this.#method.read(result);
    this.#last = result;
    this.#count += count;
    this.#rows = rows && this.#rows?.concat(rows);
    this.#keys = undefined;
    const { named } = this.#method;
    if (named && count > 0) {
      const copy = rows?.[0] && copiesIn(rows[0])[0];
      this.#isTold &&= this.#primaryKeys.every(({ [named]: name }) => copy?.[name] !== undefined);
    }
    return count;
  }

  has(key: string): boolean {
    const { named } = this.#method;
    this.#keys ??= new Set(
      this.#rows?.map((row) => keyText(this.#primaryKeys, copiesIn(row)[0] as Row, named)),
    );
    return this.#keys.has(key);
  }
}

/** A row that came back, or what an instance keeps of it. */
function copiesIn(row: Row): Row[] {
  const { dataValues, _previousDataValues: previous } = row as Record<string, Row>;
  return row instanceof Model ? [dataValues as Row, previous as Row] : [row];
}
