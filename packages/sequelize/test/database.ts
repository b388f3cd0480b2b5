// A Sequelize on a database of its own, with or without the plugin.
import type { KeyringInput } from "@fieldseal/crypto";
import { Sequelize, type Options } from "sequelize";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { fieldseal } from "../src/index.ts";

export interface Opened {
  readonly database: TestDatabase;
  /** Every statement that was logged, with its parameters. */
  readonly log: string[];
  readonly sequelize: Sequelize;
  close(): Promise<void>;
}

export async function openDatabase(
  keyring: KeyringInput | undefined,
  options: Options = {},
): Promise<Opened> {
  const database = await createTestDatabase();
  const log: string[] = [];
  const sequelize = connect(database, log, options);
  if (keyring !== undefined) fieldseal(sequelize, { keyring });
  return {
    database,
    log,
    sequelize,
    async close() {
      await sequelize.close();
      await database.drop();
    },
  };
}

export function connect(
  database: TestDatabase,
  log: string[] = [],
  options: Options = {},
): Sequelize {
  return new Sequelize(database.url, {
    dialect: "postgres",
    logging: (sql) => void log.push(sql),
    logQueryParameters: true,
    ...options,
  });
}
