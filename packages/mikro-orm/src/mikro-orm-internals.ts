// Casts into the metadata that MikroORM keeps, and its conditions; driver-internals.ts and entity-manager-internals.ts
// have the others. Read from @mikro-orm/core 7.2.1 and 6.6.16; test/mikro-orm-internals.test.ts pins each on both.
import {
  QueryHelper,
  RawQueryFragment,
  ReferenceKind,
  Utils,
  type EntityMetadata,
  type EntityProperty,
  type Platform,
} from "@mikro-orm/core";

export type Meta = EntityMetadata;
export type Property = EntityProperty;
export type Properties = Readonly<Record<string, Property>>;
export type Row = Record<string, unknown>;

export function propertiesOf(meta: Meta | undefined): Properties {
  return (meta?.properties ?? {}) as Properties;
}

/** Of the primary key, in its order. */
export function keyColumnsOf(meta: Meta): string[] {
  return meta.primaryKeys.flatMap((name) => propertiesOf(meta)[name]?.fieldNames ?? []);
}

/** `address.street` goes into an embeddable. */
export function propertyAt(properties: Properties, path: string): Property | undefined {
  let prop: Property | undefined;
  let inner: Properties | undefined = properties;
  for (const name of path.split(".")) {
    prop = inner?.[name];
    inner = prop?.embeddedProps as Properties | undefined;
  }
  return prop;
}

/** MikroORM gives conversions of a Type one of these; the typings of version 6 lack some modes. */
export interface ConversionContext {
  readonly mode?: "serialization" | "hydration" | "query" | "query-data" | "discovery";
  /** In mode "query": the operator, undefined for a bare value. */
  readonly key?: string;
}

/** `raw(...)` and `` sql`...` `` */
export interface RawSql {
  readonly sql: string;
  readonly params?: readonly unknown[];
}

/** `raw(...)`: SQL of the user's own, passed on untouched. */
export function isRawSql(value: unknown): boolean {
  return value instanceof RawQueryFragment;
}

/** Each query builder has a limit: MikroORM's, the one below it in version 7, Knex's in version 6. */
export function isSubQuery(value: unknown): boolean {
  return typeof (value as Row | undefined)?.limit === "function";
}

/** What `{ [raw(...)]: value }` stands for: a symbol in version 7, a string in version 6. */
export function rawSqlOfKey(key: string | symbol): RawSql | undefined {
  const { getKnownFragment } = RawQueryFragment as unknown as {
    getKnownFragment(key: string | symbol, forget: boolean): RawSql | undefined;
  };
  return getKnownFragment.call(RawQueryFragment, key, false);
}

/** Keys with SQL in them serve one statement in version 6; those that are used in `action` serve all of its. */
export async function keepRawKeys<Result>(action: () => Promise<Result>): Promise<Result> {
  const fragments = RawQueryFragment as unknown as { run?: typeof keepRawKeys };
  return fragments.run ? fragments.run(action) : action();
}

/** What `fieldseal(config)` left in the configuration: unknown keys survive there, functions by reference. */
export function configuredKeyring(platform: Platform | undefined): unknown {
  const config = platform?.getConfig() as
    | { get(key: string, fallback: unknown): unknown }
    | undefined;
  return (config?.get(CONFIG_KEY, undefined) as { keyring?: unknown } | undefined)?.keyring;
}

export const CONFIG_KEY = "fieldseal";

/**
 * In single-table inheritance the root's table is that of all; with a table per type (version 7), a property is in
 * the table of the uppermost entity that has it.
 */
export function tableOf(meta: Meta, prop: Property): string {
  let owner = meta as Meta & { readonly tptParent?: Meta };
  if (owner.inheritanceType !== "tpt" && owner.tptParent === undefined) {
    return meta.root?.tableName ?? meta.tableName ?? meta.className;
  }
  while (owner.tptParent && prop.name in owner.tptParent.properties) owner = owner.tptParent;
  return owner.tableName;
}

