// Which Sequelize instances the plugin is installed on, and the cipher of each of their encrypted attributes.
import {
  ColumnCipher,
  ConfigError,
  type EncryptionOptions,
  type KeyringInput,
  type StorageForm,
  type ValueCodec,
} from "@fieldseal/crypto";
import type { Sequelize } from "sequelize";
import type { Query, SelectNode } from "./query-internals.ts";
import { onTypeTaken, type Attribute, type ModelClass } from "./sequelize-internals.ts";

interface Installation {
  readonly keyring: KeyringInput | undefined;
  /** By attribute: a model that is initialised again, on another instance perhaps, gets new ones. */
  readonly ciphers: WeakMap<Attribute, ColumnCipher<unknown>>;
}

const installations = new WeakMap<Sequelize, Installation>();

export function isInstalled(sequelize: Sequelize): boolean {
  return installations.has(sequelize);
}

export function recordInstallation(sequelize: Sequelize, keyring: KeyringInput | undefined): void {
  installations.set(sequelize, { keyring, ciphers: new WeakMap() });
}

/** From then on the types refuse to read and write, as before. */
export function forgetInstallation(sequelize: Sequelize): void {
  installations.delete(sequelize);
}

/** Marks the types of encrypted-types.ts, which this file cannot import: they import it. */
export const ENCRYPTED_TYPE: unique symbol = Symbol("fieldseal: encrypted type");

export interface EncryptedTypeInstance {
  readonly [ENCRYPTED_TYPE]: true;
  readonly codec: ValueCodec<unknown>;
  readonly options: EncryptionOptions;
  readonly storage: StorageForm;
}

export type EncryptedAttribute = Attribute & { readonly type: EncryptedTypeInstance };

export function isEncrypted(attribute: Attribute | undefined): attribute is EncryptedAttribute {
  return isEncryptedType(attribute?.type);
}

export function isEncryptedType(type: unknown): type is EncryptedTypeInstance {
  return typeof type === "object" && type !== null && ENCRYPTED_TYPE in type;
}

export function encryptedAttributes(model: ModelClass | undefined): readonly EncryptedAttribute[] {
  return Object.values(model?.rawAttributes ?? {}).filter(isEncrypted);
}

/**
 * The cipher of an attribute, made at first use.
 * @throws {@link ConfigError} `ERR_CONFIG_NOT_INSTALLED` when the plugin is missing, or the type is used without a
 * model
 */
export function cipherOf(attribute: Attribute | undefined): ColumnCipher<unknown> {
  const model = attribute?.Model;
  const installation = model && installations.get(model.sequelize);
  if (!model || !installation) {
    const name = model
      ? `${model.name}.${attribute.fieldName}`
      : "An encrypted column without a model";
    throw new ConfigError(
      "ERR_CONFIG_NOT_INSTALLED",
      `${name} cannot be encrypted or decrypted: call fieldseal(sequelize) once, before the first query.`,
    );
  }
  const { ciphers } = installation;
  let cipher = ciphers.get(attribute);
  if (cipher === undefined) {
    cipher = newCipher(attribute as EncryptedAttribute, installation);
    ciphers.set(attribute, cipher);
  }
  return cipher;
}

function newCipher(
  attribute: EncryptedAttribute,
  installation: Installation,
): ColumnCipher<unknown> {
  const { Model: model, fieldName, field, type } = attribute;
  return new ColumnCipher({
    codec: type.codec,
    label: `${model.name}.${fieldName}`,
    options: type.options,
    // The table's name without its schema, so that one context serves every tenant's schema.
    defaultContext: { table: model.tableName, column: field },
    defaultKeyring: installation.keyring,
  });
}

const watched = new WeakSet<Sequelize>();

/**
 * From the first encrypted type on, an instance is watched: until the plugin is installed its reads would show
 * ciphertext as if it were the value.
 */
onTypeTaken((sequelize, type) => {
  if (!isEncryptedType(type) || watched.has(sequelize)) return;
  watched.add(sequelize);
  sequelize.addHook("beforeQuery", (_options, query) => {
    if (isInstalled(sequelize)) return;
    const { model, options } = query as unknown as Query;
    const [attribute] = encryptedIn(model, options);
    if (attribute) cipherOf(attribute); // says what is missing
  });
});

/** Of a statement's model and of those that it joins. */
function encryptedIn(
  model: ModelClass | undefined,
  { include = [] }: SelectNode,
): readonly EncryptedAttribute[] {
  return [...encryptedAttributes(model), ...include.flatMap((one) => encryptedIn(one.model, one))];
}
