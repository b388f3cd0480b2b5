import { configure, ConfigError, generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes, literal, Sequelize } from "sequelize";
import {
  encryptedColumns,
  EncryptedJSONType,
  EncryptedType,
  fieldseal,
  fieldsealEverywhere,
} from "../src/index.ts";
import { connect, openDatabase, type Opened } from "./database.ts";

const newKeyring = (): Keyring => Keyring.fromKey(generateRootKey());

/** The code of what a call throws, now or later. */
async function codeOf(action: () => unknown): Promise<string | undefined> {
  try {
    await action();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return undefined;
}

describe("fieldseal()", () => {
  let opened: Opened;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(undefined);
  });
  after(() => opened.close());

  it("is missed with an error that says what to call, and nothing is stored", async () => {
    const sequelize = connect(opened.database);
    const Item = sequelize.define(
      "Item",
      { a: EncryptedType, n: DataTypes.INTEGER },
      { tableName: "not_installed" },
    );
    await Item.sync();
    const writes = [
      () => Item.create({ a: "x" }),
      () => Item.bulkCreate([{ a: "x" }]),
      () => Item.update({ a: "x" }, { where: { n: 1 } }),
      () => Item.findAll({ where: { a: "x" } }),
    ];
    for (const write of writes) expect(await codeOf(write)).to.equal("ERR_CONFIG_NOT_INSTALLED");
    expect(await opened.database.query("SELECT * FROM not_installed")).to.deep.equal([]);
    await sequelize.close();
  });

  it("is not installed by halves where a model is refused, and can be installed afterwards", async () => {
    const sequelize = connect(opened.database);
    const Half = sequelize.define("Half", { a: EncryptedType }, { timestamps: false });
    const Bad = sequelize.define("Bad", { a: { type: EncryptedType, unique: true } });
    await Half.sync();
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(() => fieldseal(sequelize, { keyring: newKeyring() })).to.throw("Bad.a is unique");
    }
    const writes = [() => Half.create({ a: "x" }), () => Half.findAll({ where: { a: "x" } })];
    for (const write of writes) expect(await codeOf(write)).to.equal("ERR_CONFIG_NOT_INSTALLED");
    sequelize.modelManager.removeModel(Bad as never);
    const keyring = newKeyring();
    fieldseal(sequelize, { keyring });
    await sequelize.getQueryInterface().bulkInsert("Halves", [{ a: "x" }]);
    const [row] = await opened.database.query('SELECT a FROM "Halves"');
    expect(row?.a).to.match(/^9V6h/);
    expect((await Half.findOne())?.get("a")).to.equal("x");
    expect(encryptedColumns(sequelize)[0]?.cipher.primaryKeyId).to.equal(keyring.primary.id);
    await sequelize.close();
  });

  it("is missed by reads of every kind", async () => {
    const sequelize = connect(opened.database);
    const define = (on: Sequelize) =>
      on.define("Read", { a: EncryptedType, n: DataTypes.INTEGER }, { timestamps: false });
    const installed = fieldseal(connect(opened.database), { keyring: newKeyring() });
    await define(installed).sync();
    await installed.model("Read").create({ a: "x", n: 1 });
    const Item = define(sequelize);
    const Parent = sequelize.define("Parent", {}, { tableName: "Reads", timestamps: false });
    Parent.hasMany(Item, { as: "items", foreignKey: "n" });
    const reads: Record<string, () => Promise<unknown>> = {
      findAll: () => Item.findAll(),
      "findAll raw": () => Item.findAll({ raw: true }),
      findOne: () => Item.findOne({ where: { n: 1 } }),
      update: () => Item.update({ n: 2 }, { where: { n: 1 }, returning: true }),
      increment: () => Item.increment("n", { where: { n: 1 } }),
      include: () => Parent.findAll({ include: ["items"] }),
      query: () => sequelize.query('SELECT * FROM "Reads"', { model: Item, mapToModel: true }),
    };
    for (const [name, read] of Object.entries(reads))
      expect(await codeOf(read), name).to.equal("ERR_CONFIG_NOT_INSTALLED");
    expect(await opened.database.query('SELECT n FROM "Reads"')).to.deep.equal([{ n: 1 }]);
    await sequelize.authenticate();
    fieldseal(sequelize, { keyring: newKeyring() });
    expect(await codeOf(() => Item.findAll())).to.equal("ERR_KEY_UNKNOWN");
    await installed.close();
    await sequelize.close();
  });

  it("serves models defined before and after, usable in every form of declaration", async () => {
    const sequelize = connect(opened.database);
    const types = {
      a: EncryptedType,
      b: EncryptedType(),
      c: new EncryptedType(),
      d: { type: EncryptedType({ pad: 32 }) },
    };
    const Before = sequelize.define("Before", types);
    fieldseal(sequelize, { keyring: newKeyring() });
    const After = sequelize.define("After", types);
    await sequelize.sync();
    for (const model of [Before, After]) {
      await model.create({ a: "1", b: "2", c: "3", d: "4" });
      expect((await model.findOne())?.get()).to.include({ a: "1", b: "2", c: "3", d: "4" });
    }
    await sequelize.close();
  });

  it("is refused twice, and installs by a global hook where it is not installed yet", async () => {
    class Own extends Sequelize {}
    const stop = fieldsealEverywhere(Own, { keyring: newKeyring() });
    const sequelize = new Own(opened.database.url, { dialect: "postgres", logging: false });
    stop();
    const Item = sequelize.define("Everywhere", { a: EncryptedType });
    await Item.sync();
    await Item.create({ a: "x" });
    expect((await Item.findOne())?.get("a")).to.equal("x");
    expect(() => fieldseal(sequelize)).to.throw(ConfigError, "called twice");
    await sequelize.close();
  });

  it("uses the process default without a keyring, and a column's own before both", async () => {
    const [own, fallback] = [newKeyring(), newKeyring()];
    configure({ keyring: fallback });
    const sequelize = fieldseal(connect(opened.database));
    const Item = sequelize.define(
      "Keyed",
      { a: EncryptedType, b: EncryptedType({ keyring: own }) },
      { timestamps: false },
    );
    await Item.sync();
    await Item.create({ a: "x", b: "y" });
    const [row] = await opened.database.query('SELECT a, b FROM "Keyeds"');
    const keyId = (stored: unknown): string =>
      Buffer.from(String(stored), "base64").toString("hex", 4, 8);
    expect([keyId(row?.a), keyId(row?.b)]).to.deep.equal([fallback.primary.id, own.primary.id]);
    configure({ keyring: undefined });
    expect(await codeOf(() => Item.findOne())).to.equal("ERR_CONFIG_NO_KEY");
    await sequelize.close();
  });

  const shapes: Record<string, [attributes: object, problem: string]> = {
    "an encrypted primary key": [{ a: { type: EncryptedType, primaryKey: true } }, "primary key"],
    "an encrypted foreign key": [
      { a: { type: EncryptedType, references: { model: "x", key: "id" } } },
      "foreign key",
    ],
    "an array of encrypted values": [
      { a: DataTypes.ARRAY(EncryptedType() as never) },
      "array of encrypted",
    ],
    "an array of an encrypted type": [
      { a: DataTypes.ARRAY(EncryptedType as never) },
      "array of encrypted",
    ],
    "UNIQUE on random ciphertext": [
      { a: { type: EncryptedType, unique: true } },
      "Declare it deterministic",
    ],
    "a default that the database computes": [
      { a: { type: EncryptedJSONType, defaultValue: literal("'{}'") } },
      "SQL expression for its default",
    ],
    "names that are swapped": [
      { a: { type: EncryptedType, field: "b" }, b: { type: DataTypes.TEXT, field: "a" } },
      "name of another attribute",
    ],
    "the name of another attribute's column": [
      { a: { type: EncryptedType, field: "c" }, b: { type: DataTypes.TEXT, field: "a" } },
      "has the name of the column of b",
    ],
    "a companion column under an attribute's name": [
      {
        a: EncryptedType({ blindIndex: { column: "aIndex" } }),
        aIndex: { type: DataTypes.TEXT, field: "a_index" },
      },
      'is an attribute stored in column "a_index"',
    ],
    "one companion column for two": [
      {
        z: EncryptedType({ blindIndex: { column: "x" } }),
        a: EncryptedType({ blindIndex: { column: "x" } }),
      },
      "which another blind index fills",
    ],
    "a companion column of another type": [
      { a: EncryptedType({ blindIndex: { column: "n" } }), n: DataTypes.INTEGER },
      "declared for something else",
    ],
    "a companion column that is encrypted": [
      { a: EncryptedType({ blindIndex: { column: "b" } }), b: EncryptedType },
      "declared for something else",
    ],
    "a column as its own companion": [
      { a: EncryptedType({ blindIndex: { column: "a" } }) },
      "declared for something else",
    ],
    "an unknown option": [{ a: EncryptedType({ sweet: true } as never) }, 'unknown option "sweet"'],
  };
  for (const [title, [attributes, problem]] of Object.entries(shapes)) {
    it(`refuses ${title} at definition, naming model and attribute`, async () => {
      const sequelize = fieldseal(connect(opened.database), { keyring: newKeyring() });
      expect(() => sequelize.define("Shape", attributes as never))
        .to.throw(ConfigError, problem)
        .with.property("message")
        .that.includes("Shape.a");
      await sequelize.close();
    });
  }
});

