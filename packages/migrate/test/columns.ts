// Encrypted columns as an adapter describes them, without an ORM.
import {
  base64Codec,
  bytesCodec,
  ColumnCipher,
  jsonCodec,
  textCodec,
  type EncryptedColumn,
  type EncryptionOptions,
  type Keyring,
  type ValueCodec,
} from "@fieldseal/crypto";

const CODECS = { text: textCodec, json: jsonCodec, binary: bytesCodec, base64: base64Codec };

export interface ColumnSpec {
  readonly table: string;
  readonly column: string;
  readonly keyring: Keyring;
  readonly type?: keyof typeof CODECS;
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
      codec: CODECS[type] as ValueCodec<unknown>,
      label: `${table}.${name}`,
      options,
      defaultContext: { table, column: name },
      defaultKeyring: keyring,
    }),
  };
}

export const ACCEPT: EncryptionOptions = { plaintext: "accept" };
