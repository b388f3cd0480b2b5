// fieldseal(): hooks the adapter into one Sequelize instance. Three places, and nothing of Sequelize is replaced:
// the query generator (values on their way into SQL, conditions), each query (rows on their way out), and the
// query interface (what must be asked before SQL is built).
import { ConfigError, UnsupportedQueryError, type KeyringInput } from "@fieldseal/crypto";
import { Utils, type Sequelize } from "sequelize";
import {
  cipherOf,
  encryptedAttributes,
  isEncrypted,
  isInstalled,
  recordInstallation,
} from "./installation.ts";
import { prepareModel } from "./model-setup.ts";
import { openRows, runReturning } from "./open-reads.ts";
import { redactError } from "./redaction.ts";
import { sealRows, withIndexColumns } from "./seal-writes.ts";
import { Sealed } from "./sealed.ts";
import {
  attributeInExpression,
  attributeOfKey,
  namedAttribute,
  refuse,
  searchCondition,
} from "./search.ts";
import { guardSelect } from "./select-guard.ts";
import {
  modelOfTable,
  modelsOf,
  onModelDefined,
  onValidationFailed,
  queryGeneratorOf,
  queryInterfaceOf,
  type Attribute,
  type ModelClass,
  type Query,
  type QueryGenerator,
  type Values,
  type WriteOptions,
} from "./sequelize-internals.ts";
import { resolveSelect, resolveWhere, type ReadContext } from "./short-index.ts";

export interface FieldsealOptions {
  /** For all columns without one of their own. Defaults to the process default (`configure()`, the environment). */
  readonly keyring?: KeyringInput;
}

/**
 * Makes the encrypted types work on this instance, for models defined before and after. Without it they refuse to
 * read and write.
 *
 * @example
 * ```ts
 * const sequelize = new Sequelize(url);
 * fieldseal(sequelize);
 * ```
 * @returns the instance
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` when it is installed already: two keyrings must not mix
 */
export function fieldseal(sequelize: Sequelize, options: FieldsealOptions = {}): Sequelize {
  if (isInstalled(sequelize)) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      "fieldseal() was called twice on one Sequelize instance. Call it once, right after new Sequelize().",
    );
  }
  recordInstallation(sequelize, { keyring: options.keyring });
  for (const model of modelsOf(sequelize)) prepareModel(model);
  onModelDefined(sequelize, prepareModel);
  onValidationFailed(sequelize, (instance, _failed, error) => {
    redactError(error, instance.constructor as ModelClass);
  });
  sequelize.addHook("beforeQuery", (_options, query) => openQuery(query as unknown as Query));
  hookConditions(sequelize);
  hookWrites(sequelize);
  hookReads(sequelize);
  return sequelize;
}

/** The `Sequelize` class, or a subclass: Sequelize keeps one list of such hooks for all of them. */
export interface SequelizeClass {
  addHook(type: "afterInit", name: string, hook: (sequelize: Sequelize) => void): unknown;
  removeHook(type: "afterInit", name: string): unknown;
}

/**
 * Installs on every Sequelize instance that is created from now on in this process: for code that creates its own.
 *
 * @example
 * ```ts
 * const stop = fieldsealEverywhere(Sequelize, { keyring });
 * ```
 * @returns a function that ends it; instances that exist keep the plugin
 */
export function fieldsealEverywhere(
  target: SequelizeClass,
  options: FieldsealOptions = {},
): () => void {
  target.addHook("afterInit", "fieldseal", (sequelize) => {
    if (!isInstalled(sequelize)) fieldseal(sequelize, options);
  });
  return () => void target.removeHook("afterInit", "fieldseal");
}

/** Rows are opened where the driver hands them over. */
function openQuery(query: Query): void {
  const { handleSelectQuery, run } = query;
  query.handleSelectQuery = (rows) => {
    openRows(query, rows);
    return handleSelectQuery.call(query, rows);
  };
  query.run = async (sql, parameters) => {
    try {
      return await runReturning(query, () => run.call(query, sql, parameters));
    } catch (error) {
      redactError(error, query.model);
      throw error;
    }
  };
}

function hookConditions(sequelize: Sequelize): void {
  const generator = queryGeneratorOf(sequelize);
  const { escape, format, whereItemQuery, handleSequelizeMethod, selectQuery, arithmeticQuery } =
    bound(generator);

  generator.whereItemQuery = (key, value, options = {}) => {
    if (value instanceof Utils.Where) guardWhereExpression(value, options.model);
    const condition = searchCondition(key, value, options);
    if (condition === undefined) return whereItemQuery(key, value, options);
    // Without `field`: the companion column is not the attribute, and sealed values need no type.
    return whereItemQuery(condition.key, condition.value, {
      ...options,
      field: undefined,
    } as never);
  };
  generator.handleSequelizeMethod = (method, tableName, factory, options, prepend) => {
    if (method instanceof Utils.Where) guardWhereExpression(method, factory);
    return handleSequelizeMethod(method, tableName, factory, options, prepend);
  };
  // The last line: no value of an encrypted column gets into SQL by a way that the above does not know.
  generator.escape = (value, field, options) => {
    if (value instanceof Sealed) return escape(value.stored);
    guardLiteral(value, field);
    return escape(value, field, options);
  };
  generator.format = (value, field, options, bindParam) => {
    if (value instanceof Sealed) return bindParam(value.stored);
    guardLiteral(value, field);
    return format(value, field, options, bindParam);
  };
  generator.selectQuery = (tableName, options, model) => {
    guardSelect(options, model);
    return selectQuery(tableName, options, model);
  };
  generator.arithmeticQuery = (operator, table, where, amounts, extra, options) => {
    const model = modelOfTable(sequelize, table);
    for (const name of [...Object.keys(amounts), ...Object.keys(extra ?? {})]) {
      const attribute = namedAttribute(model, name);
      if (attribute) refuse(attribute, "cannot be incremented");
    }
    const condition =
      where && model ? sequelize.literal(generator.whereItemsQuery(where, { model })) : where;
    return arithmeticQuery(operator, table, condition, amounts, extra, options);
  };
}

