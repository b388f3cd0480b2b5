// For SQL that Sequelize does not build: seal values before it, open them after it.
import { ConfigError, type Stored, type StoredInput } from "@fieldseal/crypto";
import type { Model, ModelStatic } from "sequelize";
import { namedAttribute } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import type { ModelClass } from "./sequelize-internals.ts";

/**
 * What to store for a value of an encrypted attribute; null stays null.
 *
 * @example
 * ```ts
 * await sequelize.query("UPDATE users SET email = :email WHERE id = 1", {
 *   replacements: { email: encryptValue(User, "email", "ada@example.org") },
 * });
 * ```
 */
export function encryptValue(
  model: ModelStatic<Model>,
  attribute: string,
  value: unknown,
): Stored | null {
  return value === null ? null : cipherOf(requireEncrypted(model, attribute)).seal(value);
}

/** The value of what a raw query returned from an encrypted column; null stays null. */
export function decryptValue(
  model: ModelStatic<Model>,
  attribute: string,
  stored: StoredInput | null,
): unknown {
  return stored === null ? null : cipherOf(requireEncrypted(model, attribute)).open(stored);
}

/** What to look for in SQL: stored forms of a deterministic attribute, or tokens of its blind index. One of them matches. */
export function searchValues(
  model: ModelStatic<Model>,
  attribute: string,
  value: unknown,
): Stored[] {
  return cipherOf(requireEncrypted(model, attribute)).searchValues(value);
}

function requireEncrypted(model: ModelStatic<Model>, name: string): EncryptedAttribute {
  const attribute = namedAttribute(model as unknown as ModelClass, name);
  if (attribute) return attribute;
  throw new ConfigError("ERR_CONFIG_OPTION", `${model.name}.${name} is no encrypted attribute.`);
}
