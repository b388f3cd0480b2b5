// Where rows leave for the database: every path of writing goes through the driver's four methods, or through the
// query builder, which asks the driver to map properties to columns.
import { encryptedTypeOf, unsupportedQuery } from "./binding.ts";
import { guardKysely } from "./kysely-guard.ts";
import {
  metaOfBuilder,
  type Meta,
  type QueryBuilder,
  type Row,
  type SqlDriver,
  type WithKysely,
} from "./mikro-orm-internals.ts";
import { companionsOf, encryptRows, openRows, type Properties } from "./rows.ts";
import { installSearch } from "./search.ts";
import { installShortIndexes } from "./short-index.ts";

const installed = new WeakSet<SqlDriver>();
const patched = new WeakSet<object>();

/** Once per driver, from discovery. */
export function installOnDriver(driver: SqlDriver): void {
  if (installed.has(driver)) return;
  installed.add(driver);
  installSearch();
  installShortIndexes();
  installWrites(driver);
  installReads(driver);
  const createQueryBuilder = driver.createQueryBuilder.bind(driver);
  driver.createQueryBuilder = (...parameters) => {
    const builder = createQueryBuilder(...parameters);
    patchBuilder(Object.getPrototypeOf(builder) as QueryBuilder);
    return builder;
  };
  const createEntityManager = driver.createEntityManager.bind(driver);
  driver.createEntityManager = (...parameters) => {
    const manager = createEntityManager(...parameters);
    patchKysely(Object.getPrototypeOf(manager) as WithKysely);
    return manager;
  };
}

function patchKysely(prototype: WithKysely): void {
  if (prototype.getKysely === undefined || patched.has(prototype)) return;
  patched.add(prototype);
  const { getKysely } = prototype;
  prototype.getKysely = function (options) {
    const kysely = getKysely.call(this, options);
    return options?.convertValues === true ? guardKysely(kysely) : kysely;
  };
}

function installWrites(driver: SqlDriver): void {
  const { nativeInsert, nativeInsertMany, nativeUpdate, nativeUpdateMany, mapDataToFieldNames } =
    driver;
  const encrypted = (entityName: unknown, rows: readonly Row[]): Row[] =>
    encryptRows(propertiesOf(driver.getMetadata().find(entityName)), rows) as Row[];
  driver.nativeInsert = async (entity, row, ...rest) =>
    nativeInsert.call(driver, entity, encrypted(entity, [row])[0] as Row, ...rest);
  driver.nativeInsertMany = async (entity, rows, ...rest) =>
    nativeInsertMany.call(driver, entity, encrypted(entity, rows), ...rest);
  driver.nativeUpdate = async (entity, where, row, ...rest) =>
    nativeUpdate.call(driver, entity, where, encrypted(entity, [row])[0] as Row, ...rest);
  driver.nativeUpdateMany = async (entity, where, rows, ...rest) =>
    nativeUpdateMany.call(driver, entity, where, encrypted(entity, rows), ...rest);
  driver.mapDataToFieldNames = (row, stringify, properties, ...rest) => {
    const isRow = properties !== undefined && row !== null && row !== undefined;
    const [completed] = isRow ? encryptRows(properties, [row]) : [row];
    return mapDataToFieldNames.call(driver, completed as Row, stringify, properties, ...rest);
  };
}

function installReads(driver: SqlDriver): void {
  const { find } = driver;
  driver.find = async (entityName, ...rest) => {
    const rows = await find.call(driver, entityName, ...rest);
    const meta = driver.getMetadata().find(entityName);
    if (meta) openRows(meta, rows);
    return rows;
  };
}

/** On the prototype, because builders clone themselves. */
function patchBuilder(prototype: QueryBuilder): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  const { merge, groupBy } = prototype;
  prototype.merge = function (data) {
    return merge.call(this, data && mergeData(propertiesOf(metaOfBuilder(this)), data));
  };
  prototype.groupBy = function (fields) {
    refuseGrouping(propertiesOf(metaOfBuilder(this)), fields);
    return groupBy.call(this, fields);
  };
}

function propertiesOf(meta: Meta | undefined): Properties {
  return meta?.properties ?? {};
}

/**
 * `ON CONFLICT … DO UPDATE SET`: MikroORM takes values given here as they are, so they are encrypted here. The tokens
 * of indexed properties go along.
 */
function mergeData(properties: Properties, data: readonly string[] | Row): string[] | Row {
  if (!Array.isArray(data)) return encryptRows(properties, [data as Row])[0] as Row;
  const names = data as readonly string[];
  return [...new Set([...names, ...companionsOf(properties, names)])];
}

function refuseGrouping(properties: Properties, fields: unknown): void {
  for (const field of [fields].flat()) {
    if (typeof field !== "string") continue;
    const type = encryptedTypeOf(properties[field.split(".").pop() as string]);
    if (type) throw unsupportedQuery(type, "cannot be grouped by");
  }
}
