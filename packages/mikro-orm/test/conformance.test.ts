// The promises that both adapters keep, on both versions of MikroORM.
import { createRequire } from "node:module";
import {
  describeConformance,
  Not,
  type ConformanceCondition,
  type ConformanceDefinition,
  type ConformanceModel,
  type ConformanceRecord,
} from "@fieldseal/crypto/testing";
import type pg from "pg";
import { recordStatements } from "../../../test/support/sent-statements.ts";
import {
  connect,
  createSchema,
  createTestDatabase,
  type EntityManager,
  type MikroORM,
  type TestDatabase,
} from "./database.ts";
import { versions, type Version } from "./versions.ts";

const PLAIN = {
  text: { type: "text" },
  json: { type: "json" },
  binary: { type: "blob" },
  base64: { type: "text" },
};

// Each version has its own copy of the driver, and Knex, which version 6 works with, takes the root's.
const sent = recordStatements(
  ...[
    import.meta.url,
    import.meta.resolve("@mikro-orm/postgresql"),
    import.meta.resolve("../../../test/mikro-orm-6/package.json"),
  ].map((user) => createRequire(user)("pg") as typeof pg),
);

function whereOf(condition: ConformanceCondition): never {
  return Object.fromEntries(
    Object.entries(condition).map(([field, wanted]) => {
      if (!(wanted instanceof Not)) return [field, wanted];
      return [field, { [Array.isArray(wanted.value) ? "$nin" : "$ne"]: wanted.value }];
    }),
  ) as never;
}

function entityFor({ adapter, core }: Version, { name, fields }: ConformanceDefinition): unknown {
  const types = {
    text: adapter.EncryptedType,
    json: adapter.EncryptedJSONType,
    binary: adapter.EncryptedBinaryType,
    base64: adapter.EncryptedBase64Type,
  };
  const properties: Record<string, object> = {
    id: { type: "integer", primary: true, autoincrement: true },
  };
  for (const [field, { type, options }] of Object.entries(fields)) {
    const own = options === "plain" ? PLAIN[type] : { type: new types[type](options) };
    properties[field] = { ...own, fieldName: field, nullable: true };
    const index = options !== "plain" && options.blindIndex?.column;
    if (index) {
      properties[`${field}Index`] = {
        type: adapter.BlindIndexType,
        fieldName: index,
        nullable: true,
        hidden: true,
      };
    }
  }
  return new core.EntitySchema({ name, tableName: name, properties } as never);
}

class MikroModel implements ConformanceModel {
  readonly #orm: MikroORM;
  readonly #name: string;
  readonly #fields: readonly string[];

  readonly #firstStatement = sent.length;

  private constructor(orm: MikroORM, { name, fields }: ConformanceDefinition) {
    this.#orm = orm;
    this.#name = name;
    this.#fields = ["id", ...Object.keys(fields)];
  }

  static async open(
    version: Version,
    database: TestDatabase,
    definition: ConformanceDefinition,
  ): Promise<MikroModel> {
    const { keyring } = definition;
    const orm = await connect(version, database, [entityFor(version, definition)], { keyring });
    await createSchema(orm);
    return new MikroModel(orm, definition);
  }

  get #em(): EntityManager {
    return this.#orm.em.fork() as EntityManager;
  }

  get #entity(): never {
    return this.#orm.getMetadata().find(this.#name as never)!.class as never;
  }

  async insert(values: ConformanceRecord): Promise<number> {
    const em = this.#em;
    const entity = em.create(this.#entity, { ...values } as never) as { id: number };
    await em.persist(entity).flush();
    return entity.id;
  }

  /** MikroORM gives the first id only; the rows of one statement have their ids in order. */
  async insertMany(values: readonly ConformanceRecord[]): Promise<number[]> {
    const em = this.#em;
    await em.insertMany(this.#entity, values.map((value) => ({ ...value })) as never);
    const options = { orderBy: { id: "desc" }, limit: values.length, fields: ["id"] };
    const last = await em.find(this.#entity, {}, options as never);
    return last.map((entity) => (entity as { id: number }).id).toReversed();
  }

  async load(id: number): Promise<ConformanceRecord> {
    return this.#plain(await this.#em.findOneOrFail(this.#entity, { id } as never));
  }

  async loadAll(): Promise<ConformanceRecord[]> {
    const all = await this.#em.find(this.#entity, {}, { orderBy: { id: "asc" } as never });
    return all.map((entity) => this.#plain(entity));
  }

  async change(id: number, change: (record: ConformanceRecord) => void): Promise<void> {
    const em = this.#em;
    change(await em.findOneOrFail(this.#entity, { id } as never));
    await em.flush();
  }

  async update(id: number, values: ConformanceRecord): Promise<void> {
    await this.#em.nativeUpdate(this.#entity, { id } as never, { ...values } as never);
  }

  async upsert(values: ConformanceRecord): Promise<void> {
    await this.#em.upsert(this.#entity, { ...values } as never);
  }

  async find(where: ConformanceCondition): Promise<number[]> {
    return this.#ids(whereOf(where), { orderBy: { id: "asc" } });
  }

  async count(where: ConformanceCondition): Promise<number> {
    return this.#em.count(this.#entity, whereOf(where));
  }

  async updateWhere(where: ConformanceCondition, values: ConformanceRecord): Promise<void> {
    await this.#em.nativeUpdate(this.#entity, whereOf(where), { ...values } as never);
  }

  async deleteWhere(where: ConformanceCondition): Promise<void> {
    await this.#em.nativeDelete(this.#entity, whereOf(where));
  }

  async findLike(property: string, pattern: string): Promise<number[]> {
    return this.#ids({ [property]: { $like: pattern } });
  }

  async sortBy(property: string): Promise<number[]> {
    return this.#ids({}, { orderBy: { [property]: "asc" } });
  }

  async #ids(where: object, options: object = {}): Promise<number[]> {
    const found = await this.#em.find(this.#entity, { ...where } as never, options);
    return found.map((entity) => (entity as { id: number }).id);
  }

  #plain(entity: object): ConformanceRecord {
    return Object.fromEntries(this.#fields.map((name) => [name, entity[name as never]]));
  }

  statements(): readonly string[] {
    return sent.slice(this.#firstStatement);
  }

  async close(): Promise<void> {
    await this.#orm.close(true);
  }
}

for (const version of versions) {
  describe(version.name, () => {
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
      openModel: (definition) => MikroModel.open(version, database, definition),
    });
  });
}
