// fieldseal.config.ts|js|mjs: where the command learns which columns there are and how to reach the database.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, type EncryptedColumn } from "@fieldseal/crypto";
import { Pool } from "pg";

export interface FieldsealConfig {
  /**
   * `encryptedColumns(sequelize)` or `encryptedColumns(orm)`, or a function that gives it.
   */
  readonly columns:
    | readonly EncryptedColumn[]
    | (() => readonly EncryptedColumn[] | Promise<readonly EncryptedColumn[]>);
  /**
   * Plain columns of other types that encrypted columns take over: `"table.column"` of the encrypted one to the name
   * of the plain one. Defaults to none.
   */
  readonly sources?: Readonly<Record<string, string>>;
  /** Defaults to the variable `DATABASE_URL`. */
  readonly databaseUrl?: string;
  /** Called at the end: closes the ORM. */
  readonly close?: () => unknown;
}

/** For editors: checks a configuration and returns it. */
export function defineConfig(config: FieldsealConfig): FieldsealConfig {
  return config;
}

const NAMES = ["fieldseal.config.ts", "fieldseal.config.mjs", "fieldseal.config.js"];

const EXAMPLE =
  'Write fieldseal.config.ts, for example: import { encryptedColumns } from "@fieldseal/sequelize"; ' +
  'import { sequelize } from "./db.ts"; export default { columns: () => encryptedColumns(sequelize) };';

export interface Session {
  readonly pool: Pool;
  readonly columns: readonly EncryptedColumn[];
  readonly sources: Readonly<Record<string, string>>;
}

/**
 * Runs an action with the configured columns and a pool, and closes both.
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION` when there is no usable configuration
 */
export async function withSession<T>(
  path: string | undefined,
  action: (session: Session) => Promise<T>,
): Promise<T> {
  const config = await loadConfig(path);
  const connectionString = config.databaseUrl ?? process.env.DATABASE_URL;
  if (connectionString === undefined || connectionString === "") {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      "No database is configured. Set DATABASE_URL, or databaseUrl in the configuration file.",
    );
  }
  const pool = new Pool({ connectionString, application_name: "fieldseal" });
  pool.on("error", () => {}); // a lost idle connection; the next query reports what is wrong
  try {
    const columns = typeof config.columns === "function" ? await config.columns() : config.columns;
    return await action({ pool, columns, sources: config.sources ?? {} });
  } finally {
    await pool.end();
    await config.close?.();
  }
}

async function loadConfig(path: string | undefined): Promise<FieldsealConfig> {
  const file = path === undefined ? NAMES.find((name) => existsSync(name)) : path;
  if (file === undefined || !existsSync(file)) {
    const what =
      file === undefined ? "There is no configuration file here" : `${file} does not exist`;
    throw new ConfigError("ERR_CONFIG_OPTION", `${what}. ${EXAMPLE}`);
  }
  const { default: config } = (await import(pathToFileURL(resolve(file)).href)) as {
    default?: Partial<FieldsealConfig>;
  };
  const { columns } = config ?? {};
  if (!Array.isArray(columns) && typeof columns !== "function") {
    throw new ConfigError(
      "ERR_CONFIG_OPTION",
      `${file} must have a default export with columns, an array or a function. ${EXAMPLE}`,
    );
  }
  return config as FieldsealConfig;
}