function guardWhereExpression(method: object, factory: ModelClass | undefined): void {
  const { attribute: expression, logic } = method as {
    readonly attribute: unknown;
    readonly logic: unknown;
  };
  const attribute =
    attributeInExpression(expression, factory) ??
    attributeOfKey(expression, factory ? { model: factory } : {});
  if (attribute && logic !== null) refuse(attribute, "cannot be compared by sequelize.where()");
}

function guardLiteral(value: unknown, field: Attribute | undefined): void {
  if (value === null || value === undefined || !isEncrypted(field)) return;
  const { Model: model, fieldName } = field;
  cipherOf(field); // says so if the plugin is missing
  throw new UnsupportedQueryError(
    `${model.name}.${fieldName} is encrypted: this statement would put its value into SQL.`,
    {
      model: model.name,
      field: fieldName,
    },
  );
}

function hookWrites(sequelize: Sequelize): void {
  const generator = queryGeneratorOf(sequelize);
  const { insertQuery, updateQuery, bulkInsertQuery } = bound(generator);
  /** Those of the statement, else those of the table's model: seeds and queryInterface calls bring none. */
  const attributesFor = (
    table: never,
    given: Record<string, Attribute> | undefined,
  ): Record<string, Attribute> | undefined =>
    given && Object.keys(given).length > 0 ? given : modelOfTable(sequelize, table)?.rawAttributes;
  const withIndexes = (
    options: WriteOptions,
    attributes: Record<string, Attribute> | undefined,
  ): void => {
    const { updateOnDuplicate } = options;
    if (updateOnDuplicate)
      options.updateOnDuplicate = withIndexColumns(updateOnDuplicate, attributes);
  };

  generator.insertQuery = (table, values, given, options) => {
    const attributes = attributesFor(table as never, given);
    withIndexes(options, attributes);
    return insertQuery(table, sealRows([values], attributes, options)[0] as Values, given, options);
  };
  generator.updateQuery = (table, values, where, options, given) => {
    const attributes = attributesFor(table as never, given);
    const model = options.model ?? modelOfTable(sequelize, table);
    const sealed = sealRows([values], attributes, options)[0] as Values;
    return updateQuery(table, sealed, where, Object.assign(options, model && { model }), given);
  };
  generator.bulkInsertQuery = (table, rows, options, given) => {
    const attributes = attributesFor(table as never, given);
    withIndexes(options, attributes);
    return bulkInsertQuery(table, sealRows(rows, attributes, options), options, given);
  };
}

function hookReads(sequelize: Sequelize): void {
  const queryInterface = queryInterfaceOf(sequelize);
  const { select, rawSelect, upsert, bulkUpdate, bulkDelete, increment, decrement } =
    bound(queryInterface);
  const contextOf = (options: unknown): ReadContext => {
    const { transaction, logging } = (options ?? {}) as ReadContext;
    return {
      ...(transaction !== undefined && { transaction }),
      ...(logging !== undefined && { logging }),
    };
  };

  queryInterface.select = async (model, table, options) =>
    select(model, table, await resolveSelect(options, model ?? undefined, contextOf(options)));
  queryInterface.rawSelect = async (table, options, selector, model) =>
    rawSelect(table, await resolveSelect(options, model, contextOf(options)), selector, model);
  queryInterface.bulkUpdate = async (table, values, where, options, attributes) => {
    const model = options?.model ?? modelOfTable(sequelize, table);
    return bulkUpdate(
      table,
      values,
      await resolveWhere(where, model, contextOf(options)),
      options,
      attributes,
    );
  };
  queryInterface.bulkDelete = async (table, where, options, model) => {
    const known = model ?? modelOfTable(sequelize, table);
    return bulkDelete(table, await resolveWhere(where, known, contextOf(options)), options, known);
  };
  queryInterface.increment = async (model, table, where, ...rest) =>
    increment(model, table, await resolveWhere(where, model, contextOf(rest.at(-1))), ...rest);
  queryInterface.decrement = async (model, table, where, ...rest) =>
    decrement(model, table, await resolveWhere(where, model, contextOf(rest.at(-1))), ...rest);
  queryInterface.upsert = async (table, insert, update, where, options) => {
    // The conflict's target is chosen by the columns that are updated: the index's must be among them.
    const columns = withIndexColumns(Object.keys(update), options.model?.rawAttributes);
    const indexed = Object.fromEntries(columns.map((column) => [column, update[column] ?? null]));
    const result = await upsert(
      table,
      insert,
      encryptedAttributes(options.model).length > 0 ? indexed : update,
      where,
      options,
    );
    return result;
  };
}

/** The methods as they are now, tied to their owner. */
function bound<T extends QueryGenerator | object>(owner: T): T {
  return new Proxy(owner, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}
