// Statements that name a table and no model, as seeds and migrations make them.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inspect } from "node:util";
import { DataTypes, Op, type Model, type ModelStatic } from "sequelize";
import { EncryptedBinaryType, EncryptedType } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";
import { defineModels, type Models } from "./models.ts";
import { type QueryInterface } from "../src/query-internals.ts";
import { queryInterfaceOf } from "../src/sequelize-internals.ts";

const SECRET = "secret-marker-4b1e@example.org";
const now = { createdAt: new Date(), updatedAt: new Date() };

describe("queryInterface on the table of a model", () => {
  let opened: Opened;
  let models: Models;
  let queryInterface: ReturnType<Opened["sequelize"]["getQueryInterface"]>;
  let internal: QueryInterface;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    models = defineModels(opened.sequelize, "encrypted", {
      blindIndex: { column: "email_index", bits: 6, normalize: "email" },
    });
    await opened.sequelize.sync();
    queryInterface = opened.sequelize.getQueryInterface();
    internal = queryInterfaceOf(opened.sequelize);
    await queryInterface.bulkInsert("users", [{ email_address: SECRET, name: "Ada", ...now }]);
    await queryInterface.bulkInsert({ tableName: "users", schema: "public" } as never, [
      { email_address: "bob@example.org", name: "Bob", ...now },
    ]);
  });
  after(() => opened.close());
  beforeEach(() => (opened.log.length = 0));
  afterEach(() => expect(opened.log.join("\n")).to.not.include(SECRET));

  it("writes what models read and find", async () => {
    expect((await models.User.findOne({ where: { email: SECRET } }))?.name).to.equal("Ada");
    expect(await models.User.count()).to.equal(2);
  });

  it("selects by value, of columns as they are stored", async () => {
    const rows = (await internal.select(null, "users", {
      where: { email_address: SECRET },
    })) as Record<string, unknown>[];
    expect(rows.map((row) => row.name)).to.deep.equal(["Ada"]);
    expect(rows[0]?.email_address).to.match(/^9V6h/);
    expect(
      await internal.rawSelect(
        "users",
        { where: { email_address: "bob@example.org" }, attributes: ["name"] },
        "name",
      ),
    ).to.equal("Bob");
  });

  it("updates and deletes by value, and nothing else", async () => {
    await queryInterface.bulkUpdate(
      "users",
      { name: "Robert" },
      { email_address: "bob@example.org" },
    );
    expect((await models.User.findAll({ order: ["id"] })).map(({ name }) => name)).to.deep.equal([
      "Ada",
      "Robert",
    ]);
    await queryInterface.bulkInsert("users", [{ email_address: "gone@example.org", ...now }]);
    await queryInterface.bulkDelete("users", { email_address: "gone@example.org" });
    expect(await models.User.count({ paranoid: false })).to.equal(2);
  });

  it("refuses a short index where the rows behind it cannot be read first: neighbours would be meant too", async () => {
    const ada = await models.User.findOne({ where: { name: "Ada" }, rejectOnEmpty: true });
    const identifier = { email_address: SECRET };
    const changes = [
      () => queryInterface.update(ada, "users", { name: "x" }, identifier),
      () => queryInterface.delete(ada, "users", identifier as never),
    ];
    for (const act of changes) {
      const error: unknown = await act().catch((thrown: unknown) => thrown);
      expect(error).to.include({ code: "ERR_QUERY_UNSUPPORTED" });
      expect(String(error)).to.include("bulkUpdate").and.not.include(SECRET);
    }
    expect(await models.User.count({ where: { name: ["Ada", "Robert"] } })).to.equal(2);
  });

  it("encrypts the columns that a caller's attributes leave out", async () => {
    const name = { name: { type: DataTypes.TEXT } };
    const row = { name: "Eve", email_address: SECRET, profile_data: { city: SECRET }, ...now };
    const [insert, update] = [queryInterface.bulkInsert, queryInterface.bulkUpdate].map(
      (method) => method.bind(queryInterface) as (...rest: unknown[]) => Promise<unknown>,
    );
    await insert!("users", [row], {}, name);
    await update!("users", { email_address: `eve-${SECRET}` }, { name: "Eve" }, {}, name);
    const [stored] = await opened.database.query(
      "SELECT email_address, profile_data FROM users WHERE name = 'Eve'",
    );
    for (const value of Object.values(stored!)) expect(value).to.match(/^9V6h/);
    const found = await models.User.findOne({ where: { email: `eve-${SECRET}` } });
    expect(found?.profile).to.deep.equal({ city: SECRET });
    await found?.destroy({ force: true });
  });

  it("writes rows by the attributes that a caller gives", async () => {
    await queryInterface.createTable("seeded", {
      id: { type: DataTypes.INTEGER },
      note: EncryptedType,
    });
    const Seeded = opened.sequelize.define(
      "Seeded",
      { note: { type: EncryptedType, field: "memo" } },
      { tableName: "other", timestamps: false },
    );
    await Seeded.sync();
    const attributes = { memo: Seeded.getAttributes().note } as never;
    await (queryInterface.bulkInsert as (...rest: unknown[]) => Promise<unknown>)(
      "other",
      [{ memo: SECRET }],
      {},
      attributes,
    );
    expect((await Seeded.findOne())?.get("note")).to.equal(SECRET);
    const withoutModel = { note: { type: EncryptedType() } } as never;
    const error = await (queryInterface.bulkInsert as (...rest: unknown[]) => Promise<unknown>)(
      "seeded",
      [{ note: SECRET }],
      {},
      withoutModel,
    ).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("code", "ERR_CONFIG_UNSUPPORTED");
  });

  const refused: Record<string, [code: string, act: () => Promise<unknown>]> = {
    "values under an attribute's name": [
      "ERR_QUERY_UNSUPPORTED",
      () => queryInterface.bulkInsert("users", [{ email: SECRET, ...now }]),
    ],
    "bulkUpdate by LIKE": [
      "ERR_QUERY_UNSUPPORTED",
      () =>
        queryInterface.bulkUpdate("users", { name: "x" }, { email_address: { [Op.like]: SECRET } }),
    ],
    "bulkDelete by LIKE": [
      "ERR_QUERY_UNSUPPORTED",
      () => queryInterface.bulkDelete("users", { email_address: { [Op.like]: SECRET } }),
    ],
    "select by LIKE": [
      "ERR_QUERY_UNSUPPORTED",
      () => internal.select(null, "users", { where: { email_address: { [Op.like]: SECRET } } }),
    ],
    "an insert whose conflict is told by value": [
      "ERR_QUERY_UNSUPPORTED",
      () =>
        queryInterface.bulkInsert("users", [{ name: "x", ...now }], {
          updateOnDuplicate: ["name"],
          upsertKeys: ["id"],
          conflictWhere: { email_address: { [Op.like]: SECRET } },
        } as never),
    ],
    "a partial index by value": [
      "ERR_CONFIG_UNSUPPORTED",
      () =>
        queryInterface.addIndex("users", ["name"], { name: "i", where: { email_address: SECRET } }),
    ],
    "a CHECK by value": [
      "ERR_CONFIG_UNSUPPORTED",
      () =>
        queryInterface.addConstraint("users", {
          type: "check",
          name: "c",
          fields: ["email_address"],
          where: { email_address: { [Op.ne]: SECRET } },
        }),
    ],
    "a UNIQUE constraint on random ciphertext": [
      "ERR_CONFIG_UNSUPPORTED",
      () => queryInterface.addConstraint("users", { type: "unique", fields: ["email_address"] }),
    ],
    "a unique index on random ciphertext": [
      "ERR_CONFIG_UNSUPPORTED",
      () => queryInterface.addIndex("users", ["email_address"], { unique: true }),
    ],
    "a default of a new column": [
      "ERR_CONFIG_UNSUPPORTED",
      () => queryInterface.addColumn("users", "x", { type: EncryptedType, defaultValue: SECRET }),
    ],
    "a default of a changed column": [
      "ERR_CONFIG_UNSUPPORTED",
      () =>
        queryInterface.changeColumn("users", "name", { type: EncryptedType, defaultValue: SECRET }),
    ],
    "a model's unique index on random ciphertext": [
      "ERR_CONFIG_UNSUPPORTED",
      () => defineIndexed({ unique: true, fields: ["secret"] }).sync(),
    ],
    "a model's partial index by value": [
      "ERR_CONFIG_UNSUPPORTED",
      () => defineIndexed({ fields: ["n"], where: { secret: SECRET } }).sync(),
    ],
  };
  const defineIndexed = (index: object): ModelStatic<Model> =>
    opened.sequelize.define(
      "Indexed",
      { secret: EncryptedType, n: DataTypes.INTEGER },
      { indexes: [index as never] },
    );
  for (const [title, [code, act]] of Object.entries(refused)) {
    it(`refuses ${title}, and sends no plaintext`, async () => {
      const error = await act().catch((thrown: unknown) => thrown);
      expect(error, inspect(error)).to.have.property("code", code);
      expect(inspect(error, { depth: 9 })).to.not.include(SECRET);
    });
  }

  it("makes indexes that mean something: on tokens, on deterministic columns, where NULL", async () => {
    await queryInterface.addIndex("users", ["email_index"]);
    await queryInterface.addIndex("users", ["name"], { name: "n", where: { email_address: null } });
    await queryInterface.addIndex("users", ["email_address"]);
    const Exact = opened.sequelize.define(
      "Exact",
      { code: EncryptedType({ deterministic: true }) },
      { indexes: [{ unique: true, fields: ["code"] }] },
    );
    await Exact.sync();
    await Exact.create({ code: "1" });
    expect(await Exact.create({ code: "1" }).catch((error: Error) => error.name)).to.equal(
      "SequelizeUniqueConstraintError",
    );
  });
});

