// The keyring of code that names none: set once with configure(), else read from the environment at first use.
import { publishKeys } from "./channels.ts";
import { keyringFromEnvironment } from "./key-source.ts";
import type { Keyring, KeyringInput } from "./keyring.ts";

let configured: KeyringInput | undefined;
let fromEnvironment: Keyring | undefined;

/**
 * Sets the process default. `keyring: undefined` goes back to the environment, which is then read anew.
 *
 * @example
 * ```ts
 * configure({ keyring: await loadKeyring(source) });
 * ```
 */
export function configure(options: { readonly keyring: KeyringInput | undefined }): void {
  configured = options.keyring;
  fromEnvironment = undefined;
  if (typeof configured === "object") publishKeys("configured", configured);
}

/**
 * The process default keyring.
 * @throws {@link ConfigError} `ERR_CONFIG_NO_KEY` when nothing is configured
 */
export function defaultKeyring(): Keyring {
  if (configured !== undefined) return resolveKeyring(configured);
  if (fromEnvironment === undefined) {
    fromEnvironment = keyringFromEnvironment();
    publishKeys("loaded", fromEnvironment);
  }
  return fromEnvironment;
}

export function resolveKeyring(input: KeyringInput | undefined): Keyring {
  if (input === undefined) return defaultKeyring();
  return typeof input === "function" ? input() : input;
}
