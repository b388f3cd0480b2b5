// One table with searchable columns of every kind, served by Sequelize and by MikroORM while keys rotate: what one
// writes or changes the other finds, and nothing is found that has gone.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import * as mikro from "@fieldseal/mikro-orm";
import * as sequelizer from "@fieldseal/sequelize";
import { EntitySchema, MikroORM } from "@mikro-orm/postgresql";
import { expect } from "chai";
import { DataTypes, Op, Sequelize, type Model, type ModelStatic } from "sequelize";
import { createTestDatabase, type TestDatabase } from "./support/postgres.ts";

const TYPES = {
  text: "EncryptedType",
  json: "EncryptedJSONType",
  bytes: "EncryptedBinaryType",
  base64: "EncryptedBase64Type",
} as const;
type Kind = keyof typeof TYPES;

const { EncryptedType, EncryptedJSONType, EncryptedBinaryType, EncryptedBase64Type } = mikro;
const mikroTypes = { EncryptedType, EncryptedJSONType, EncryptedBinaryType, EncryptedBase64Type };
const sequelizeTypes = {
  EncryptedType: sequelizer.EncryptedType,
  EncryptedJSONType: sequelizer.EncryptedJSONType,
  EncryptedBinaryType: sequelizer.EncryptedBinaryType,
  EncryptedBase64Type: sequelizer.EncryptedBase64Type,
};

/** A column of each type and way to search; bytes also as text, and text as bytes. */
const COLUMNS: readonly { name: string; kind: Kind; options: object; indexed?: boolean }[] = (
  Object.keys(TYPES) as Kind[]
).flatMap((kind) => [
  { name: `${kind}_fixed`, kind, options: { deterministic: true } },
  {
    name: `${kind}_wide`,
    kind,
    options: { blindIndex: { column: `${kind}_wide_index` }, suite: "A256GCM" },
    indexed: true,
  },
  {
    name: `${kind}_short`,
    kind,
    options: {
      blindIndex: { column: `${kind}_short_index`, bits: 5 },
      storage: kind === "bytes" ? "text" : "binary",
      pad: 64,
    },
    indexed: true,
  },
]);

const VALUES: Record<Kind, readonly unknown[]> = {
  text: ["ada", "", "\u0000 😀 é"],
  json: [{ a: [1, null, { "": "ß" }], b: true }, [], "text"],
  bytes: [Buffer.from([0, 255, 1]), Buffer.alloc(0), Buffer.from("9V6h")],
  base64: ["AAECAw==", "", "9V6h"],
};

type Row = Record<string, unknown>;

interface Side {
  insert(values: Row): Promise<number>;
  load(id: number): Promise<Row>;
  change(id: number, values: Row): Promise<void>;
  /** Equal to the value, or not. */
  find(column: string, value: unknown, isNegated?: boolean): Promise<number[]>;
  close(): Promise<void>;
}

function bySequelize(database: TestDatabase, keyring: Keyring): Side {
  const sequelize = sequelizer.fieldseal(
    new Sequelize(database.url, { dialect: "postgres", logging: false }),
    { keyring },
  );
  const attributes = COLUMNS.map(({ name, kind, options }) => [
    name,
    { type: sequelizeTypes[TYPES[kind]](options) },
  ]);
  const model: ModelStatic<Model> = sequelize.define(
    "Thing",
    {
      id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
      ...(Object.fromEntries(attributes) as object),
    },
    { tableName: "things", timestamps: false },
  );
  const get = (id: number): Promise<Model> => model.findByPk(id, { rejectOnEmpty: true });
  return {
    insert: async (values) => (await model.create(values as never)).get("id") as number,
    load: async (id) => (await get(id)).get({ plain: true }) as Row,
    change: async (id, values) => void (await (await get(id)).update(values)),
    find: async (column, value, isNegated = false) => {
      const where = { [column]: { [isNegated ? Op.ne : Op.eq]: value } };
      const found = await model.findAll({ where, order: ["id"] });
      return found.map((one) => one.get("id") as number);
    },
    close: () => sequelize.close(),
  };
}