describe("queryInterface on the table of several models", () => {
  let opened: Opened;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(Keyring.fromKey(generateRootKey()));
  });
  after(() => opened.close());
  const define = (name: string, tableName: string, secret: unknown): ModelStatic<Model> =>
    opened.sequelize.define(name, { secret } as never, { tableName, timestamps: false });

  it("encrypts as they agree, and leaves models without encryption aside", async () => {
    const One = define("One", "shared", EncryptedType);
    define("Two", "shared", EncryptedType());
    opened.sequelize.define(
      "Bare",
      { id: { type: DataTypes.INTEGER, primaryKey: true } },
      { tableName: "shared", timestamps: false },
    );
    await One.sync();
    await opened.sequelize.getQueryInterface().bulkInsert("shared", [{ secret: SECRET }]);
    const [row] = await opened.database.query("SELECT secret FROM shared");
    expect(row?.secret).to.match(/^9V6h/);
    expect((await One.findOne())?.get("secret")).to.equal(SECRET);
  });

  it("refuses to guess where they differ", async () => {
    await define("Text", "unclear", EncryptedType).sync();
    define("Other", "unclear", EncryptedType({ context: "other.secret" }));
    define("Bytes", "unclear2", EncryptedBinaryType);
    define("Bytes2", "unclear2", EncryptedType({ storage: "binary" }));
    for (const table of ["unclear", "unclear2"]) {
      const error = await opened.sequelize
        .getQueryInterface()
        .bulkInsert(table, [{ secret: SECRET }])
        .catch((thrown: unknown) => thrown);
      expect(error).to.have.property("code", "ERR_CONFIG_UNSUPPORTED");
      expect((error as Error).message).to.match(/Text and Other|Bytes and Bytes2/);
    }
    expect(await opened.database.query("SELECT * FROM unclear")).to.deep.equal([]);
  });
});
