// Names that MikroORM does not take for a property and passes on to SQL as they are: a column's name, a path whose
// first part is no alias. Under such a name a value would be written or looked for in the clear.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { Utils } from "@mikro-orm/core";
import { bindingOf, encryptedTypeOf, refusedTarget, type BoundType } from "./binding.ts";
import {
  columnOf,
  propertyAt,
  propertyOfKey,
  type Properties,
  type Row,
  type WhereOptions,
} from "./mikro-orm-internals.ts";
import { Cell } from "./cell.ts";
import { isRawNull } from "./raw-sql.ts";

const columns = new WeakMap<object, ReadonlyMap<string, BoundType>>();

/** Encrypted properties by their column, where that is no property's name. */
function columnsOf(properties: Properties): ReadonlyMap<string, BoundType> {
  let known = columns.get(properties);
  if (known === undefined) {
    const entries = Object.values(properties).flatMap((prop): [string, BoundType][] => {
      const type = encryptedTypeOf(prop);
      const column = columnOf(prop);
      return type && !(column in properties) ? [[column, type]] : [];
    });
    columns.set(properties, (known = new Map(entries)));
  }
  return known;
}

/** The encrypted property that a name stands for which is not its own. */
export function encryptedBehind(key: string, options: WhereOptions): BoundType | undefined {
  // Several columns that are compared, or sorted by, together.
  const names = key.split(Utils.PK_SEPARATOR);
  if (names.length > 1) return names.map((name) => encryptedNamed(name, options)).find(Boolean);
  const [first = "", ...rest] = key.split(".");
  const aliased = options.aliasMap?.[first];
  const properties = options.metadata.find(aliased ?? options.entityName)?.properties;
  if (properties === undefined) return undefined;
  const paths = aliased === undefined ? [key, rest.join(".")] : [rest.join(".")];
  for (const path of paths) {
    const type = encryptedTypeOf(propertyAt(properties as Properties, path));
    const found = type ?? columnsOf(properties as Properties).get(path);
    if (found) return found;
  }
  return undefined;
}

function encryptedNamed(name: string, options: WhereOptions): BoundType | undefined {
  return encryptedTypeOf(propertyOfKey(name, options)) ?? encryptedBehind(name, options);
}

/**
 * @param rows data whose keys should be names of these properties
 * @throws {@link UnsupportedQueryError} for values of encrypted properties under other names
 */
export function refuseOtherNames(properties: Properties, rows: readonly Row[]): void {
  for (const [column, type] of columnsOf(properties)) {
    if (rows.some((row) => isPlaintext(row[column]))) throw unsupportedName(type, column);
  }
}

/** Paths into embeddables, and names with an alias: query builders and `insertMany` pass those on. */
export function refusePaths(properties: Properties, row: Row): void {
  for (const key of Object.keys(row)) {
    if (!key.includes(".") || !isPlaintext(row[key])) continue;
    const [, ...rest] = key.split(".");
    for (const path of [key, rest.join(".")]) {
      const type = encryptedTypeOf(propertyAt(properties, path)) ?? columnsOf(properties).get(path);
      if (type) throw unsupportedName(type, key);
    }
  }
}

function isPlaintext(value: unknown): boolean {
  return value !== undefined && value !== null && !(value instanceof Cell) && !isRawNull(value);
}

function unsupportedName(type: BoundType, name: string): UnsupportedQueryError {
  const { label, prop } = bindingOf(type) ?? {};
  return new UnsupportedQueryError(
    `${label} is encrypted and cannot be written under the name "${name}". Write the property "${prop?.name}".`,
    refusedTarget(type),
  );
}
