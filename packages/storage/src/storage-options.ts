// Checked when a storage is made, so that a typing error does not show at the first object.
import { ConfigError } from "@fieldseal/crypto";
import type { StorageOptions } from "./contract.ts";

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
export function checkOptions(options: StorageOptions): void {
  const { keyring, context, plaintext, legacy, onEncryptFailure, ...unknown } = options;
  const refuse = (option: string, takes: string): never => {
    throw new ConfigError("ERR_CONFIG_OPTION", `Option ${option} of a storage takes ${takes}.`);
  };
  // A misspelt `context` would bind objects to no tenant.
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw new ConfigError("ERR_CONFIG_OPTION", `A storage knows no option "${name}".`);
  }
  if (!["undefined", "object", "function"].includes(typeof keyring)) {
    refuse("keyring", "a Keyring, or a function that gives one");
  }
  if (context !== undefined && (typeof context !== "string" || context === "")) {
    refuse("context", "a non-empty text");
  }
  if (![undefined, "reject", "accept"].includes(plaintext))
    refuse("plaintext", '"reject" or "accept"');
  const suite = typeof legacy === "object" ? legacy.suite : legacy;
  if (![undefined, "aes-256-cbc"].includes(suite)) {
    refuse("legacy", '"aes-256-cbc" or { suite: "aes-256-cbc", keyId }');
  }
  if (![undefined, "throw", "insecure-store-plaintext"].includes(onEncryptFailure)) {
    refuse("onEncryptFailure", '"throw" or "insecure-store-plaintext"');
  }
}
