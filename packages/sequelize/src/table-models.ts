// Statements that name a table and no model (queryInterface, seeds, migrations): which model's encryption applies.
import { ConfigError } from "@fieldseal/crypto";
import type { Sequelize } from "sequelize";
import { cipherOf, encryptedAttributes } from "./installation.ts";
import { modelsOf, type ModelClass, type Table } from "./sequelize-internals.ts";

/**
 * The model over a table; undefined when none is, or several without encrypted columns.
 * @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` when several models encrypt the table differently
 */
export function modelOfTable(sequelize: Sequelize, table: Table): ModelClass | undefined {
  const { tableName, schema } = typeof table === "string" ? { tableName: table } : table;
  const named = modelsOf(sequelize).filter((model) => model.tableName === tableName);
  const inSchema = named.filter((model) => (model._schema || undefined) === (schema || undefined));
  // A schema of its own for each tenant is chosen when a query is made: the models know none.
  const models = inSchema.length > 0 ? inSchema : named;
  if (models.length === 1) return models[0];
  const [first, ...others] = models.filter((model) => encryptedAttributes(model).length > 0);
  if (!first) return undefined;
  for (const other of others) {
    if (encryptionOf(other) === encryptionOf(first)) continue;
    throw new ConfigError(
      "ERR_CONFIG_UNSUPPORTED",
      `${first.name} and ${other.name} encrypt table "${tableName}" differently, so that a statement which names the table ` +
        "could mean either. Write through a model.",
    );
  }
  return first;
}

/** Equal for models that store the same. */
function encryptionOf(model: ModelClass): string {
  const columns = encryptedAttributes(model).map((attribute) => {
    const { codec, context, suite, storage, blindIndex } = cipherOf(attribute);
    const { column, bits } = blindIndex ?? {};
    return JSON.stringify([attribute.field, codec.content, context, suite, storage, column, bits]);
  });
  return columns.toSorted((a, b) => a.localeCompare(b)).join();
}
