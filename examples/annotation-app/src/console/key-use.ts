// How much is stored under each key: values by the heads of their envelopes, files by theirs.
import type { Keyring } from "@fieldseal/crypto";
import type { EncryptedStorage } from "@fieldseal/storage";
import { escapeIdentifier } from "pg";
import type { KeyInfo } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";

type Counts = Map<string, number>;

/** Base64 characters of an envelope's nine header bytes. */
const HEADER_CHARACTERS = 12;
/** Where the key id stands in them. */
const KEY_ID = { start: 4, end: 8 };

export async function readKeyUse(
  database: Database,
  storage: EncryptedStorage,
  keyring: Keyring,
): Promise<KeyInfo[]> {
  const [values, objects] = await Promise.all([countValues(database), countObjects(storage)]);
  return keyring.keys.map(({ id, status }) => ({
    id,
    status,
    values: values.get(id) ?? 0,
    objects: objects.get(id) ?? 0,
  }));
}

async function countValues({ pool, columns }: Database): Promise<Counts> {
  const counts: Counts = new Map();
  for (const { table, column } of columns) {
    const name = escapeIdentifier(column);
    const { rows } = await pool.query<{ head: string; values: number }>(
      `SELECT left(${name}, ${HEADER_CHARACTERS}) AS head, count(*)::integer AS values
       FROM ${escapeIdentifier(table)} WHERE ${name} IS NOT NULL GROUP BY 1`,
    );
    for (const { head, values } of rows) {
      const id = Buffer.from(head, "base64").toString("hex", KEY_ID.start, KEY_ID.end);
      counts.set(id, (counts.get(id) ?? 0) + values);
    }
  }
  return counts;
}

async function countObjects(storage: EncryptedStorage): Promise<Counts> {
  const counts: Counts = new Map();
  for await (const { keyId } of storage.verify({ depth: "envelope" })) {
    if (keyId !== undefined) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
  }
  return counts;
}