describe("associations over encrypted columns", () => {
  const sequelize = new Sequelize("postgres://nobody@127.0.0.1:1/none", { dialect: "postgres" });
  fieldseal(sequelize, { keyring: newKeyring() });
  const shared = (): never =>
    EncryptedType({ deterministic: true, context: "people.code" }) as never;
  const One = sequelize.define("One", {
    ref: EncryptedType,
    code: shared(),
    own: EncryptedType({ deterministic: true }),
  });
  const Two = sequelize.define("Two", { code: shared(), name: DataTypes.TEXT });

  const shapes: Record<string, () => unknown> = {
    "belongsTo by an encrypted column": () => One.belongsTo(Two, { foreignKey: "ref" }),
    "belongsTo a column of another context": () =>
      One.belongsTo(Two, { foreignKey: "own", targetKey: "code", constraints: false }),
    "belongsTo with a constraint, which a rotation would break": () =>
      One.belongsTo(Two, { foreignKey: "code", targetKey: "code" }),
    "belongsTo from a column that takes over the type": () =>
      Two.belongsTo(One, { foreignKey: "another", targetKey: "own", constraints: false }),
    "hasMany by an encrypted column": () => Two.hasMany(One, { foreignKey: "ref" }),
    "hasOne by an encrypted source key": () =>
      One.hasOne(Two, { foreignKey: "x", sourceKey: "own", constraints: false }),
  };
  for (const [title, associate] of Object.entries(shapes)) {
    it(`refuses ${title}: the join would find nothing`, () => {
      expect(associate).to.throw(ConfigError, "joins an association");
    });
  }

  it("refuses those that were made before the plugin was installed, and allows the others", () => {
    const define = (code: () => never): Sequelize => {
      const early = new Sequelize("postgres://nobody@127.0.0.1:1/none", { dialect: "postgres" });
      const Left = early.define("Left", { code: code() });
      const Right = early.define("Right", { code: code() });
      Left.belongsTo(Right, { foreignKey: "code", targetKey: "code", constraints: false });
      Left.belongsToMany(Right, { through: "Both" });
      return early;
    };
    expect(() => fieldseal(define(() => EncryptedType as never))).to.throw(
      ConfigError,
      "Left.code joins an association",
    );
    fieldseal(define(shared));
  });

  it("allows them between deterministic columns of one context, without a constraint", () => {
    const options = { as: "twoByCode", foreignKey: "code", constraints: false };
    One.belongsTo(Two, { ...options, targetKey: "code" });
    Two.hasMany(One, { ...options, as: "onesByCode", sourceKey: "code" });
    One.belongsTo(Two, { as: "two" });
  });
});
