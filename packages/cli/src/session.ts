// What a command works on: configured keys, columns, database and storage, each made when it is first asked for.
import { configure, loadKeyring, type EncryptedColumn, type KeyWrapper } from "@fieldseal/crypto";
import type { EncryptedStorage } from "@fieldseal/storage";
import { Pool } from "pg";
import type { FieldsealConfig } from "./config.ts";
import { describeDatabase } from "./database-failure.ts";
import { EXIT } from "./exit.ts";
import { CommandError, namingDatabase } from "./failure.ts";
import { explainConfigCode, findConfig, loadConfig } from "./load-config.ts";
import { MOST_WORKERS } from "./option-values.ts";

/** Milliseconds that a connection may take: an address that swallows packets would hold the command for minutes. */
const CONNECT_MS = 15_000;

export interface Session {
  readonly pool: Pool;
  /** For people: user, host and name, never the password. */
  readonly database: string;
  readonly columns: readonly EncryptedColumn[];
  readonly sources: NonNullable<FieldsealConfig["sources"]>;
  readonly previous: NonNullable<FieldsealConfig["previous"]>;
  readonly storage: EncryptedStorage | undefined;
  readonly keyWrapper: KeyWrapper | undefined;
  /** Name of the source of keys that the configuration has; undefined: variables. */
  readonly keySource: string | undefined;
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  readonly config: string | undefined;
  readonly signal: AbortSignal;
}

/** Runs an action with all that is configured, and closes it. */
export async function withSession<T>(
  options: SessionOptions,
  action: (session: Session) => Promise<T>,
): Promise<T> {
  return withConfig(options, async (config, keySource) => {
    const columns = await columnsOf(config);
    const storage = await storageOf(config);
    const connection = openPool(config);
    try {
      return await action({
        database: connection.database,
        get pool() {
          return connection.pool ?? refuseWithoutDatabase();
        },
        columns,
        storage,
        sources: config.sources ?? {},
        previous: config.previous ?? {},
        keyWrapper: config.keyWrapper,
        keySource,
        signal: options.signal,
      });
    } catch (error) {
      throw namingDatabase(error, `The database ${connection.database}`);
    } finally {
      await connection.pool?.end();
    }
  });
}

/** As people know it: with its schema, if the model has one. */
export function nameOfTable({
  schema,
  table,
}: {
  readonly schema: string | undefined;
  readonly table: string;
}): string {
  return [...(schema === undefined ? [] : [schema]), table].join(".").replaceAll('"', "");
}

/** "schema.table.column" of what a report says of one of these columns. */
export function nameOfColumn(
  columns: readonly EncryptedColumn[],
  { model, field, table, column }: Pick<EncryptedColumn, "model" | "field" | "table" | "column">,
): string {
  const schema = columns.find((one) => one.model === model && one.field === field)?.schema;
  return `${nameOfTable({ schema, table })}.${column}`;
}

/** Only the configuration and its keys; nothing is opened yet. */
export async function withConfig<T>(
  { config: path }: SessionOptions,
  action: (config: FieldsealConfig, keySource: string | undefined) => Promise<T>,
): Promise<T> {
  const config = await loadConfig(path);
  try {
    return await action(config, await useKeys(config));
  } finally {
    await config.close?.();
  }
}

/** The configuration if there is one, for commands that can do without. */
export async function withOptionalConfig<T>(
  options: SessionOptions,
  action: (config: FieldsealConfig | undefined) => Promise<T>,
): Promise<T> {
  if (findConfig(options.config) === undefined) return action(undefined);
  return withConfig(options, action);
}

/** The source's name. */
async function useKeys({ keys }: FieldsealConfig): Promise<string | undefined> {
  if (keys === undefined) return undefined;
  const source = await ownCode("keys of the configuration", keys);
  configure({ keyring: await loadKeyring(source) });
  return source.name;
}

export async function columnsOf({
  columns = [],
}: FieldsealConfig): Promise<readonly EncryptedColumn[]> {
  const given = await ownCode<readonly EncryptedColumn[]>("columns of the configuration", columns);
  if (!Array.isArray(given) || given.some((one) => !isColumn(one))) {
    throw new CommandError(
      "CONFIG_FILE",
      "columns of the configuration are no encrypted columns.",
      {
        exitCode: EXIT.configuration,
        fix: "Give what encryptedColumns() of the adapter returns.",
      },
    );
  }
  return given;
}

function isColumn(value: unknown): boolean {
  const { table, column, cipher } = (value ?? {}) as Partial<EncryptedColumn>;
  return typeof table === "string" && typeof column === "string" && typeof cipher === "object";
}

export async function storageOf({
  storage,
}: FieldsealConfig): Promise<EncryptedStorage | undefined> {
  return ownCode<EncryptedStorage | undefined>("storage of the configuration", storage);
}

async function ownCode<T>(
  what: string,
  given: T | Promise<T> | (() => T | Promise<T>),
): Promise<T> {
  try {
    return await (typeof given === "function" ? (given as () => T | Promise<T>)() : given);
  } catch (error) {
    throw explainConfigCode(error, what);
  }
}

interface Connection {
  readonly pool: Pool | undefined;
  readonly database: string;
}

export function openPool({ databaseUrl }: FieldsealConfig): Connection {
  const connectionString = databaseUrl ?? process.env.DATABASE_URL;
  if (connectionString === undefined || connectionString === "") {
    return { pool: undefined, database: "no database" };
  }
  const database = describeDatabase(connectionString);
  if (!/^postgres(?:ql)?:\/\//.test(connectionString) || !URL.canParse(connectionString)) {
    throw new CommandError("DATABASE", "The database URL is none, or not one of postgres://.", {
      exitCode: EXIT.configuration,
      fix: "Set DATABASE_URL, or databaseUrl in the configuration, to postgres://user:password@host:5432/database",
    });
  }
  const pool = new Pool({
    connectionString,
    application_name: "fieldseal",
    connectionTimeoutMillis: CONNECT_MS,
    max: MOST_WORKERS + 1, // opened when needed
  });
  pool.on("error", () => {}); // a lost idle connection; the next query reports what is wrong
  return { pool, database };
}

/**
 * Before anything is read: an empty configuration must not pass for a database in order, and a missing key must not
 * show after an hour.
 * @throws {@link CommandError} `CONFIG_FILE`
 */
export function requireColumns({ columns }: Pick<Session, "columns">): void {
  for (const { cipher } of columns) void cipher.primaryKeyId;
  if (columns.length > 0) return;
  throw new CommandError("CONFIG_FILE", "The configuration gives no encrypted column.", {
    exitCode: EXIT.configuration,
    fix: "Are the models imported and defined before encryptedColumns() is called?",
  });
}

export function refuseWithoutDatabase(): never {
  throw new CommandError("DATABASE", "No database is configured.", {
    exitCode: EXIT.configuration,
    fix: "Set DATABASE_URL, or databaseUrl in the configuration file.",
  });
}
