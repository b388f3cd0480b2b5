// Where rows leave for the database: every path of writing goes through the driver's four methods, or through the
// query builder, which asks the driver to map properties to columns.
import { rememberRows } from "./bad-rows.ts";
import { installChanges } from "./changes.ts";
import { checkDiscovered } from "./discovered.ts";
import {
  ON_CHANGED,
  ON_ROWS,
  type QueryBuilder,
  type SqlDriver,
  type UpsertOptions,
  type WithKysely,
} from "./driver-internals.ts";
import { rowsAsExpected } from "./found-rows.ts";
import { guardKysely } from "./kysely-guard.ts";
import { forgetTables } from "./kysely-scope.ts";
import { wrapDiscovery, wrapHydration, wrapUpserts } from "./entity-manager-internals.ts";
import {
  keyColumnsOf,
  propertiesOf,
  type Meta,
  type Properties,
  type Row,
} from "./mikro-orm-internals.ts";
import { refusePaths } from "./other-names.ts";
import { patchBuilder } from "./query-builders.ts";
import { installRedaction, redactEntities } from "./redaction.ts";
import { companionsOf, encryptRows, openRows, withTokens } from "./rows.ts";
import { installSearch } from "./search.ts";
import { installShortIndexes } from "./short-index.ts";
import { installSnapshots } from "./snapshots.ts";
import { convertUnconverted } from "./unconverted.ts";

const installed = new WeakSet<SqlDriver>();
const patched = new WeakSet<object>();
/** Columns that an UPDATE shall return, by its logger context: that is what its query builder gets of its options. */
const returned = new WeakMap<object, readonly string[]>();
/** Rows that were read to be converted. */
const stored = new WeakSet<object>();

/** Once per driver, from discovery. */
export function installOnDriver(driver: SqlDriver): void {
  if (installed.has(driver)) return;
  installed.add(driver);
  installSnapshots();
  installSearch();
  installShortIndexes();
  installChanges();
  installRedaction();
  installOnManagers();
  installWrites(driver);
  installReads(driver);
  const createQueryBuilder = driver.createQueryBuilder.bind(driver);
  driver.createQueryBuilder = (...parameters) => {
    const builder = createQueryBuilder(...parameters);
    patchBuilder(Object.getPrototypeOf(builder) as QueryBuilder);
    const columns = returned.get(parameters[4] as object);
    if (columns) {
      const returning = builder.returning.bind(builder);
      builder.returning = (fields) => returning([...new Set([...fields, ...columns])]);
    }
    return builder;
  };
}

function patchKysely(prototype: WithKysely): void {
  if (prototype.getKysely === undefined || patched.has(prototype)) return;
  patched.add(prototype);
  const { getKysely } = prototype;
  prototype.getKysely = function (options) {
    return guardKysely(getKysely.call(this, options), this.getMetadata());
  };
}

let isInstalled = false;

/** Once per process and version of MikroORM. */
function installOnManagers(): void {
  if (isInstalled) return;
  isInstalled = true;
  wrapUpserts((meta, row) => withTokens(propertiesOf(meta), row));
  wrapHydration(stored);
  wrapDiscovery((metadata, em) => {
    patchKysely(Object.getPrototypeOf(em) as WithKysely);
    forgetTables(metadata);
    checkDiscovered(metadata);
    redactEntities(metadata);
  });
}

function installWrites(driver: SqlDriver): void {
  const { nativeInsert, nativeInsertMany, nativeUpdate, nativeUpdateMany, mapDataToFieldNames } =
    driver;
  const encrypted = (entityName: unknown, rows: readonly Row[]): Row[] =>
    encryptRows(propertiesOf(driver.getMetadata().find(entityName)), rows) as Row[];
  driver.nativeInsert = async (entity, row, ...rest) =>
    nativeInsert.call(driver, entity, encrypted(entity, [row])[0] as Row, ...rest);
  driver.nativeInsertMany = async (entity, rows, ...rest) => {
    for (const row of rows) refusePaths(propertiesOf(driver.getMetadata().find(entity)), row);
    return nativeInsertMany.call(driver, entity, encrypted(entity, rows), ...rest);
  };
  const onConflict = (entityName: unknown, options: UpsertOptions | undefined): UpsertOptions =>
    withCompanions(propertiesOf(driver.getMetadata().find(entityName)), options ?? {});
  driver.nativeUpdate = async (entity, where, row, options) => {
    const [completed] = encrypted(entity, [row]);
    const given = onConflict(entity, options);
    const { loggerContext, [ON_CHANGED]: onChanged } = options ?? {};
    if (onChanged && loggerContext) {
      returned.set(loggerContext, keyColumnsOf(driver.getMetadata().find(entity) as Meta));
    }
    const result = await nativeUpdate.call(driver, entity, where, completed as Row, given);
    onChanged?.(result.rows ?? []);
    return result;
  };
  driver.nativeUpdateMany = async (entity, where, rows, options, transform) => {
    const completed = encrypted(entity, rows);
    const given = onConflict(entity, options);
    return nativeUpdateMany.call(driver, entity, where, completed, given, transform);
  };
  const { nativeClone } = driver; // version 7 alone
  if (nativeClone) {
    driver.nativeClone = async (entity, where, row, ...rest) =>
      nativeClone.call(driver, entity, where, row && encrypted(entity, [row])[0], ...rest);
  }
  driver.mapDataToFieldNames = (row, stringify, properties, ...rest) => {
    const isRow = properties !== undefined && row !== null && row !== undefined;
    if (isRow) refusePaths(properties, row);
    const [completed] = isRow ? encryptRows(properties, [row]) : [row];
    return mapDataToFieldNames.call(driver, completed as Row, stringify, properties, ...rest);
  };
}

function installReads(driver: SqlDriver): void {
  const { find } = driver;
  driver.find = async (entityName, where, options) => {
    const metadata = driver.getMetadata();
    // Where conversion is switched off, conditions hold what the database holds.
    const isConverted = options?.convertCustomTypes !== false;
    const asked = { entityName, metadata, platform: driver.getPlatform(), where };
    const condition = isConverted ? convertUnconverted(asked) : where;
    const rows = await find.call(driver, entityName, condition, options);
    options?.[ON_ROWS]?.(rows);
    const meta = metadata.find(entityName);
    if (!meta) return rows;
    rememberRows(meta, rows);
    if (options?.convertCustomTypes === true) for (const row of rows) stored.add(row);
    openRows(meta, rows);
    return rowsAsExpected(meta, condition, rows);
  };
}

/** An upsert that merges or keeps a value merges or keeps its tokens. */
function withCompanions(properties: Properties, options: UpsertOptions): UpsertOptions {
  const { onConflictMergeFields: merged, onConflictExcludeFields: kept } = options;
  return {
    ...options,
    ...(merged && { onConflictMergeFields: [...merged, ...companionsOf(properties, merged)] }),
    ...(kept && { onConflictExcludeFields: [...kept, ...companionsOf(properties, kept)] }),
  };
}
