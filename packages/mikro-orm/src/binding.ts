// Which property of which entity a Type instance converts for. MikroORM tells a type by assigning `meta` and `prop`
// at discovery, copies instances deeply, and lets one instance serve several properties; each property needs its own.
import {
  ColumnCipher,
  ConfigError,
  defaultKeyring,
  queryRefusal,
  type ColumnContext,
  type EncryptionOptions,
  type KeyringInput,
  type UnsupportedQueryError,
  type ValueCodec,
} from "@fieldseal/crypto";
import { driverOf } from "./driver-internals.ts";
import {
  columnOf,
  configuredKeyring,
  allMetadata,
  embeddedOrigin,
  isInEmbeddable,
  tableOf,
  type ConversionContext,
  type Meta,
  type Property,
} from "./mikro-orm-internals.ts";
import { refuseUnsupported } from "./refusals.ts";
import type { Cell } from "./cell.ts";

/** An encrypted type, without its class: encrypted-column-type.ts imports this file. */
export interface BoundType {
  readonly codec: ValueCodec<unknown>;
  readonly options: EncryptionOptions;
  /** Values are their own canonical form. */
  readonly isCanonical: boolean;
  /** Serves a property of an embeddable, inline or stored as JSON. */
  isEmbedded: boolean;
  platform?: unknown;
  meta?: unknown;
  clone(): BoundType;
  convertToDatabaseValue(value: unknown, platform: undefined, context: ConversionContext): unknown;
  convertToJSValue(value: unknown): unknown;
  toCanonical(value: unknown): string;
  fromCanonical(canonical: string): unknown;
  cell(canonical: string): Cell;
}

export interface Binding {
  readonly meta: Meta;
  readonly prop: Property;
  /** `User.email`, for messages. */
  readonly label: string;
  cipher?: ColumnCipher<unknown>;
}

const bindings = new WeakMap<object, Binding>();

export function bindingOf(type: BoundType): Binding | undefined {
  return bindings.get(type);
}

/** The encrypted type of a property; undefined when it has another one. */
export function encryptedTypeOf(prop: Property | undefined): BoundType | undefined {
  const type = prop?.customType as unknown as BoundType | undefined;
  return type && bindings.has(type) ? type : undefined;
}

/**
 * Called where MikroORM assigns `prop`. An instance that already serves another property is left to that one; this
 * property gets a copy.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_UNSUPPORTED` for what cannot be encrypted, `ERR_CONFIG_OPTION`
 */
export function bind(type: BoundType, prop: Property): void {
  const meta = type.meta as Meta;
  // MikroORM names properties inside of documents `card~pin`.
  const label = `${meta.className}.${prop.name.replaceAll("~", ".")}`;
  refuseUnsupported(type, meta, prop);
  refuseOptions(type, label);
  const current = bindings.get(type);
  if (current !== undefined && current.label !== label) {
    const copy = type.clone();
    copy.platform = type.platform;
    copy.meta = meta;
    prop.customType = copy as never;
    bind(copy, prop);
    return;
  }
  type.isEmbedded = isInEmbeddable(meta, prop);
  bindings.set(type, { meta, prop, label });
}

/** The table's name may not be known yet, but the options are. */
function refuseOptions({ codec, options }: BoundType, label: string): void {
  const defaultContext = { table: "unknown", column: "unknown" };
  void new ColumnCipher({ codec, label, options, defaultContext }).label;
}

/**
 * The cipher of the property that this instance converts for, made at first use: discovery, schema tools and
 * migrations need no key.
 * @throws {@link ConfigError} `ERR_CONFIG_NOT_INSTALLED` outside of an entity
 */
export function cipherOf<T = unknown>(type: BoundType): ColumnCipher<T> {
  const binding = bindings.get(type);
  if (binding === undefined) {
    throw new ConfigError(
      "ERR_CONFIG_NOT_INSTALLED",
      `${type.constructor.name} was used outside of an entity that MikroORM discovered.`,
    );
  }
  return (binding.cipher ??= newCipher(type, binding)) as ColumnCipher<T>;
}

function newCipher(type: BoundType, { meta, prop, label }: Binding): ColumnCipher<unknown> {
  // Once: looking into the configuration for every value costs as much as a tenth of its encryption.
  const configured = configuredKeyring(type.platform as never) as KeyringInput | undefined;
  return new ColumnCipher({
    codec: type.codec,
    label,
    options: type.options,
    defaultContext: contextOf(type, meta, prop),
    defaultKeyring: configured ?? defaultKeyring,
  });
}

/**
 * Table (without schema) and column, as in the Sequelize adapter, so that one table serves both. Properties of an
 * embeddable are bound to the embeddable's class instead: conditions on them are converted by its own type instance,
 * which knows no owner.
 */
function contextOf(type: BoundType, meta: Meta, prop: Property): ColumnContext {
  const all = allMetadata(driverOf(type.platform as never).getMetadata());
  const origin = embeddedOrigin(meta, prop, all);
  return origin
    ? { table: origin.className, column: origin.property }
    : { table: tableOf(meta, prop), column: columnOf(prop) };
}

/** The error for a question that ciphertext cannot answer, with the way out that fits the column. */
export function unsupportedQuery(type: BoundType, problem: string): UnsupportedQueryError {
  const { label = type.constructor.name } = bindings.get(type) ?? {};
  return queryRefusal({ label, options: type.options }, problem, refusedTarget(type));
}

/** The property that a refusal is about, as its error carries it. */
export function refusedTarget(type: BoundType): {
  readonly model?: string;
  readonly field?: string;
} {
  const { meta, prop } = bindings.get(type) ?? {};
  return { ...(meta && { model: meta.className }), ...(prop && { field: prop.name }) };
}
