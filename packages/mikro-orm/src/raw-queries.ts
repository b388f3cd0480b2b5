// For SQL that MikroORM does not build: seal values before it, open them after it.
import { ConfigError, type Stored, type StoredInput } from "@fieldseal/crypto";
import type { EntityManager } from "@mikro-orm/core";
import { cipherOf, encryptedTypeOf, type BoundType } from "./binding.ts";
import { metaOf } from "./entity-manager-internals.ts";
import { type Property } from "./mikro-orm-internals.ts";

/** A property of an entity: its class, schema or name, and the property's name. */
export interface PropertyReference {
  readonly entity: unknown;
  readonly property: string;
}

/**
 * What to store for a value of an encrypted property; null stays null.
 *
 * @example
 * ```ts
 * const email = encryptValue(em, { entity: User, property: "email" }, "ada@example.org");
 * await em.getConnection().execute("update users set email = ? where id = 1", [email]);
 * ```
 */
export function encryptValue(
  em: EntityManager,
  reference: PropertyReference,
  value: unknown,
): Stored | null {
  return value === null ? null : cipherOf(requireEncrypted(em, reference)).seal(value);
}

/** The value of what a raw query returned from an encrypted column; null stays null. */
export function decryptValue(
  em: EntityManager,
  reference: PropertyReference,
  stored: StoredInput | null,
): unknown {
  return stored === null ? null : cipherOf(requireEncrypted(em, reference)).open(stored);
}

/**
 * What to look for in SQL: stored forms of a deterministic property, or tokens of its blind index. One of them matches.
 */
export function searchValues(
  em: EntityManager,
  reference: PropertyReference,
  value: unknown,
): Stored[] {
  return cipherOf(requireEncrypted(em, reference)).searchValues(value);
}

function requireEncrypted(em: EntityManager, { entity, property }: PropertyReference): BoundType {
  const meta = metaOf(em, entity);
  const type = encryptedTypeOf(meta?.properties[property as never] as Property | undefined);
  if (type) return type;
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `${meta?.className ?? String(entity)}.${property} is no encrypted property.`,
  );
}