export function columnOf(prop: Property): string {
  return prop.fieldNames?.[0] ?? prop.name;
}

export function isInEmbeddable(meta: Meta, prop: Property): boolean {
  return meta.embeddable || prop.embedded !== undefined;
}

/** Class name of the embeddable that an owner's property comes from, with the name it has there. */
export function embeddedOrigin(
  meta: Meta,
  prop: Property,
  all: readonly Meta[],
): { readonly className: string; readonly property: string } | undefined {
  if (meta.embeddable) {
    return { className: declaringEmbeddable(meta, prop.name, all).className, property: prop.name };
  }
  if (!prop.embedded) return undefined;
  const [parentName, property] = prop.embedded;
  const parent = meta.properties[parentName as never] as Property | undefined;
  const target = parent?.targetMeta as Meta | undefined;
  const className = target
    ? declaringEmbeddable(target, property, all).className
    : ((parent as { embeddable?: { name?: string } } | undefined)?.embeddable?.name ??
      String(parent?.type));
  return { className, property };
}

export function leadsToOne({ kind }: Property): boolean {
  return kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE;
}

/** As lists of fields name it: `address.street` inside of an embeddable. */
export function fieldOf(meta: Meta, prop: Property): string {
  if (!prop.embedded) return prop.name;
  const [parentName, name] = prop.embedded;
  const parent = meta.properties[parentName as never] as Property | undefined;
  return parent ? `${fieldOf(meta, parent)}.${name}` : prop.name;
}

/** The embeddables that may stand where this one is: MikroORM makes one of them all. */
export function polymorphsOf(meta: Meta | undefined): readonly Meta[] {
  return (meta as { polymorphs?: Meta[] } | undefined)?.polymorphs ?? [];
}

/** In a hierarchy with a discriminator the uppermost embeddable that has the property, as they share it. */
function declaringEmbeddable(meta: Meta, property: string, all: readonly Meta[]): Meta {
  const one = polymorphsOf(meta).find(({ properties }) => property in properties) ?? meta;
  const isInHierarchy = Boolean(one.discriminatorValue ?? one.discriminatorColumn);
  const parentName =
    isInHierarchy && one.extends ? Utils.className(one.extends as never) : undefined;
  const parent = all.find(({ className }) => className === parentName);
  return parent && property in parent.properties ? declaringEmbeddable(parent, property, all) : one;
}

/** Columns of the target that a relation's own columns hold values of. */
export function referencedColumnsOf(prop: Property): readonly string[] {
  return prop.referencedColumnNames ?? [];
}

/** Whether an owner's property is part of a JSON document. */
export function isInsideDocument(meta: Meta, prop: Property): boolean {
  if (!prop.embedded) return false;
  const parent = meta.properties[prop.embedded[0] as never] as Property | undefined;
  if (!parent) return false;
  return Boolean(parent.object) || Boolean(parent.array) || isInsideDocument(meta, parent);
}

/** What a property was declared with, as discovery keeps it. */
export interface Declaration {
  readonly isPrimary: boolean;
  readonly isArray: boolean;
  readonly isVersion: boolean;
  readonly isConcurrencyCheck: boolean;
  readonly hasDefault: boolean;
  readonly isGenerated: boolean;
  readonly isFormula: boolean;
  /** By the property, or by the entity, alone or with others. */
  readonly isUnique: boolean;
  readonly columnType: string | undefined;
}

