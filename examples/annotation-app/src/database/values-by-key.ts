// Under which keys values are stored, by the heads of their envelopes: nothing is decrypted for it.
import type { Keyring } from "@fieldseal/crypto";
import { escapeIdentifier } from "pg";
import { ConfigurationError } from "../config/configuration.ts";
import type { Database } from "./database.ts";

/** Base64 characters of an envelope's nine header bytes. */
const HEADER_CHARACTERS = 12;
/** How every envelope begins: what an older application stored in the clear is not counted. */
const MAGIC = "9V6h";
/** Where the key id stands in the header. */
const KEY_ID = { start: 4, end: 8 };

/** Numbers of values by key id. */
export async function countValuesByKey({
  pool,
  columns,
}: Database): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { table, column } of columns) {
    const name = escapeIdentifier(column);
    const { rows } = await pool.query<{ head: string; values: number }>(
      `SELECT left(${name}, ${HEADER_CHARACTERS}) AS head, count(*)::integer AS values
       FROM ${escapeIdentifier(table)} WHERE ${name} LIKE '${MAGIC}%' GROUP BY 1`,
    );
    for (const { head, values } of rows) {
      const id = Buffer.from(head, "base64").toString("hex", KEY_ID.start, KEY_ID.end);
      counts.set(id, (counts.get(id) ?? 0) + values);
    }
  }
  return counts;
}

/**
 * Before anything is written: a start with the wrong key would go on as if the database were empty.
 * @throws {@link ConfigurationError}
 */
export async function refuseUnknownKeys(database: Database, keyring: Keyring): Promise<void> {
  const known = new Set(keyring.keys.map(({ id }) => id));
  const missing = [...(await countValuesByKey(database))].filter(([id]) => !known.has(id));
  if (missing.length === 0) return;
  const lines = missing.map(([id, values]) => `  ${id}: ${values} values`);
  throw new ConfigurationError(
    `The database holds values under keys that are not configured:\n${lines.join("\n")}\n` +
      `Configured: ${[...known].join(", ")}. Set the missing key as ENCRYPTION_KEY, or among ENCRYPTION_PREVIOUS_KEYS.`,
  );
}
