// fieldseal(): hooks the adapter into one Sequelize instance. Three places, and nothing of Sequelize is replaced:
// the query generator (values on their way into SQL, conditions), each query (rows on their way out), and the
// query interface (what must be asked before SQL is built).
import { ConfigError, type KeyringInput } from "@fieldseal/crypto";
import type { Sequelize } from "sequelize";
import { hookConditions, hookSchema, hookWrites } from "./generator-hooks.ts";
import { forgetInstallation, isInstalled, recordInstallation } from "./installation.ts";
import { hookQueryInterface } from "./interface-hooks.ts";
import { prepareModel, refuseAssociation } from "./model-setup.ts";
import { openRows, runReturning } from "./open-reads.ts";
import { redactError } from "./redaction.ts";
import { hookLog } from "./statement-log.ts";
import { type Query } from "./query-internals.ts";
import {
  modelsOf,
  onModelDefined,
  onValidationFailed,
  type ModelClass,
} from "./sequelize-internals.ts";

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
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` when it is installed already: two keyrings must not mix;
 * `ERR_CONFIG_UNSUPPORTED` when a model has a shape that cannot be encrypted: then nothing is installed
 */
export function fieldseal(sequelize: Sequelize, options: FieldsealOptions = {}): Sequelize {
  if (isInstalled(sequelize)) {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      "fieldseal() was called twice on one Sequelize instance. Call it once, right after new Sequelize().",
    );
  }
  recordInstallation(sequelize, options.keyring);
  try {
    const models = modelsOf(sequelize);
    for (const model of models) prepareModel(model);
    for (const { associations } of models) Object.values(associations).forEach(refuseAssociation);
  } catch (error) {
    // Or an application that goes on after the error would work without the hooks below.
    forgetInstallation(sequelize);
    throw error;
  }
  onModelDefined(sequelize, prepareModel);
  onValidationFailed(sequelize, (instance, _failed, error) => {
    redactError(error, instance.constructor as ModelClass);
  });
  sequelize.addHook("beforeQuery", (_options, query) => openQuery(query as unknown as Query));
  hookConditions(sequelize);
  hookWrites(sequelize);
  hookSchema(sequelize);
  hookQueryInterface(sequelize);
  hookLog(sequelize);
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
  query.handleSelectQuery = (rows) => handleSelectQuery.call(query, openRows(query, rows));
  query.run = async (sql, parameters) => {
    try {
      return await runReturning(query, sql, () => run.call(query, sql, parameters));
    } catch (error) {
      redactError(error, query.model);
      throw error;
    }
  };
}
