// The query generator makes SQL of values and conditions: here the ones of encrypted columns become ciphertext and
// tokens, or are refused.
import { ConfigError, UnsupportedQueryError } from "@fieldseal/crypto";
import { Utils, type Sequelize } from "sequelize";
import { attributeInExpression, attributeInPart, namedAttribute } from "./column-paths.ts";
import { cipherOf, isEncrypted, type EncryptedAttribute } from "./installation.ts";
import { refuseConstraint, refuseIndex } from "./schema-guard.ts";
import { encryptedColumnsOf, sealRows, withIndexColumns } from "./seal-writes.ts";
import { Sealed } from "./sealed.ts";
import { attributeOfKey, refuse, searchCondition } from "./search.ts";
import { guardSelect, isCount } from "./select-guard.ts";
import { type IndexOptions, type Values, type WriteOptions } from "./query-internals.ts";
import {
  bound,
  queryGeneratorOf,
  type Attribute,
  type ModelClass,
  type Table,
} from "./sequelize-internals.ts";
import { modelOfTable } from "./table-models.ts";

export function hookConditions(sequelize: Sequelize): void {
  const generator = queryGeneratorOf(sequelize);
  const { escape, format, whereItemQuery, handleSequelizeMethod, selectQuery, arithmeticQuery } =
    bound(generator);
  const { getWhereConditions } = bound(generator);

  generator.whereItemQuery = (key, value, options = {}) => {
    if (value instanceof Utils.Where) guardWhereExpression(value, options.model);
    else {
      const condition = searchCondition(key, value, options);
      if (condition !== undefined) {
        // Without `field`: the companion column is not the attribute, and sealed values need no type.
        const plain = { ...options, field: undefined } as never;
        return whereItemQuery(condition.key, condition.value, plain);
      }
    }
    return whereItemQuery(key, value, options);
  };
  generator.getWhereConditions = (where, tableName, factory, options, prepend) => {
    // An expression in the place of the whole condition passes no key, and so nothing of the above.
    if (where instanceof Utils.SequelizeMethod && !(where instanceof Utils.Where)) {
      const attribute = attributeInExpression(where, factory);
      // The left side of a comparison comes here as well; those were judged as a whole.
      if (attribute && !isCount(where, attribute))
        refuse(attribute, "cannot be computed with in a condition");
    }
    return getWhereConditions(where, tableName, factory, options, prepend);
  };
  generator.handleSequelizeMethod = (method, tableName, factory, options, prepend) => {
    if (method instanceof Utils.Where) guardWhereExpression(method, factory);
    return handleSequelizeMethod(method, tableName, factory, options, prepend);
  };
  // The last line: no value of an encrypted column gets into SQL by a way that the above does not know.
  generator.escape = (value, field, options) => {
    if (value instanceof Sealed) return escape(value.stored);
    if (value instanceof Utils.Col) return escape(value);
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
    attributeInPart(expression, factory) ??
    attributeOfKey(expression, factory ? { model: factory } : {});
  const isAllowed = attribute && (logic === null || isCount(expression, attribute));
  const refused = isAllowed ? undefined : (attribute ?? attributeInPart(logic, factory));
  if (refused) refuse(refused, "cannot be compared by sequelize.where()");
}

function guardLiteral(value: unknown, field: Attribute | undefined): void {
  if (value === null || value === undefined || !isEncrypted(field)) return;
  const { Model: model, fieldName } = field;
  if ((model as ModelClass | undefined) === undefined) {
    throw new ConfigError(
      "ERR_CONFIG_UNSUPPORTED",
      "A value of an encrypted type without a model would get into SQL, and there is no key for it. Leave defaultValue out " +
        "of migrations; give queryInterface the attributes of a model.",
    );
  }
  cipherOf(field); // says so if the plugin is missing
  throw new UnsupportedQueryError(
    `${model.name}.${fieldName} is encrypted: this statement would put its value into SQL.`,
    {
      model: model.name,
      field: fieldName,
    },
  );
}

export function hookWrites(sequelize: Sequelize): void {
  const generator = queryGeneratorOf(sequelize);
  const { insertQuery, updateQuery, bulkInsertQuery } = bound(generator);
  const columnsOf = (
    table: Table,
    options: WriteOptions,
    given: Record<string, Attribute> | undefined,
  ): readonly EncryptedAttribute[] => {
    // Seeds and queryInterface calls bring no model: that of their table then.
    const owner = options.model ?? Object.values(given ?? {}).find(({ Model }) => Model)?.Model;
    return encryptedColumnsOf(owner ?? modelOfTable(sequelize, table), given);
  };
  const withIndexes = (options: WriteOptions, columns: readonly EncryptedAttribute[]): void => {
    const { updateOnDuplicate } = options;
    if (updateOnDuplicate) options.updateOnDuplicate = withIndexColumns(updateOnDuplicate, columns);
  };
  /** Sequelize judges the condition by the options' model, of which queryInterface has none. */
  const compareConflicts = (table: Table, options: WriteOptions): void => {
    const { conflictWhere } = options;
    const model = modelOfTable(sequelize, table);
    if (!conflictWhere || options.model || !model) return;
    options.conflictWhere = sequelize.literal(generator.whereItemsQuery(conflictWhere, { model }));
  };

  generator.insertQuery = (table, values, given, options) => {
    const columns = columnsOf(table, options, given);
    withIndexes(options, columns);
    compareConflicts(table, options);
    return insertQuery(table, sealRows([values], columns, options)[0] as Values, given, options);
  };
  generator.updateQuery = (table, values, where, options, given) => {
    const sealed = sealRows([values], columnsOf(table, options, given), options)[0] as Values;
    const model = options.model ?? modelOfTable(sequelize, table);
    return updateQuery(table, sealed, where, Object.assign(options, model && { model }), given);
  };
  generator.bulkInsertQuery = (table, rows, options, given) => {
    const columns = columnsOf(table, options, given);
    withIndexes(options, columns);
    compareConflicts(table, options);
    return bulkInsertQuery(table, sealRows(rows, columns, options), options, given);
  };
}

/** Conditions of indexes and constraints stand in the schema, in the clear and for good. */
export function hookSchema(sequelize: Sequelize): void {
  const generator = queryGeneratorOf(sequelize);
  const { addIndexQuery, addConstraintQuery } = bound(generator);
  generator.addIndexQuery = (table, attributes, options, rawTable) => {
    const given: IndexOptions = Array.isArray(attributes)
      ? { ...options, fields: attributes }
      : (attributes as IndexOptions);
    refuseIndex(modelOfTable(sequelize, table), given);
    return addIndexQuery(table, attributes, options, rawTable);
  };
  generator.addConstraintQuery = (table, options) => {
    refuseConstraint(modelOfTable(sequelize, table), options ?? {});
    return addConstraintQuery(table, options);
  };
}
