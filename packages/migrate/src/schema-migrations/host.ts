// What a migration of an ORM is given, and how the engine gets connections of its own from it. The shapes were read from
// Sequelize 6.37, MikroORM 7.2 and 6.6; test/schema-migrations.test.ts runs all three.
import { MigrationError } from "@fieldseal/crypto";
import pg, { type Pool, type PoolConfig } from "pg";

/** The `context` of umzug's and sequelize-cli's migrations. */
export interface SequelizeQueryInterface {
  readonly sequelize: {
    getDialect(): string;
    readonly config: object;
  };
}

/** `this` in a `Migration` class of MikroORM. */
export interface MikroOrmMigration {
  execute(sql: string): Promise<readonly object[]>;
  getEntityManager(): { getConnection(): object };
}

/** Where a migration runs: a pool of `pg`, Sequelize's query interface, or a migration of MikroORM. */
export type MigrationHost = Pool | SequelizeQueryInterface | MikroOrmMigration;

export interface Host {
  readonly pool: Pool;
  /** Runs SQL where the migration's own statements run; undefined where nobody can tell. */
  readonly execute: ((sql: string) => Promise<readonly object[]>) | undefined;
  /** Ends the connections that were opened for it. */
  close(): Promise<void>;
}

/** Enough for the workers of a run, its reader, and what looks on. */
const CONNECTIONS = 8;

/**
 * The engine's connections never come from a pool of the ORM: that one may be as small as the connection of the migration.
 * @param transaction of Sequelize, where the migration has one
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET` for another database than PostgreSQL, or something else
 */
export async function openHost(host: MigrationHost, transaction?: object): Promise<Host> {
  if (isMikroOrm(host)) {
    const options = await mikroOrmOptions(host.getEntityManager().getConnection());
    return ownPool(options, (sql) => host.execute(sql));
  }
  if (isSequelize(host)) {
    const sequelize = host.sequelize as Sequelize;
    const execute = async (sql: string): Promise<readonly object[]> => {
      const [rows] = await sequelize.query(sql, {
        logging: false,
        ...(transaction && { transaction }),
      });
      return rows;
    };
    return ownPool(sequelizeOptions(sequelize), execute);
  }
  if (typeof (host as Partial<Pool> | undefined)?.connect !== "function") {
    refuse(
      "the first argument must be a pool of pg, Sequelize's query interface, or a migration of MikroORM",
    );
  }
  return { pool: host, execute: undefined, close: async () => {} };
}

function ownPool(options: PoolConfig, execute: Host["execute"]): Host {
  const pool = new pg.Pool({ ...options, min: 0, max: CONNECTIONS });
  pool.on("error", () => {}); // the next query tells it as well
  return { pool, execute, close: () => pool.end() };
}

function isMikroOrm(host: MigrationHost): host is MikroOrmMigration {
  return typeof (host as Partial<MikroOrmMigration> | undefined)?.getEntityManager === "function";
}

function isSequelize(host: MigrationHost): host is SequelizeQueryInterface {
  const { sequelize } = (host ?? {}) as Partial<SequelizeQueryInterface>;
  return typeof sequelize?.getDialect === "function";
}

interface Sequelize {
  readonly config: SequelizeConfig & {
    readonly replication?: { readonly write?: SequelizeConfig };
  };
  getDialect(): string;
  query(sql: string, options: object): Promise<[readonly object[], unknown]>;
  runHooks(name: "beforeConnect", config: SequelizeConfig): Promise<void>;
}

interface SequelizeConfig {
  readonly username?: string;
  readonly password?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly database?: string;
  readonly dialectOptions?: Pick<
    PoolConfig,
    "ssl" | "keepAlive" | "options" | "connectionTimeoutMillis"
  >;
}

function sequelizeOptions(sequelize: Sequelize): PoolConfig {
  if (sequelize.getDialect() !== "postgres") {
    refuse(`the engine works on PostgreSQL, and this Sequelize on ${sequelize.getDialect()}`);
  }
  const { replication, ...rest } = sequelize.config;
  const config = { ...rest, ...(replication && replication.write) };
  const { username, host, port, database, dialectOptions = {} } = config;
  const { ssl, keepAlive, options, connectionTimeoutMillis } = dialectOptions;
  /** For each connection anew: applications exchange short-lived passwords in this hook. */
  const password = async (): Promise<string> => {
    const current = { ...config };
    await sequelize.runHooks("beforeConnect", current);
    return current.password ?? "";
  };
  return definedOnly({
    user: username,
    password,
    host,
    port: port === undefined ? undefined : Number(port),
    database,
    ssl,
    keepAlive,
    options,
    connectionTimeoutMillis,
  });
}

interface MikroOrmConnection {
  /** MikroORM 7. */
  getNativeClient?(): Promise<Pool>;
  /** MikroORM 6. */
  getKnex?(): { readonly client: { readonly config: { readonly connection?: unknown } } };
}

async function mikroOrmOptions(connection: MikroOrmConnection): Promise<PoolConfig> {
  const options =
    (await connection.getNativeClient?.())?.options ??
    (await valueOf(connection.getKnex?.().client.config.connection));
  if (typeof options !== "object" || options === null) {
    refuse("the engine works on PostgreSQL, and finds no connection of it in this MikroORM");
  }
  // Passwords and keys are hidden from a mere spread.
  const { password, ssl, ...rest } = options as PoolConfig;
  return definedOnly({ ...rest, types: undefined, password, ssl });
}

/** Knex takes a function for connections whose password changes. */
async function valueOf(connection: unknown): Promise<unknown> {
  return typeof connection === "function" ? (connection as () => unknown)() : connection;
}

function definedOnly(options: {
  readonly [Name in keyof PoolConfig]: PoolConfig[Name] | undefined;
}): PoolConfig {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function refuse(reason: string): never {
  throw new MigrationError("ERR_MIGRATE_TARGET", `Columns cannot be migrated: ${reason}.`);
}
