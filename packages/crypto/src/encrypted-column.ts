// The seam between adapters, engine and command: one description per encrypted column, without an ORM in it.
import type { ColumnCipher } from "./column-cipher.ts";

/**
 * An encrypted column as the database and the cipher see it. An adapter's mistake would be to report the
 * attribute's name where the database's is asked, or to leave out columns of models that share a table.
 */
export interface EncryptedColumn {
  /** Model or entity name, for messages. */
  readonly model: string;
  /** Attribute or property name, for messages. */
  readonly field: string;
  /** Undefined: the connection's search path decides. */
  readonly schema: string | undefined;
  readonly table: string;
  readonly column: string;
  /** Names of the primary key's columns, in order. Empty when the table has none. */
  readonly primaryKey: readonly string[];
  readonly isNullable: boolean;
  /** Context, codec, options and keyring; seals and opens this column's values. */
  readonly cipher: ColumnCipher<unknown>;
}
