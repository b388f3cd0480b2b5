// One table, served by Sequelize and by MikroORM: what one writes the other reads, changes and finds.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import * as mikro from "@fieldseal/mikro-orm";
import * as sequelizer from "@fieldseal/sequelize";
import { EntitySchema, MikroORM, type EntityManager } from "@mikro-orm/postgresql";
import { expect } from "chai";
import { DataTypes, Sequelize, type Model, type ModelStatic } from "sequelize";
import { createTestDatabase, type TestDatabase } from "./support/postgres.ts";

interface Subject {
  id: number;
  label: string | null;
  box: unknown;
  frame: Uint8Array | null;
  token: string | null;
  plate: string | null;
  email: string | null;
}

/** JSON of every shape, and the edges of the other types. */
const VALUES: readonly Omit<Subject, "id">[] = [
  {
    label: "pedestrian",
    box: { x: 1, y: 2.5, tags: ["a", null, true], deep: { ü: "ß", "": [] } },
    frame: Buffer.from([0, 1, 254, 255]),
    token: "AAECAw==",
    plate: "ZH 1234",
    email: "Ada@Example.org",
  },
  { label: "", box: [], frame: Buffer.alloc(0), token: "", plate: "", email: "" },
  { label: null, box: null, frame: null, token: null, plate: null, email: null },
  ...["text", 0, -1.5, 1e21, true, false, [[[]]], { "a.b": 1 }].map((box) => ({
    label: "\u0000 😀 e\u0301",
    box,
    frame: Buffer.from("9V6h"),
    token: "9V6h",
    plate: "9V6hAAAA",
    email: `${JSON.stringify(box).length}@example.org`,
  })),
];

const OPTIONS = {
  plate: { deterministic: true },
  email: { blindIndex: { column: "email_index", normalize: "email" } },
} as const;

interface Side {
  insert(values: object): Promise<number>;
  load(id: number): Promise<Subject>;
  change(id: number, values: object): Promise<void>;
  find(where: object): Promise<number[]>;
  close(): Promise<void>;
}

type ColumnOptions = Readonly<Record<string, object>>;

function bySequelize(database: TestDatabase, keyring: Keyring, extra: ColumnOptions): Side {
  const sequelize = sequelizer.fieldseal(
    new Sequelize(database.url, { dialect: "postgres", logging: false }),
    { keyring },
  );
  const { EncryptedType, EncryptedJSONType, EncryptedBinaryType, EncryptedBase64Type } = sequelizer;
  const model: ModelStatic<Model> = sequelize.define(
    "Subject",
    {
      id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
      label: EncryptedType(extra.label),
      box: EncryptedJSONType(extra.box),
      frame: EncryptedBinaryType(extra.frame),
      token: EncryptedBase64Type(extra.token),
      plate: EncryptedType(OPTIONS.plate),
      email: EncryptedType(OPTIONS.email),
    },
    { tableName: "subjects", timestamps: false },
  );
  const get = (id: number): Promise<Model> => model.findByPk(id, { rejectOnEmpty: true });
  return {
    insert: async (values) => (await model.create(values as never)).get("id") as number,
    load: async (id) => (await get(id)).get({ plain: true }) as Subject,
    change: async (id, values) => void (await (await get(id)).update(values)),
    find: async (where) =>
      (await model.findAll({ where: { ...where }, order: ["id"] })).map(
        (one) => one.get("id") as number,
      ),
    close: () => sequelize.close(),
  };
}

async function byMikroOrm(
  database: TestDatabase,
  keyring: Keyring,
  extra: ColumnOptions,
): Promise<Side> {
  const { EncryptedType, EncryptedJSONType, EncryptedBinaryType, EncryptedBase64Type } = mikro;
  const Entity = new EntitySchema<Subject>({
    name: "Subject",
    tableName: "subjects",
    properties: {
      id: { type: "integer", primary: true, autoincrement: true },
      label: { type: new EncryptedType(extra.label), nullable: true },
      box: { type: new EncryptedJSONType(extra.box), nullable: true },
      frame: { type: new EncryptedBinaryType(extra.frame), nullable: true },
      token: { type: new EncryptedBase64Type(extra.token), nullable: true },
      plate: { type: new EncryptedType(OPTIONS.plate), nullable: true },
      email: { type: new EncryptedType(OPTIONS.email), nullable: true },
      emailIndex: { type: mikro.BlindIndexType, fieldName: "email_index", nullable: true },
    },
  } as never);
  const orm = await MikroORM.init(
    mikro.fieldseal({ clientUrl: database.url, entities: [Entity] }, { keyring }),
  );
  const em = (): EntityManager => orm.em.fork();
  return {
    insert: async (values) => (await em().insert(Entity, values as never)) as number,
    load: async (id) => {
      const { emailIndex: _, ...subject } = (await em().findOneOrFail(Entity, {
        id,
      })) as Subject & {
        emailIndex?: unknown;
      };
      return subject;
    },
    change: async (id, values) => {
      const manager = em();
      manager.assign(await manager.findOneOrFail(Entity, { id }), values as never);
      await manager.flush();
    },
    find: async (where) => {
      const found = await em().find(Entity, { ...where } as never, { orderBy: { id: "asc" } });
      return found.map(({ id }) => id);
    },
    close: () => orm.close(true),
  };
}