async function byMikroOrm(database: TestDatabase, keyring: Keyring): Promise<Side> {
  const properties = COLUMNS.flatMap(({ name, kind, options, indexed }) => [
    [name, { type: new mikroTypes[TYPES[kind]](options), fieldName: name, nullable: true }],
    ...(indexed === true
      ? [
          [
            `${name}_index`,
            { type: mikro.BlindIndexType, fieldName: `${name}_index`, nullable: true },
          ],
        ]
      : []),
  ]);
  const Thing = new EntitySchema<Row & { id: number }>({
    name: "Thing",
    tableName: "things",
    properties: {
      id: { type: "integer", primary: true, autoincrement: true },
      ...(Object.fromEntries(properties) as object),
    },
  } as never);
  const orm = await MikroORM.init(
    mikro.fieldseal({ clientUrl: database.url, entities: [Thing] }, { keyring }),
  );
  return {
    insert: async (values) => (await orm.em.fork().insert(Thing, values as never)) as number,
    load: async (id) => ({ ...(await orm.em.fork().findOneOrFail(Thing, { id })) }),
    change: async (id, values) => {
      const em = orm.em.fork();
      Object.assign(await em.findOneOrFail(Thing, { id }), values);
      await em.flush();
    },
    find: async (column, value, isNegated = false) => {
      const where = { [column]: { [isNegated ? "$ne" : "$eq"]: value } };
      const found = await orm.em.fork().find(Thing, where as never, { orderBy: { id: "asc" } });
      return found.map(({ id }) => id);
    },
    close: () => orm.close(true),
  };
}

describe("Search by Sequelize and MikroORM on one table", function () {
  this.timeout(60_000);
  let database: TestDatabase;
  const open: Side[] = [];

  before(async () => {
    database = await createTestDatabase();
    const columns = COLUMNS.map(({ name, kind, options, indexed }) => {
      const { storage = kind === "bytes" ? "binary" : "text" } = options as { storage?: string };
      const index = indexed === true ? `, ${name}_index text` : "";
      return `${name} ${storage === "binary" ? "bytea" : "text"}${index}`;
    });
    await database.query(`create table things (id serial primary key, ${columns.join(", ")})`);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((side) => side.close()));
    await database.query("truncate things");
  });
  after(() => database.drop());

  async function sides(keyring: Keyring): Promise<{ sequelize: Side; mikroOrm: Side }> {
    const pair = {
      sequelize: bySequelize(database, keyring),
      mikroOrm: await byMikroOrm(database, keyring),
    };
    open.push(pair.sequelize, pair.mikroOrm);
    return pair;
  }

  const row = (i: number): Row =>
    Object.fromEntries(COLUMNS.map(({ name, kind }) => [name, VALUES[kind][i]]));

  function expectRow(loaded: Row, i: number): void {
    for (const { name, kind } of COLUMNS) {
      const value = kind === "bytes" ? Buffer.from(loaded[name] as Uint8Array) : loaded[name];
      expect(value, name).to.deep.equal(VALUES[kind][i]);
    }
  }

  for (const first of ["sequelize", "mikroOrm"] as const) {
    const second = first === "sequelize" ? "mikroOrm" : "sequelize";
    it(`finds what ${first} wrote and ${second} changed under the next key`, async () => {
      const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
      const before = await sides(Keyring.fromKey(oldKey));
      const ids = [await before[first].insert(row(0)), await before[first].insert(row(1))];
      for (const side of [before[first], before[second]]) {
        expectRow(await side.load(ids[0]!), 0);
        for (const { name, kind } of COLUMNS) {
          expect(await side.find(name, VALUES[kind][0]), name).to.deep.equal([ids[0]]);
          expect(await side.find(name, VALUES[kind][0], true), name).to.deep.equal([ids[1]]);
        }
      }

      const after = await sides(Keyring.fromKey(newKey, { previous: [oldKey] }));
      for (const { name, kind } of COLUMNS) {
        expect(await after[second].find(name, VALUES[kind][0]), name).to.deep.equal([ids[0]]);
      }
      await after[second].change(ids[0]!, row(2));
      for (const side of [after[first], after[second]]) {
        expectRow(await side.load(ids[0]!), 2);
        expectRow(await side.load(ids[1]!), 1);
        for (const { name, kind } of COLUMNS) {
          expect(await side.find(name, VALUES[kind][0]), `${name}, gone`).to.deep.equal([]);
          expect(await side.find(name, VALUES[kind][1]), `${name}, old key`).to.deep.equal([
            ids[1],
          ]);
          expect(await side.find(name, VALUES[kind][2]), `${name}, new key`).to.deep.equal([
            ids[0],
          ]);
        }
      }
      const late = await before[second].load(ids[0]!).then(
        () => undefined,
        (reason: { code?: string }) => reason,
      );
      expect(late?.code, "who does not know the new key").to.equal("ERR_KEY_UNKNOWN");
    });
  }
});
