// What a model needs once it is defined: shapes that cannot work are refused, defaults stay out of the schema,
// blind indexes get their column, and instances print without their secrets.
import { inspect, type InspectOptionsStylized } from "node:util";
import { DataTypes, Utils } from "sequelize";
import {
  cipherOf,
  encryptedAttributes,
  isEncrypted,
  isEncryptedType,
  type EncryptedAttribute,
} from "./installation.ts";
import { namedAttribute } from "./column-paths.ts";
import { redactedErrorsOf } from "./redaction.ts";
import { refuseUniqueness, unsupported } from "./schema-guard.ts";
import { isJoinable } from "./search.ts";
import {
  onAssociated,
  type AssociationColumns,
  type Attribute,
  type ModelClass,
} from "./sequelize-internals.ts";

/** By the definitions that they were last initialised with. */
const prepared = new WeakMap<ModelClass, unknown>();
/** Companion columns that we added: no part of the model as its author wrote it. */
const hidden = new WeakSet<Attribute>();

export function isHiddenColumn(attribute: Attribute): boolean {
  return hidden.has(attribute);
}

export function prepareModel(model: ModelClass): void {
  if (prepared.get(model) === model.rawAttributes) return;
  if (!associating.has(model)) {
    associating.add(model);
    onAssociated(model, refuseAssociation);
  }
  refuseArrays(model);
  ownAttributes(model);
  const attributes = encryptedAttributes(model);
  if (attributes.length > 0) prepareEncrypted(model, attributes);
  prepared.set(model, model.rawAttributes);
}

function prepareEncrypted(model: ModelClass, attributes: readonly EncryptedAttribute[]): void {
  const indexColumns = new Set<string>();
  for (const attribute of attributes) {
    refuseShape(attribute);
    keepDefaultOutOfSchema(attribute);
    addIndexColumn(attribute, indexColumns);
  }
  refuseSwappedNames(model, attributes);
  if (!hooked.has(model)) {
    hooked.add(model);
    keepJsonAttributes(model);
    printRedacted(model);
    redactedErrorsOf(model);
  }
  model.refreshAttributes();
}

/** Models whose associations are watched. */
const associating = new WeakSet<ModelClass>();
/** Models whose methods are wrapped: once, whatever they are initialised with later. */
const hooked = new WeakSet<ModelClass>();

/**
 * Sequelize keeps the objects that attributes are declared by and notes the model in them. Declared once for several
 * models, their columns would all be bound to the table of the last.
 */
function ownAttributes(model: ModelClass): void {
  for (const attribute of encryptedAttributes(model)) {
    const own = { ...attribute, Model: model };
    model.rawAttributes[attribute.fieldName] = own;
    model.fieldRawAttributesMap[attribute.field] = own;
  }
}

function refuseArrays(model: ModelClass): void {
  for (const { type, fieldName } of Object.values(model.rawAttributes)) {
    const isArray = type instanceof DataTypes.ARRAY || type instanceof DataTypes.RANGE;
    if (!isArray) continue;
    const { type: item } = type as unknown as { type: unknown };
    const isEncryptedClass =
      typeof item === "function" && isEncryptedType(new (item as new () => unknown)());
    if (isEncryptedType(item) || isEncryptedClass) {
      unsupported(
        { Model: model, fieldName },
        "is an array of encrypted values. Use EncryptedJSONType for the whole array",
      );
    }
  }
}

function refuseShape(attribute: EncryptedAttribute): void {
  if (attribute.primaryKey === true) {
    unsupported(
      attribute,
      "is an encrypted primary key. Use a surrogate key and a deterministic column",
    );
  }
  if (attribute.references !== undefined) {
    unsupported(attribute, "is an encrypted foreign key. Refer to a surrogate key");
  }
  if (
    attribute.unique !== undefined &&
    attribute.unique !== false &&
    !cipherOf(attribute).isDeterministic
  ) {
    refuseUniqueness(attribute);
  }
}

/** A join compares what is stored: equal for equal values only where both columns are deterministic in one context. */
export function refuseAssociation(association: AssociationColumns): void {
  const { source, target, foreignKey, sourceKey, targetKey, options } = association;
  const isBelongsTo = association.associationType === "BelongsTo";
  const key =
    foreignKey === undefined
      ? undefined
      : namedAttribute(isBelongsTo ? source : target, foreignKey);
  const referred = isBelongsTo
    ? targetKey && namedAttribute(target, targetKey)
    : sourceKey && namedAttribute(source, sourceKey);
  const encrypted = key ?? (referred || undefined);
  if (!encrypted) return;
  const isJoined = key && referred && isJoinable(key, referred) && options.constraints === false;
  if (!isJoined) {
    unsupported(
      encrypted,
      "joins an association, but equal values are stored different. Refer to a surrogate key, or declare both columns " +
        "deterministic with one context and the association with constraints: false",
    );
  }
}

