// Runs that would leave values behind, or that the application would undo: refused before anything is written.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { Direction } from "./contract.ts";
import type { MigratedColumn, Table } from "./table.ts";

/** @throws {@link MigrationError} `ERR_MIGRATE_TARGET` */
export function refuseImpossible(table: Table, direction: Direction): void {
  for (const migrated of table.migrated) {
    const reason =
      direction === "encrypt" ? encryptRefusal(migrated.column) : decryptRefusal(migrated);
    if (reason === undefined) continue;
    throw new MigrationError(
      "ERR_MIGRATE_TARGET",
      `Table "${table.table}" cannot be migrated: ${reason}`,
      { table: table.table },
    );
  }
}

function encryptRefusal({ model, field, cipher }: EncryptedColumn): string | undefined {
  if (cipher.suite !== "aes-256-cbc") return undefined;
  return (
    `${model}.${field} still writes the older layout. Take suite: "aes-256-cbc" out of its options first, so that the ` +
    "application does not undo the migration."
  );
}

/** The pass that proves that all is plaintext reads it through the column's declaration, as the application does. */
function decryptRefusal({ column, source }: MigratedColumn): string | undefined {
  const { model, field, cipher } = column;
  if (cipher.options.legacy !== undefined) {
    return (
      `${model}.${field} is declared legacy, where plaintext and ciphertext cannot be told apart. Encrypt it first, which ` +
      'makes envelopes; then declare it plaintext: "accept", and decrypt.'
    );
  }
  if (source !== undefined || cipher.options.plaintext === "accept") return undefined;
  return `${model}.${field} would not read the plaintext. Declare it plaintext: "accept" and deploy, then decrypt.`;
}
