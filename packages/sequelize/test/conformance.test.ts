// The promises that both adapters keep, on Sequelize.
import {
  describeConformance,
  Not,
  type ConformanceCondition,
  type ConformanceDefinition,
  type ConformanceModel,
  type ConformanceRecord,
} from "@fieldseal/crypto/testing";
import pg from "pg";
import type { Sequelize } from "sequelize";
import {
  DataTypes,
  Op,
  type Model,
  type ModelAttributes,
  type ModelStatic,
  type WhereOptions,
} from "sequelize";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { recordStatements } from "../../../test/support/sent-statements.ts";
import {
  EncryptedBase64Type,
  EncryptedBinaryType,
  EncryptedJSONType,
  EncryptedType,
  fieldseal,
} from "../src/index.ts";
import { connect } from "./database.ts";

const ENCRYPTED = {
  text: EncryptedType,
  json: EncryptedJSONType,
  binary: EncryptedBinaryType,
  base64: EncryptedBase64Type,
};
const PLAIN = {
  text: DataTypes.TEXT,
  json: DataTypes.JSONB,
  binary: DataTypes.BLOB,
  base64: DataTypes.TEXT,
};

const sent = recordStatements(pg);

function whereOf(condition: ConformanceCondition): WhereOptions {
  return Object.fromEntries(
    Object.entries(condition).map(([field, wanted]) => [
      field,
      wanted instanceof Not ? { [Op.not]: wanted.value } : wanted,
    ]),
  ) as WhereOptions;
}

class SequelizeModel implements ConformanceModel {
  readonly #sequelize: Sequelize;
  readonly #model: ModelStatic<Model>;
  readonly #firstStatement = sent.length;

  private constructor(sequelize: Sequelize, model: ModelStatic<Model>) {
    this.#sequelize = sequelize;
    this.#model = model;
  }

  static async open(
    database: TestDatabase,
    { name, keyring, fields }: ConformanceDefinition,
  ): Promise<SequelizeModel> {
    const sequelize = fieldseal(connect(database), { keyring });
    const attributes: ModelAttributes = {
      id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
    };
    for (const [field, { type, options }] of Object.entries(fields)) {
      attributes[field] = { type: options === "plain" ? PLAIN[type] : ENCRYPTED[type](options) };
    }
    const model = sequelize.define(name, attributes, { tableName: name, timestamps: false });
    await model.sync();
    return new SequelizeModel(sequelize, model);
  }

  async insert(values: ConformanceRecord): Promise<number> {
    const instance = await this.#model.create({ ...values });
    return instance.get("id") as number;
  }

  async insertMany(values: readonly ConformanceRecord[]): Promise<number[]> {
    const instances = await this.#model.bulkCreate(values.map((value) => ({ ...value })));
    return instances.map((instance) => instance.get("id") as number);
  }

  async load(id: number): Promise<ConformanceRecord> {
    return (await this.#model.findByPk(id, { rejectOnEmpty: true })).get({ plain: true });
  }

  async loadAll(): Promise<ConformanceRecord[]> {
    const instances = await this.#model.findAll({ order: ["id"] });
    return instances.map((instance) => instance.get({ plain: true }) as ConformanceRecord);
  }

  async change(id: number, change: (record: ConformanceRecord) => void): Promise<void> {
    const instance = await this.#model.findByPk(id, { rejectOnEmpty: true });
    change(instance as unknown as ConformanceRecord);
    await instance.save();
  }

  async update(id: number, values: ConformanceRecord): Promise<void> {
    await this.#model.update(values, { where: { id } });
  }

  async upsert(values: ConformanceRecord): Promise<void> {
    await this.#model.upsert(values);
  }

  async find(where: ConformanceCondition): Promise<number[]> {
    return this.#ids({ where: whereOf(where), order: ["id"] });
  }

  async count(where: ConformanceCondition): Promise<number> {
    return this.#model.count({ where: whereOf(where) });
  }

  async updateWhere(where: ConformanceCondition, values: ConformanceRecord): Promise<void> {
    await this.#model.update(values, { where: whereOf(where) });
  }

  async deleteWhere(where: ConformanceCondition): Promise<void> {
    await this.#model.destroy({ where: whereOf(where) });
  }

  async findLike(property: string, pattern: string): Promise<number[]> {
    return this.#ids({ where: { [property]: { [Op.like]: pattern } } });
  }

  async sortBy(property: string): Promise<number[]> {
    return this.#ids({ order: [property] });
  }

  async #ids(options: object): Promise<number[]> {
    return (await this.#model.findAll(options)).map((instance) => instance.get("id") as number);
  }

  statements(): readonly string[] {
    return sent.slice(this.#firstStatement);
  }

  async close(): Promise<void> {
    await this.#sequelize.close();
  }
}

describe("Sequelize", () => {
  let database: TestDatabase;
  before(async function () {
    this.timeout(60_000);
    database = await createTestDatabase();
  });
  after(() => database.drop());

  describeConformance({
    describe,
    it: (title, run) => void it(title, run),
    before: (run) => before(run),
    after: (run) => after(run),
    query: (sql, parameters) => database.query(sql, parameters),
    openModel: (definition) => SequelizeModel.open(database, definition),
  });
});
