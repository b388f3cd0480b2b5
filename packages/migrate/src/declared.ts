// Values that somebody has declared plaintext, looked up by row and column.
import { MigrationError } from "@fieldseal/crypto";
import type { PlaintextRow } from "./contract.ts";
import { qualifiedName, type Table } from "./table.ts";

export class DeclaredPlaintext {
  readonly #values: ReadonlySet<string>;

  /** @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when a row lacks a part of its key, or names no column of the run */
  constructor(table: Table, declared: readonly PlaintextRow[]) {
    const { primaryKey, migrated } = table;
    const values = declared.flatMap(({ table: name, column, primaryKey: key }) => {
      if (qualifiedName(table, column) !== `${name}.${column}`) return [];
      const isComplete =
        primaryKey.every((part) => key[part] !== undefined) &&
        migrated.some((one) => one.column.column === column);
      if (!isComplete) refuse(table, column);
      return [JSON.stringify([column, ...primaryKey.map((part) => key[part])])];
    });
    this.#values = new Set(values);
  }

  has(key: readonly string[], column: string): boolean {
    return this.#values.size > 0 && this.#values.has(JSON.stringify([column, ...key]));
  }
}

function refuse({ table, primaryKey }: Table, column: string): never {
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `The option plaintextRows names a row of table "${table}" and column "${column}": it must give ` +
      `${primaryKey.join(", ")}, and a column of this run.`,
    { table },
  );
}
