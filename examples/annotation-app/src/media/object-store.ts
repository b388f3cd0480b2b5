// Where pictures and clips are kept, encrypted: a folder, or a bucket of S3, as the environment says.
import type { KeyringInput } from "@fieldseal/crypto";
import { createEncryptedStorage, type EncryptedStorage } from "@fieldseal/storage";
import type { Environment } from "../config/configuration.ts";
import type { PlaintextMode } from "../database/column-options.ts";

export interface ObjectStoreOptions {
  readonly keyring: KeyringInput;
  readonly plaintext: PlaintextMode;
}

/** @throws {@link ConfigError} naming the variable */
export function openObjectStore(
  environment: Environment,
  options: ObjectStoreOptions,
): Promise<EncryptedStorage> {
  return createEncryptedStorage(environment, options);
}
