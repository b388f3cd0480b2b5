// The shapes of statements on their way, as read from Sequelize 6.37.8: options, query generator, query interface.
// Only types, and the marks that we put on options; sequelize-internals.ts casts to them.
import type { OutOfSight } from "./out-of-sight.ts";
import type { Attribute, ModelClass, Table } from "./sequelize-internals.ts";

/** Passed from the query generator to a data type (query-generator.js, escape and format). */
export interface TypeContext {
  readonly field?: Attribute;
  readonly bindParam?: (value: unknown) => string;
}

/** `SELECT` options where they nest: the query itself, and each include. */
export interface SelectNode {
  attributes?: readonly unknown[];
  include?: readonly IncludeNode[];
  includeMap?: Record<string, IncludeNode>;
  where?: unknown;
  order?: unknown;
  group?: unknown;
  having?: unknown;
}

export interface IncludeNode extends SelectNode {
  readonly model: ModelClass;
  readonly as?: string;
  /** Whether it is read by a statement of its own. */
  readonly separate?: boolean;
  readonly required?: boolean;
  /** Whether rows are joined that fulfil the condition *or* are associated. */
  readonly or?: boolean;
  readonly through?: { readonly model: ModelClass; where?: unknown };
  on?: unknown;
}

/** One statement on its way (dialects/abstract/query.js). */
export interface Query {
  readonly model?: ModelClass;
  readonly instance?: { dataValues?: Record<string, unknown> };
  readonly options: SelectNode & {
    readonly type?: string;
    readonly raw?: boolean;
    readonly hasMultiAssociation?: boolean;
    readonly returning?: unknown;
    /** What mapToModel and callers of `query()` say: attribute by column. */
    readonly fieldMap?: Readonly<Record<string, string>>;
    readonly [WRITTEN]?: OutOfSight<WrittenColumns>;
    readonly [EXPECTED]?: OutOfSight<readonly ExpectedValues[]>;
  };
  handleSelectQuery(rows: Row[]): unknown;
  run(sql: string, parameters?: unknown): Promise<unknown>;
}

export type Row = Record<string, unknown>;
export type Values = Record<string, unknown>;

/** What a statement is about to store, by column: so that RETURNING need not be decrypted again. */
export const WRITTEN: unique symbol = Symbol("fieldseal: written");
export type WrittenColumns = ReadonlyMap<string, readonly WrittenValue[]>;
export interface WrittenValue {
  readonly stored: string | Buffer | null;
  readonly plain: unknown;
}

/** Which values a search asks for: the rows that come back must hold one of them. */
export const EXPECTED: unique symbol = Symbol("fieldseal: expected");
export interface ExpectedValues {
  /** What precedes the value's name in a row: nothing, `posts.`, `posts.tags.`. */
  readonly prefix: string;
  readonly attribute: Attribute;
  readonly values: readonly unknown[];
}

export interface WriteOptions {
  [WRITTEN]?: OutOfSight<WrittenColumns>;
  model?: ModelClass;
  returning?: unknown;
  updateOnDuplicate?: string[];
  conflictWhere?: unknown;
}

export interface WhereOptions {
  readonly model?: ModelClass;
  readonly field?: Attribute;
  readonly prefix?: unknown;
}

export interface QueryGenerator {
  quoteIdentifier(name: string): string;
  escape(value: unknown, field?: Attribute, options?: { readonly context?: string }): string;
  format(
    value: unknown,
    field: Attribute | undefined,
    options: { readonly context?: string },
    bindParam: (value: unknown) => string,
  ): string;
  whereItemQuery(key: unknown, value: unknown, options?: WhereOptions): string;
  whereItemsQuery(where: unknown, options?: WhereOptions): string;
  getWhereConditions(
    where: unknown,
    tableName: unknown,
    factory?: ModelClass,
    options?: unknown,
    prepend?: unknown,
  ): string;
  handleSequelizeMethod(
    method: unknown,
    tableName?: unknown,
    factory?: ModelClass,
    options?: unknown,
    prepend?: unknown,
  ): string;
  selectQuery(tableName: unknown, options: SelectNode, model?: ModelClass): string;
  insertQuery(
    table: Table,
    values: Values,
    attributes: Record<string, Attribute> | undefined,
    options: WriteOptions,
  ): unknown;
  updateQuery(
    table: Table,
    values: Values,
    where: unknown,
    options: WriteOptions,
    attributes?: Record<string, Attribute>,
  ): unknown;
  bulkInsertQuery(
    table: Table,
    rows: readonly Values[],
    options: WriteOptions,
    attributes?: Record<string, Attribute>,
  ): string;
  arithmeticQuery(
    operator: string,
    table: Table,
    where: unknown,
    amounts: Values,
    extra: Values,
    options: WriteOptions,
  ): string;
  /** `attributes` may be left out, and the options come in its place. */
  addIndexQuery(
    table: Table,
    attributes: readonly unknown[] | IndexOptions,
    options?: IndexOptions,
    rawTable?: unknown,
  ): string;
  addConstraintQuery(table: Table, options?: IndexOptions): string;
}

/** Of an index or a constraint. */
export interface IndexOptions {
  readonly fields?: readonly unknown[];
  readonly unique?: boolean;
  readonly type?: string;
  readonly where?: unknown;
}

export interface QueryInterface {
  select(model: ModelClass | null, table: unknown, options: SelectNode): Promise<unknown>;
  rawSelect(
    table: unknown,
    options: SelectNode,
    selector: string,
    model?: ModelClass,
  ): Promise<unknown>;
  upsert(
    table: Table,
    insert: Values,
    update: Values,
    where: unknown,
    options: WriteOptions,
  ): Promise<unknown>;
  bulkUpdate(
    table: Table,
    values: Values,
    where: unknown,
    options: WriteOptions,
    attributes?: unknown,
  ): Promise<unknown>;
  bulkDelete(
    table: Table,
    where: unknown,
    options: WriteOptions,
    model?: ModelClass,
  ): Promise<unknown>;
  increment(model: ModelClass, table: Table, where: unknown, ...rest: unknown[]): Promise<unknown>;
  decrement(model: ModelClass, table: Table, where: unknown, ...rest: unknown[]): Promise<unknown>;
}