/** A constant default would stand in the schema, for the database to insert: in the clear, or as one ciphertext for all. */
function keepDefaultOutOfSchema(attribute: EncryptedAttribute): void {
  const { defaultValue } = attribute;
  if (defaultValue === undefined || defaultValue === null || typeof defaultValue === "function")
    return;
  if (defaultValue instanceof Utils.SequelizeMethod) {
    unsupported(
      attribute,
      "has an SQL expression for its default, whose value the database computes and could not encrypt. Give it a function",
    );
  }
  // A clone of a Buffer would be a Uint8Array.
  attribute.defaultValue = () =>
    Buffer.isBuffer(defaultValue) ? Buffer.from(defaultValue) : structuredClone(defaultValue);
}

function isText(type: unknown): boolean {
  return type instanceof DataTypes.TEXT || type instanceof DataTypes.STRING;
}

function addIndexColumn(attribute: EncryptedAttribute, taken: Set<string>): void {
  const model = attribute.Model;
  const column = cipherOf(attribute).blindIndex?.column;
  if (column === undefined) return;
  const named = `has blindIndex.column "${column}", which`;
  if (taken.has(column))
    unsupported(attribute, `${named} another blind index fills. Give each its own`);
  taken.add(column);
  const byName = model.rawAttributes[column];
  if (byName !== undefined && byName.field !== column) {
    unsupported(
      attribute,
      `${named} is an attribute stored in column "${byName.field}". Name the column`,
    );
  }
  const declared = byName ?? model.fieldRawAttributesMap[column];
  if (declared !== undefined) {
    if (isEncrypted(declared) || !isText(declared.type))
      unsupported(attribute, `${named} is declared for something else. It must be TEXT or STRING`);
    return;
  }
  const added = {
    type: new DataTypes.TEXT(),
    field: column,
    fieldName: column,
    Model: model,
    allowNull: true,
  };
  hidden.add(added);
  model.rawAttributes[column] = added;
}

/** Sequelize looks attributes up by either name; where one's name is another's column it may take the wrong type. */
function refuseSwappedNames(model: ModelClass, attributes: readonly EncryptedAttribute[]): void {
  for (const attribute of attributes) {
    const { field, fieldName } = attribute;
    const other = model.rawAttributes[field];
    if (other !== undefined && other !== attribute) {
      unsupported(
        attribute,
        `is stored in column "${field}", which is the name of another attribute. Rename one`,
      );
    }
    const holder = model.fieldRawAttributesMap[fieldName];
    if (holder !== undefined && holder !== attribute) {
      unsupported(attribute, `has the name of the column of ${holder.fieldName}. Rename one`);
    }
  }
}

/** `set("box.label", …)` works on attributes that Sequelize knows as JSON; ours does not extend its JSON type. */
function keepJsonAttributes(model: ModelClass): void {
  const refresh = model.refreshAttributes;
  // Associations refresh the attributes again.
  model.refreshAttributes = function refreshAttributes(this: ModelClass): void {
    refresh.call(this);
    for (const { type, fieldName } of encryptedAttributes(this)) {
      if (type.codec.content !== "json") continue;
      this._jsonAttributes.add(fieldName);
      this._hasJsonAttributes = true;
    }
  };
}

const aliases = new Set<string>();

/** A name in results that a value was decrypted under: instances print it as little as that of its attribute. */
export function noteAlias(name: string): void {
  aliases.add(name);
}

function printRedacted(model: ModelClass): void {
  const show = function show(
    this: { readonly dataValues: Record<string, unknown> },
    depth: number,
    options: InspectOptionsStylized,
  ): string {
    const values = Object.entries(this.dataValues).map(([name, value]) => {
      const attribute = model.rawAttributes[name];
      const isSecret = attribute ? isEncrypted(attribute) : aliases.has(name);
      return [name, isSecret && value !== null && value !== undefined ? ENCRYPTED : value] as const;
    });
    const nested = { ...options, depth: depth - 1 };
    return depth < 0
      ? `[${model.name}]`
      : `${model.name} ${inspect(Object.fromEntries(values), nested)}`;
  };
  Object.defineProperty(model.prototype, inspect.custom, { value: show, configurable: true });
}

/** Prints without quotes. */
const ENCRYPTED = { [inspect.custom]: () => "[encrypted]" };
