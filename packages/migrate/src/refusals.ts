// Runs that would leave values behind, or that the application would undo: refused before anything is written.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import { GUARD_ADVICE } from "./connections.ts";
import type { Direction, RunOptions } from "./contract.ts";
import { fencedColumns, findConstraint } from "./fence.ts";
import { TABLE_OID } from "./missing.ts";
import { requireRelation } from "./relation.ts";
import { groupByTable, qualifiedName, type MigratedColumn, type Table } from "./table.ts";

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

/**
 * Models may share a table, but a run writes each column once, in one form. The journal and triggers are not made yet.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`
 */
export async function refuseDescribedTwice(
  client: ClientBase,
  columns: readonly EncryptedColumn[],
  { sources = {} }: Pick<RunOptions, "sources">,
): Promise<void> {
  const described = new Map<string, EncryptedColumn>();
  for (const target of groupByTable(columns)) {
    const { schema, table } = target;
    const { rows } = await client.query<{ oid: number | null }>(`SELECT ${TABLE_OID} AS oid`, [
      schema,
      table,
    ]);
    const place = rows[0]?.oid ?? [schema, table];
    for (const column of target.columns) {
      const source = sources[qualifiedName(target, column.column)];
      for (const name of [column.column, column.cipher.blindIndex?.column, source]) {
        if (name === undefined) continue;
        const first = described.get(JSON.stringify([place, name]));
        if (first !== undefined) refuseSecond(name, first, column);
        described.set(JSON.stringify([place, name]), column);
      }
    }
  }
}

function refuseSecond(name: string, first: EncryptedColumn, second: EncryptedColumn): never {
  const { model, field, table } = second;
  const example =
    model === first.model
      ? ""
      : `, as with encryptedColumns(...).filter(({ model }) => model !== "${model}")`;
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `Column "${name}" of table "${table}" is described twice, by ${first.model}.${first.field} and by ${model}.${field}, and can ` +
      `be written in one form only. Leave one of the two out${example}.`,
    { table },
  );
}

/**
 * A foreign key that follows changes would write this table's ciphertext, or NULL, into one that nobody named.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`
 */
export async function refuseCascades(
  client: ClientBase,
  { table, fullName, leaves, slots }: Table,
): Promise<void> {
  const written = slots.filter(({ assign }) => assign !== undefined).map(({ name }) => name);
  const { rows } = await client.query<Record<"name" | "from" | "column", string>>(
    `SELECT conname AS name, conrelid::regclass::text AS "from", attname AS "column" FROM pg_constraint
     JOIN pg_attribute ON attrelid = confrelid AND attnum = ANY (confkey)
     WHERE contype = 'f' AND confupdtype IN ('c', 'n', 'd') AND attname = ANY ($2)
       AND confrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS own(name)) LIMIT 1`,
    [[fullName, ...leaves], written],
  );
  const [found] = rows;
  if (found === undefined) return;
  const { name, from, column } = found;
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `Table "${table}" cannot be migrated: foreign key "${name}" of ${from} refers to column "${column}", and ON UPDATE would ` +
      `change ${from} with it. Refer to a key that holds no personal data, then: ALTER TABLE ${from} DROP CONSTRAINT "${name}"`,
    { table },
  );
}

/**
 * The guards of a finished column would stop the way back at its first row, with a run left behind.
 * @throws {@link MigrationError} `ERR_MIGRATE_DATABASE`
 */
export async function refuseFinalized(client: ClientBase, table: Table): Promise<void> {
  const relation = await requireRelation(client, table);
  const fenced = await fencedColumns(client, relation);
  for (const { column, source } of table.migrated) {
    if (source !== undefined) continue; // stays an envelope
    if (!fenced.includes(column.column) && !(await findConstraint(client, relation, column)))
      continue;
    throw new MigrationError(
      "ERR_MIGRATE_DATABASE",
      `Column "${column.column}" of table "${table.table}" cannot be decrypted: ${GUARD_ADVICE}. Nothing was written.`,
      { table: table.table },
    );
  }
}

function encryptRefusal({ model, field, cipher }: EncryptedColumn): string | undefined {
  if (cipher.suite !== "aes-256-cbc") return undefined;
  return (
    `${model}.${field} still writes the legacy layout. Take suite: "aes-256-cbc" out of its options first, so that the ` +
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
