// fieldseal.config.ts|mts|mjs|js: where the command learns which columns and files there are, and how to reach them.
import type { ColumnCipher, EncryptedColumn, KeySource, KeyWrapper } from "@fieldseal/crypto";
import type { EncryptedStorage } from "@fieldseal/storage";

export interface FieldsealConfig {
  /**
   * `encryptedColumns(sequelize)` or `encryptedColumns(orm)`, or a function that gives it. Leave it out where only files
   * are encrypted.
   */
  readonly columns?:
    | readonly EncryptedColumn[]
    | (() => readonly EncryptedColumn[] | Promise<readonly EncryptedColumn[]>);
  /**
   * Plain columns of other types that encrypted columns take over: `"table.column"` of the encrypted one to the name
   * of the plain one. Defaults to none.
   */
  readonly sources?: Readonly<Record<string, string>>;
  /**
   * How columns were declared before a change of `context`: `"table.column"` to the cipher of that time. Defaults to
   * none.
   */
  readonly previous?: Readonly<Record<string, ColumnCipher<unknown>>>;
  /** Defaults to the variable `DATABASE_URL`. */
  readonly databaseUrl?: string;
  /** `createEncryptedStorage(process.env)`, or a function that gives it. Defaults to none: no stored files. */
  readonly storage?:
    | EncryptedStorage
    | Promise<EncryptedStorage>
    | (() => EncryptedStorage | Promise<EncryptedStorage>);
  /** Loaded before anything else, as `configure()` would. Defaults to the environment, or what your own code configures. */
  readonly keys?: KeySource | (() => KeySource | Promise<KeySource>);
  /** The KMS or vault that wraps the keys of a keyset file: `keygen --wrap` and `keys` need it. Defaults to none. */
  readonly keyWrapper?: KeyWrapper;
  /** Called at the end: closes the ORM. */
  readonly close?: () => unknown;
}

/** For editors: checks a configuration and returns it. */
export function defineConfig(config: FieldsealConfig): FieldsealConfig {
  return config;
}
