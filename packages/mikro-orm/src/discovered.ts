// What can be checked only when every entity is known.
import { ConfigError } from "@fieldseal/crypto";
import { cipherOf, encryptedTypeOf } from "./binding.ts";
import {
  allMetadata,
  columnOf,
  hasDocumentDefault,
  polymorphsOf,
  propertiesOf,
  referencedColumnsOf,
  targetOf,
  type Meta,
  type Property,
} from "./mikro-orm-internals.ts";
import { encryptedInside } from "./raw-sql.ts";
import { encryptionOf } from "./rows.ts";

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` or `ERR_CONFIG_UNSUPPORTED`, for what cannot hold what is encrypted */
export function checkDiscovered(metadata: { getAll(): unknown }): void {
  for (const meta of allMetadata(metadata)) {
    for (const prop of Object.values(propertiesOf(meta))) {
      refuseReference(meta, prop);
      refuseDefault(meta, prop);
    }
    refuseSwappedNames(meta);
    for (const polymorph of polymorphsOf(meta)) refuseMixture(meta, polymorph);
  }
}

/** A document that PostgreSQL fills in is in plaintext, in the table's definition too. */
function refuseDefault(meta: Meta, prop: Property): void {
  if (encryptedInside(prop) === undefined || !hasDocumentDefault(prop)) return;
  throw new ConfigError(
    "ERR_CONFIG_UNSUPPORTED",
    `${meta.className}.${prop.name} asks for a default in SQL and holds encrypted properties; use onCreate.`,
  );
}

/**
 * MikroORM maps names to columns, and some of them twice: where one property is stored under another's name, it mixes them up.
 */
function refuseSwappedNames(meta: Meta): void {
  const properties = propertiesOf(meta);
  for (const prop of Object.values(properties)) {
    const { [columnOf(prop)]: other } = properties;
    if (other === undefined || other === prop || columnOf(other) === columnOf(prop)) continue;
    if (!encryptedTypeOf(prop) && !encryptedTypeOf(other)) continue;
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${meta.className}.${prop.name} is stored in column "${columnOf(prop)}", which is the name of another property. Rename one.`,
    );
  }
}

/** Foreign keys hold stored values, of another column and perhaps of another key. */
function refuseReference(meta: Meta, prop: Property): void {
  const target = targetOf(prop);
  const referenced = referencedColumnsOf(prop);
  if (target === undefined || referenced.length === 0) return;
  const { encrypted } = encryptionOf(propertiesOf(target));
  const key = encrypted.find(({ name }) =>
    referenced.includes(columnOf(propertiesOf(target)[name] as Property)),
  );
  if (key === undefined) return;
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `${meta.className}.${prop.name} refers to the encrypted property ${target.className}.${key.name}. Refer to the primary key.`,
  );
}

/**
 * MikroORM makes one embeddable of several that may stand in the same place. A property of the same name in two of
 * them loses its type unless they share it, and would be stored as it is.
 */
function refuseMixture(union: Meta, polymorph: Meta): void {
  for (const { name, type } of encryptionOf(propertiesOf(polymorph)).encrypted) {
    const common = encryptedTypeOf(propertiesOf(union)[name]);
    const own = cipherOf(type).context;
    const shared = common && cipherOf(common).context;
    if (shared?.table === own.table && shared.column === own.column) continue;
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${polymorph.className}.${name} stands in one place with the property of the same name of another embeddable ` +
        `(${union.className}). Declare it once, in an embeddable that they extend.`,
    );
  }
}