describe("Sequelize and MikroORM on one table", function () {
  this.timeout(30_000);
  let database: TestDatabase;
  const open: Side[] = [];

  async function sides(keyring: Keyring, extra: ColumnOptions = {}): Promise<[Side, Side]> {
    const pair: [Side, Side] = [
      bySequelize(database, keyring, extra),
      await byMikroOrm(database, keyring, extra),
    ];
    open.push(...pair);
    return pair;
  }

  before(async () => {
    database = await createTestDatabase();
    await database.query(`create table subjects (id serial primary key, label text, box text, frame bytea,
      token text, plate text unique, email text, email_index text)`);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((side) => side.close()));
    await database.query("truncate subjects");
  });
  after(() => database.drop());

  const directions: [string, (pair: [Side, Side]) => [Side, Side]][] = [
    ["Sequelize writes, MikroORM reads", ([one, other]) => [one, other]],
    ["MikroORM writes, Sequelize reads", ([one, other]) => [other, one]],
  ];

  for (const [title, order] of directions) {
    it(`${title}: all types and shapes`, async () => {
      const [writer, reader] = order(await sides(Keyring.fromKey(generateRootKey())));
      for (const [i, values] of VALUES.entries()) {
        const plate = values.plate && `${values.plate}${i}`;
        const id = await writer.insert({ ...values, plate });
        const read = await reader.load(id);
        expect(read).to.deep.equal({ id, ...values, plate });
      }
    });

    it(`${title}: searches and changes`, async () => {
      const [writer, reader] = order(await sides(Keyring.fromKey(generateRootKey())));
      const id = await writer.insert(VALUES[0]!);
      const other = await reader.insert({ plate: "other", email: "other@example.org" });
      expect(await reader.find({ plate: "ZH 1234" })).to.deep.equal([id]);
      expect(await reader.find({ email: "ADA@example.org" })).to.deep.equal([id]);
      expect(await writer.find({ plate: ["ZH 1234", "other"] })).to.deep.equal([id, other]);
      await reader.change(id, { email: "new@example.org", box: { changed: true } });
      expect(await writer.find({ email: "ada@example.org" })).to.deep.equal([]);
      expect(await writer.find({ email: "new@example.org" })).to.deep.equal([id]);
      expect((await writer.load(id)).box).to.deep.equal({ changed: true });
      const error = await reader.insert({ plate: "ZH 1234" }).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error?.message, "UNIQUE holds across both").to.match(/unique|Validation/i);
    });

    it(`${title}: keys rotated in between`, async () => {
      const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
      const [before] = order(await sides(Keyring.fromKey(oldKey)));
      const id = await before.insert(VALUES[0]!);
      const [, after] = order(await sides(Keyring.fromKey(newKey, { previous: [oldKey] })));
      expect(await after.find({ plate: "ZH 1234" })).to.deep.equal([id]);
      expect(await after.find({ email: "ada@example.org" })).to.deep.equal([id]);
      const fresh = await after.insert({ ...VALUES[0]!, plate: "new", email: "ada@example.org" });
      expect(await after.find({ email: "ada@example.org" })).to.deep.equal([id, fresh]);
      const rows = await database.query("select left(label, 12) as head from subjects order by id");
      expect(new Set(rows.map(({ head }) => head))).to.have.length(2);
      expect((await after.load(id)).label).to.equal("pedestrian");
    });

    it(`${title}: plaintext and legacy columns`, async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      const legacy = { legacy: "aes-256-cbc", suite: "aes-256-cbc" };
      const states: ColumnOptions[] = [
        { label: legacy, box: legacy, frame: legacy, token: legacy },
        { label: { legacy: "aes-256-cbc" }, box: { legacy: "aes-256-cbc" } },
        {
          label: { plaintext: "accept" },
          box: { plaintext: "accept" },
          frame: { plaintext: "accept" },
        },
      ];
      const { plate: _, email: __, ...values } = VALUES[0]!;
      for (const [i, state] of states.entries()) {
        const [writer, reader] = order(await sides(keyring, state));
        const id = await writer.insert(values);
        expect(await reader.load(id), `state ${i}`).to.deep.include(values);
      }
      await database.query(
        `insert into subjects (id, label, box, frame) values (1000, 'plain', '{"a":1}', '\\x0102')`,
      );
      const [, reader] = order(await sides(keyring, states[2]));
      expect(await reader.load(1000)).to.deep.include({ label: "plain", box: { a: 1 } });
    });
  }

  it("describe the same columns with the same contexts", async () => {
    const keyring = Keyring.fromKey(generateRootKey());
    const [one] = await sides(keyring);
    expect(one).to.be.an("object");
    const sequelize = new Sequelize(database.url, { dialect: "postgres", logging: false });
    sequelizer.fieldseal(sequelize, { keyring });
    sequelize.define("User", { email: sequelizer.EncryptedType() }, { tableName: "users" });
    const User = new EntitySchema({
      name: "User",
      tableName: "users",
      properties: { id: { type: "integer", primary: true }, email: { type: mikro.EncryptedType } },
    } as never);
    const orm = await MikroORM.init({ clientUrl: database.url, entities: [User] });
    const [[a], [b]] = [
      sequelizer.encryptedColumns(sequelize),
      mikro.encryptedColumns(orm as never),
    ];
    expect(a!.cipher.context).to.deep.equal(b!.cipher.context);
    expect([a!.table, a!.column]).to.deep.equal([b!.table, b!.column]);
    await orm.close(true);
    await sequelize.close();
  });
});
