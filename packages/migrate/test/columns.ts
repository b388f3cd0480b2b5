// Encrypted columns as an adapter describes them, without an ORM.
import {
  codecsByType,
  ColumnCipher,
  type ColumnType,
  type EncryptedColumn,
  type EncryptionOptions,
  type Keyring,
} from "@fieldseal/crypto";
import type { MigratedColumn } from "../src/table.ts";

export interface ColumnSpec {
  readonly table: string;
  readonly column: string;
  readonly keyring: Keyring;
  readonly type?: ColumnType;
  readonly options?: EncryptionOptions;
  readonly schema?: string;
  readonly primaryKey?: readonly string[];
}

export function column(spec: ColumnSpec): EncryptedColumn {
  const { table, column: name, keyring, type = "text", options, schema, primaryKey } = spec;
  return {
    model: table,
    field: name,
    schema,
    table,
    column: name,
    primaryKey: primaryKey ?? ["id"],
    isNullable: true,
    cipher: new ColumnCipher({
      codec: codecsByType[type],
      label: `${table}.${name}`,
      options,
      defaultContext: { table, column: name },
      defaultKeyring: keyring,
    }),
  };
}

export const ACCEPT: EncryptionOptions = { plaintext: "accept" };

/** The first cell of a row, in place. */
export function inPlace(
  column: EncryptedColumn,
  previous?: MigratedColumn["previous"],
): MigratedColumn {
  return {
    column,
    previous,
    valueAt: 0,
    tokenAt: undefined,
    sourceAt: undefined,
    source: undefined,
    arrayOf: undefined,
  };
}
