// Columns as a migration file declares them: a migration is history, and must not change with the models.
import {
  codecsByType,
  ColumnCipher,
  type ColumnType,
  type EncryptedColumn,
  type EncryptionOptions,
} from "@fieldseal/crypto";

/** An encrypted column without a model. Options are those of the column types, and mean the same. */
export interface ColumnDeclaration extends EncryptionOptions {
  /** Undefined: the connection's search path decides. */
  readonly schema?: string;
  readonly table: string;
  readonly column: string;
  /** That of the model's column: `EncryptedType`, `EncryptedJSONType`, `EncryptedBinaryType`, `EncryptedBase64Type`. */
  readonly type: ColumnType;
  /** Names of the key's columns, in order. Defaults to `["id"]`. */
  readonly primaryKey?: readonly string[];
}

/** `plaintext` defaults to "accept" here, unless the column is `legacy`: what a migration meets is not encrypted yet. */
export function describeColumn(declared: ColumnDeclaration | EncryptedColumn): EncryptedColumn {
  if ("cipher" in declared) return declared;
  const { schema, table, column, type, primaryKey = ["id"], ...options } = declared;
  const { plaintext = options.legacy === undefined ? "accept" : "reject" } = options;
  return {
    model: table,
    field: column,
    schema,
    table,
    column,
    primaryKey,
    isNullable: true,
    cipher: new ColumnCipher({
      codec: codecsByType[type],
      label: `${table}.${column}`,
      options: { ...options, plaintext },
      defaultContext: { table, column },
    }),
  };
}
