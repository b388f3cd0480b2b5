// The query interface, where Sequelize still waits: conditions on short indexes are resolved by a query of their own.
import { Utils, type Sequelize } from "sequelize";
import { BULK_DELETE, BULK_UPDATE, INCREMENT, type ChangeOptions } from "./changed-rows.ts";
import { change } from "./changes.ts";
import { expectValues } from "./found-rows.ts";
import { encryptedAttributes } from "./installation.ts";
import { withIndexColumns } from "./seal-writes.ts";
import { type SelectNode } from "./query-internals.ts";
import type { ReadContext } from "./index-candidates.ts";
import {
  bound,
  queryGeneratorOf,
  queryInterfaceOf,
  type ModelClass,
} from "./sequelize-internals.ts";
import { resolveSelect, resolveWhere } from "./short-index.ts";
import { modelOfTable } from "./table-models.ts";

export function hookQueryInterface(sequelize: Sequelize): void {
  hookSelects(sequelize);
  hookChanges(sequelize);
}

function hookSelects(sequelize: Sequelize): void {
  const queryInterface = queryInterfaceOf(sequelize);
  const { select, rawSelect } = bound(queryInterface);
  /** The options of a SELECT by its model, or by that of its table: then the condition is made here. */
  const prepare = async (
    table: unknown,
    options: SelectNode,
    model: ModelClass | undefined,
  ): Promise<SelectNode> => {
    if (model) return resolveSelect(options, model, contextOf(options));
    const known = modelOfTable(sequelize, table as never);
    if (!known || !options?.where || encryptedAttributes(known).length === 0) return options;
    const where = await resolveWhere(options.where, known, contextOf(options));
    const condition = queryGeneratorOf(sequelize).whereItemsQuery(where, { model: known });
    return { ...options, where: new Utils.Literal(condition) };
  };

  queryInterface.select = async (model, table, options) => {
    // Before the conditions on short indexes are resolved: a row can change between that and the statement.
    const expecting = model ? expectValues(options, model) : options;
    return select(model, table, await prepare(table, expecting, model ?? undefined));
  };
  queryInterface.rawSelect = async (table, options, selector, model) =>
    rawSelect(table, await prepare(table, options, model), selector, model);
}

function hookChanges(sequelize: Sequelize): void {
  const queryInterface = queryInterfaceOf(sequelize);
  const { upsert, bulkUpdate, bulkDelete, increment, decrement } = bound(queryInterface);
  queryInterface.bulkUpdate = async (table, values, where, options, attributes) =>
    change(BULK_UPDATE, {
      model: options?.model ?? modelOfTable(sequelize, table),
      where,
      options,
      context: contextOf(options),
      run: (condition, given) => bulkUpdate(table, values, condition, given as never, attributes),
    });
  queryInterface.bulkDelete = async (table, where, options, model) => {
    const known = model ?? modelOfTable(sequelize, table);
    return change(BULK_DELETE, {
      model: known,
      where,
      options,
      context: contextOf(options),
      run: (condition, given) => bulkDelete(table, condition, given as never, known),
    });
  };
  for (const [name, arithmetic] of Object.entries({ increment, decrement })) {
    queryInterface[name as "increment"] = async (model, table, where, ...rest) => {
      const options = rest.pop() as ChangeOptions;
      return change(INCREMENT, {
        model,
        where,
        options,
        context: contextOf(options),
        run: (condition, given) => arithmetic(model, table, condition, ...rest, given),
      });
    };
  }
  queryInterface.upsert = async (table, insert, update, where, options) => {
    const encrypted = encryptedAttributes(options.model);
    if (encrypted.length === 0) return upsert(table, insert, update, where, options);
    // The conflict's target is chosen by the columns that are updated: the index's must be among them.
    const columns = withIndexColumns(Object.keys(update), encrypted);
    const indexed = Object.fromEntries(columns.map((column) => [column, update[column] ?? null]));
    return upsert(table, insert, indexed, where, options);
  };
}

/** What a read on behalf of a statement shares with it. */
function contextOf(options: unknown): ReadContext {
  const { transaction, logging, searchPath, useMaster } = (options ?? {}) as ReadContext;
  return {
    ...(transaction !== undefined && { transaction }),
    ...(logging !== undefined && { logging }),
    ...(searchPath !== undefined && { searchPath }),
    ...(useMaster !== undefined && { useMaster }),
  };
}
