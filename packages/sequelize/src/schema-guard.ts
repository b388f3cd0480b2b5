// Indexes and constraints over encrypted columns that could not do what they say.
import { ConfigError } from "@fieldseal/crypto";
import { attributeInCondition, attributeInExpression, namedAttribute } from "./column-paths.ts";
import { cipherOf, type EncryptedAttribute } from "./installation.ts";
import type { IndexOptions } from "./query-internals.ts";
import type { ModelClass } from "./sequelize-internals.ts";

/** @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` */
export function refuseIndex(model: ModelClass | undefined, options: IndexOptions): void {
  refuseCondition(model, options.where);
  if (options.unique === true) refuseUnique(model, options.fields);
}

/** @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` */
export function refuseConstraint(model: ModelClass | undefined, options: IndexOptions): void {
  refuseCondition(model, options.where);
  const type = options.type?.toUpperCase();
  if (type === "UNIQUE" || type === "PRIMARY KEY") refuseUnique(model, options.fields);
}

function refuseCondition(model: ModelClass | undefined, where: unknown): void {
  const attribute = attributeInCondition(where, model);
  if (!attribute) return;
  unsupported(
    attribute,
    "is encrypted, and the condition of an index or a constraint would put a value into the schema. Compare it with NULL only, " +
      "or use addEnvelopeCheck()",
  );
}

function refuseUnique(model: ModelClass | undefined, fields: readonly unknown[] = []): void {
  for (const field of fields) {
    const named =
      typeof field === "string"
        ? { name: field }
        : (field as { name?: string; attribute?: string });
    const name = named.attribute ?? named.name;
    const attribute =
      typeof name === "string" ? namedAttribute(model, name) : attributeInExpression(field, model);
    if (attribute && !(typeof name === "string" && cipherOf(attribute).isDeterministic))
      refuseUniqueness(attribute);
  }
}

/** @throws {@link ConfigError} always */
export function refuseUniqueness(attribute: EncryptedAttribute): never {
  return unsupported(
    attribute,
    "is unique, but equal values are stored different. Declare it deterministic, or make the column of a 256-bit " +
      "blindIndex unique",
  );
}

export function unsupported(
  { Model: model, fieldName }: { readonly Model: ModelClass; readonly fieldName: string },
  problem: string,
): never {
  throw new ConfigError("ERR_CONFIG_UNSUPPORTED", `${model.name}.${fieldName} ${problem}.`);
}
