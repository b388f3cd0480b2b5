// How much is stored under each key: values by the heads of their envelopes, files by theirs.
import type { Keyring } from "@fieldseal/crypto";
import type { EncryptedStorage } from "@fieldseal/storage";
import type { KeyInfo } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import { countValuesByKey } from "../database/values-by-key.ts";

type Counts = Map<string, number>;

export async function readKeyUse(
  database: Database,
  storage: EncryptedStorage,
  keyring: Keyring,
): Promise<KeyInfo[]> {
  const [values, objects] = await Promise.all([countValuesByKey(database), countObjects(storage)]);
  return keyring.keys.map(({ id, status }) => ({
    id,
    status,
    values: values.get(id) ?? 0,
    objects: objects.get(id) ?? 0,
  }));
}

async function countObjects(storage: EncryptedStorage): Promise<Counts> {
  const counts: Counts = new Map();
  for await (const { keyId } of storage.verify({ depth: "envelope" })) {
    if (keyId !== undefined) counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
  }
  return counts;
}
