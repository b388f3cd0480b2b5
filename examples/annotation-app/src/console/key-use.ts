// How much is stored under each key: values by the heads of their envelopes, files by theirs.
import type { Keyring } from "@fieldseal/crypto";
import type { EncryptedStorage } from "@fieldseal/storage";
import type { KeyInfo } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import { countValuesByKey } from "../database/values-by-key.ts";

export interface KeyUse {
  readonly keys: KeyInfo[];
  /** Files whose key could not be read: any key may be theirs. */
  readonly unknownFiles: number;
}

export async function readKeyUse(
  database: Database,
  storage: EncryptedStorage,
  keyring: Keyring,
): Promise<KeyUse> {
  const [values, files] = await Promise.all([countValuesByKey(database), countFiles(storage)]);
  const keys = keyring.keys.map(({ id, status }) => ({
    id,
    status,
    values: values.get(id) ?? 0,
    objects: files.byKey.get(id) ?? 0,
  }));
  return { keys, unknownFiles: files.unknown };
}

async function countFiles(
  storage: EncryptedStorage,
): Promise<{ readonly byKey: ReadonlyMap<string, number>; readonly unknown: number }> {
  const byKey = new Map<string, number>();
  let unknown = 0;
  for await (const { keyId } of storage.verify({ depth: "envelope" })) {
    if (keyId === undefined) unknown += 1;
    else byKey.set(keyId, (byKey.get(keyId) ?? 0) + 1);
  }
  return { byKey, unknown };
}
