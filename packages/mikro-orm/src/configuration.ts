// The keyring of one MikroORM instance.
import type { KeyringInput } from "@fieldseal/crypto";
import { CONFIG_KEY } from "./mikro-orm-internals.ts";

export interface FieldsealOptions {
  /** Keys of the encrypted columns of this instance. Defaults to the process default (`configure`, environment). */
  readonly keyring?: KeyringInput | undefined;
}

/**
 * Adds a keyring to MikroORM's options. Needed only where the process default is not the one to use.
 *
 * @example
 * ```ts
 * const orm = await MikroORM.init(fieldseal({ entities: [User], dbName: "app" }, { keyring }));
 * ```
 */
export function fieldseal<Options extends object>(
  options: Options,
  { keyring }: FieldsealOptions = {},
): Options {
  if (keyring === undefined) return options;
  // MikroORM copies its options deeply, which would lose a keyring's private state, but keeps functions.
  const current = typeof keyring === "function" ? keyring : () => keyring;
  return { ...options, [CONFIG_KEY]: { keyring: current } };
}
