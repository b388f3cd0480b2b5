// One PostgreSQL seen three ways: by Sequelize, by MikroORM, and by plain SQL for what needs no ORM or must pass it by.
import type { EncryptedColumn, KeyringInput } from "@fieldseal/crypto";
import {
  encryptedColumns as columnsOfMikroOrm,
  fieldseal as withKeyring,
} from "@fieldseal/mikro-orm";
import { encryptedColumns as columnsOfSequelize, fieldseal } from "@fieldseal/sequelize";
import { MikroORM } from "@mikro-orm/postgresql";
import pg, { Pool } from "pg";
import { Sequelize } from "sequelize";
import type { PlaintextMode } from "./column-options.ts";
import { defineEntities, type Entities } from "./entities.ts";
import { defineModels, type Models } from "./models.ts";

export type WrittenBy = "Sequelize" | "MikroORM";

export interface OwnedColumn extends EncryptedColumn {
  readonly writtenBy: WrittenBy;
}

export interface Database {
  readonly pool: Pool;
  readonly sequelize: Sequelize;
  readonly models: Models;
  readonly orm: MikroORM;
  readonly entities: Entities;
  /** Every encrypted column once, as the ORM that writes it declares it. */
  readonly columns: readonly OwnedColumn[];
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly keyring: KeyringInput;
  readonly plaintext: PlaintextMode;
}

/** Tables of the ingest service; all others are written by the annotate service. */
export const MIKRO_ORM_TABLES: readonly string[] = [
  "frame",
  "frame_data",
  "video",
  "event_detection",
];

/** Sequelize listens only once a connection is open: one that the server ends in that moment would end the process. */
class HeardClient extends pg.Client {
  constructor(...parameters: ConstructorParameters<typeof pg.Client>) {
    super(...parameters);
    this.on("error", () => {});
  }
}

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, keyring, plaintext } = options;
  const pool = new Pool({ connectionString: url, max: 8 });
  // Idle connections end with the server; the next query says so to whoever asks.
  pool.on("error", () => {});
  // Those on loan too: an event that nobody hears ends the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  const dialectModule = { ...pg, Client: HeardClient };
  const sequelize = new Sequelize(url, { logging: false, pool: { max: 6 }, dialectModule });
  fieldseal(sequelize, { keyring });
  const models = defineModels(sequelize, plaintext);
  const entities = defineEntities(plaintext);
  const orm = await MikroORM.init(
    withKeyring(
      { clientUrl: url, entities: Object.values(entities), pool: { max: 6 }, debug: false },
      { keyring },
    ),
  );
  return {
    pool,
    sequelize,
    models,
    orm,
    entities,
    columns: ownedColumns(sequelize, orm),
    async close() {
      await Promise.allSettled([pool.end(), sequelize.close(), orm.close(true)]);
    },
  };
}

function ownedColumns(sequelize: Sequelize, orm: MikroORM): OwnedColumn[] {
  const isIngested = ({ table }: EncryptedColumn): boolean => MIKRO_ORM_TABLES.includes(table);
  const bySequelize = columnsOfSequelize(sequelize).filter((column) => !isIngested(column));
  const byMikroOrm = columnsOfMikroOrm(orm).filter(isIngested);
  return [
    ...byMikroOrm.map((column) => ({ ...column, writtenBy: "MikroORM" as const })),
    ...bySequelize.map((column) => ({ ...column, writtenBy: "Sequelize" as const })),
  ];
}