export function declarationOf(meta: Meta, prop: Property): Declaration {
  const {
    default: value,
    defaultRaw,
    columnTypes,
    generated,
    formula,
    unique,
    columnType,
  } = prop as Partial<Property> & {
    readonly default?: unknown;
    readonly defaultRaw?: unknown;
    readonly columnType?: string;
  };
  // Some are null or false where nothing was declared.
  const isSet = (option: unknown): boolean =>
    option !== undefined && option !== null && option !== false;
  return {
    isPrimary: prop.primary === true,
    isArray: prop.array === true,
    isVersion: prop.version === true || (meta.versionProperty as unknown) === prop.name,
    isConcurrencyCheck: prop.concurrencyCheck === true,
    hasDefault: [value, defaultRaw].some((given) => given !== undefined && given !== null),
    isGenerated: isSet(generated),
    isFormula: isSet(formula),
    isUnique:
      isSet(unique) ||
      (meta.uniques ?? []).some(({ properties }) =>
        [properties].flat().some((name) => name === prop.name || name === fieldOf(meta, prop)),
      ),
    columnType: columnTypes?.[0] ?? columnType,
  };
}

/** Whether a document has a default in SQL with anything in it. */
export function hasDocumentDefault({ default: value, defaultRaw }: Partial<Property>): boolean {
  // `default: []` comes as "" in version 6.
  return !/^'?(\[\]|\{\}|null|)'?(::jsonb?)?$/i.test(String(defaultRaw ?? value ?? ""));
}

export interface WhereOptions {
  readonly entityName: unknown;
  readonly metadata: { find(name: unknown): Meta | undefined };
  readonly aliasMap?: Readonly<Record<string, unknown>>;
  readonly type?: string;
  readonly where?: unknown;
  readonly platform?: unknown;
}

/**
 * The property that a key of a condition, an ordering or a list of fields means: `email`, `u.email` with the alias of a
 * query builder, `address.street` into an embeddable.
 */
export function propertyOfKey(key: string, options: WhereOptions): Property | undefined {
  const direct = directPropertyOfKey(key, options);
  if (direct || !key.includes(".")) return direct;
  const [first = "", ...rest] = key.split(".");
  const aliased = options.aliasMap?.[first];
  let meta = options.metadata.find(aliased ?? options.entityName);
  let properties = meta?.properties as Readonly<Record<string, Property>> | undefined;
  let prop: Property | undefined;
  for (const name of aliased === undefined ? [first, ...rest] : rest) {
    prop = properties?.[name];
    meta = prop?.targetMeta as Meta | undefined;
    properties = (prop?.embeddedProps ?? meta?.properties) as typeof properties;
  }
  return prop;
}

/** The same as far as MikroORM itself looks: one name, with an alias or without. */
export function directPropertyOfKey(key: string, options: WhereOptions): Property | undefined {
  return (
    QueryHelper as unknown as {
      findProperty(key: string, options: WhereOptions): Property | undefined;
    }
  ).findProperty(key, options);
}

type ProcessWhere = (options: WhereOptions) => unknown;

/** As it is at the time of the call: wrapped. */
export function processWhere(options: WhereOptions): unknown {
  return (QueryHelper as unknown as { processWhere: ProcessWhere }).processWhere(options);
}

/** Every condition and every ordering of both versions goes through this static method, nested ones by recursion. */
export function wrapProcessWhere(wrap: (original: ProcessWhere) => ProcessWhere): void {
  const helper = QueryHelper as unknown as { processWhere: ProcessWhere };
  helper.processWhere = wrap(helper.processWhere.bind(QueryHelper));
}

/** A Map in version 7, an object in version 6. */
export function allMetadata(metadata: { getAll(): unknown }): Meta[] {
  const all = metadata.getAll();
  return all instanceof Map ? ([...all.values()] as Meta[]) : Object.values(all as object);
}

/** By what version 7 (the class) or version 6 (its name) looks an entity up. */
export function entityNameOf(meta: Meta, metadata: WhereOptions["metadata"]): unknown {
  const { class: entityClass } = meta as { class?: unknown };
  return entityClass && metadata.find(entityClass) ? entityClass : meta.className;
}

/** The entity or embeddable that a condition on this property may go into. */
export function targetOf(prop: Property | undefined): Meta | undefined {
  return prop?.targetMeta as Meta | undefined;
}
