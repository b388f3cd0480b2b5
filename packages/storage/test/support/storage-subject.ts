// What a behaviour of storages is tried on.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import type { EncryptedStorage, VerifiedObject, VerifyOptions } from "@fieldseal/storage";
import type { StorageHarness } from "./storage-harness.ts";

/** An empty store and a storage over it, with keys of its own. */
export interface Subject {
  readonly harness: StorageHarness;
  readonly storage: EncryptedStorage;
  readonly rootKey: string;
  readonly keyring: Keyring;
}

export async function makeSubject(makeHarness: () => Promise<StorageHarness>): Promise<Subject> {
  const rootKey = generateRootKey();
  const keyring = Keyring.fromKey(rootKey);
  const harness = await makeHarness();
  return { harness, storage: harness.open({ keyring }), rootKey, keyring };
}

export async function bytesOf(storage: EncryptedStorage, key: string): Promise<Buffer> {
  return (await storage.get(key)).bytes();
}

export async function findingsOf(
  storage: EncryptedStorage,
  options: VerifyOptions = {},
): Promise<VerifiedObject[]> {
  const found: VerifiedObject[] = [];
  for await (const one of storage.verify(options)) found.push(one);
  return found;
}
