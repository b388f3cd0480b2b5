// The models as the re-encryption engine and the command see them, and the constraint that keeps plaintext out.
import { envelopeCondition, envelopeConstraintName, type EncryptedColumn } from "@fieldseal/crypto";
import type { Model, ModelStatic, Sequelize } from "sequelize";
import { cipherOf, encryptedAttributes } from "./installation.ts";
import { modelsOf, type ModelClass } from "./sequelize-internals.ts";

/** Every encrypted column of every model of this instance. */
export function encryptedColumns(sequelize: Sequelize): EncryptedColumn[] {
  return modelsOf(sequelize).flatMap((model) =>
    encryptedAttributes(model).map((attribute) => ({
      model: model.name,
      field: attribute.fieldName,
      schema: model._schema || undefined,
      table: model.tableName,
      column: attribute.field,
      primaryKey: Object.values(model.primaryKeys).map(({ field }) => field),
      isNullable: attribute.allowNull !== false,
      cipher: cipherOf(attribute),
    })),
  );
}

interface SqlRunner {
  readonly sequelize: Sequelize;
  quoteTable?(table: unknown): string;
  quoteIdentifier?(name: string): string;
}

/**
 * Adds a CHECK constraint per encrypted column: raw SQL, other programs and mistakes can then store NULL and
 * envelopes, nothing else. PostgreSQL only. Not for columns that still hold plaintext or legacy values.
 *
 * @example
 * ```ts
 * await addEnvelopeCheck(sequelize.getQueryInterface(), User);
 * ```
 */
export async function addEnvelopeCheck(
  queryInterface: SqlRunner,
  model: ModelStatic<Model>,
): Promise<void> {
  for (const { table, name, column, storage } of checksOf(queryInterface, model)) {
    await queryInterface.sequelize.query(
      `ALTER TABLE ${table} ADD CONSTRAINT ${name} CHECK (${envelopeCondition(column, storage)})`,
    );
  }
}

/** Removes what {@link addEnvelopeCheck} added. */
export async function removeEnvelopeCheck(
  queryInterface: SqlRunner,
  model: ModelStatic<Model>,
): Promise<void> {
  for (const { table, name } of checksOf(queryInterface, model)) {
    await queryInterface.sequelize.query(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS ${name}`);
  }
}

function checksOf(
  { sequelize }: SqlRunner,
  model: ModelStatic<Model>,
): { table: string; name: string; column: string; storage: "text" | "binary" }[] {
  const generator = (
    sequelize.getQueryInterface() as unknown as {
      queryGenerator: { quoteTable(table: unknown): string; quoteIdentifier(name: string): string };
    }
  ).queryGenerator;
  const { tableName } = model as unknown as ModelClass;
  return encryptedAttributes(model as unknown as ModelClass).map((attribute) => ({
    table: generator.quoteTable(model.getTableName()),
    name: generator.quoteIdentifier(envelopeConstraintName(tableName, attribute.field)),
    column: generator.quoteIdentifier(attribute.field),
    storage: cipherOf(attribute).storage,
  }));
}
