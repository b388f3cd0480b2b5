// What the types make of a database: columns, constraints, and their description for the engine.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes } from "sequelize";
import {
  addEnvelopeCheck,
  EncryptedBase64Type,
  EncryptedBinaryType,
  EncryptedJSONType,
  encryptedColumns,
  EncryptedType,
  removeEnvelopeCheck,
} from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels } from "./models.ts";

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

describe("the schema that Sequelize makes", () => {
  let opened: Opened;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(newKeyring());
  });
  after(() => opened.close());

  it("has TEXT and BYTEA, and is stable under sync({ alter: true })", async () => {
    const Item = opened.sequelize.define("Item", {
      text: EncryptedType({ blindIndex: { column: "textIndex" } }),
      json: EncryptedJSONType,
      bytes: EncryptedBinaryType,
      base64: EncryptedBase64Type,
      rawText: EncryptedType({ storage: "binary" }),
    });
    const columns = (): Promise<object[]> =>
      opened.database.query(
        "SELECT column_name, data_type, column_default FROM information_schema.columns WHERE table_name = 'Items' ORDER BY column_name",
      );
    await Item.sync();
    await Item.create({
      text: "x",
      json: [1],
      bytes: Buffer.from("y"),
      base64: "eA==",
      rawText: "z",
    });
    const first = await columns();
    for (let i = 0; i < 2; i++) await Item.sync({ alter: true });
    expect(await columns()).to.deep.equal(first);
    expect((await Item.findOne())?.get()).to.deep.include({
      text: "x",
      json: [1],
      base64: "eA==",
      rawText: "z",
    });
    const types = Object.fromEntries(
      first.map((column) => Object.values(column).slice(0, 2)),
    ) as object;
    expect(types).to.include({
      text: "text",
      textIndex: "text",
      json: "text",
      bytes: "bytea",
      base64: "text",
      rawText: "bytea",
    });
  });

  it("is altered by the same statements as that of plain columns", async () => {
    const alter = async (name: string, text: unknown, bytes: unknown): Promise<string> => {
      const attributes = { text: { type: text, field: "a_text" }, bytes: { type: bytes } };
      const Model = opened.sequelize.define(name, attributes as never, { underscored: true });
      await Model.sync();
      opened.log.length = 0;
      await Model.sync({ alter: true });
      return opened.log.join("\n").replaceAll(/plain_ones|sealed_ones/g, "table");
    };
    expect(await alter("SealedOne", EncryptedType, EncryptedBinaryType)).to.equal(
      await alter("PlainOne", DataTypes.TEXT, DataTypes.BLOB),
    );
  });

  it("hides a companion column that nobody declared", async () => {
    const [found] = await opened.sequelize.model("Item").findAll();
    const created = await opened.sequelize.model("Item").create({ text: "x" });
    const [bulk] = await opened.sequelize.model("Item").bulkCreate([{ text: "x" }]);
    for (const item of [found, created, bulk])
      expect(Object.keys(item!.toJSON() as object)).to.not.include("textIndex");
  });

  it("comes from migrations too: createTable, addColumn, changeColumn", async () => {
    const queryInterface = opened.sequelize.getQueryInterface();
    await queryInterface.createTable("migrated", {
      id: { type: DataTypes.INTEGER, primaryKey: true },
      a: EncryptedType,
    });
    await queryInterface.addColumn("migrated", "b", { type: EncryptedBinaryType() });
    await queryInterface.addColumn("migrated", "c", { type: DataTypes.STRING });
    await queryInterface.changeColumn("migrated", "c", { type: EncryptedJSONType });
    const table = await queryInterface.describeTable("migrated");
    expect([table.a?.type, table.b?.type, table.c?.type]).to.deep.equal(["TEXT", "BYTEA", "TEXT"]);
  });

  it("is filled by queryInterface.bulkInsert, bulkUpdate, insert and bulkDelete, encrypted", async () => {
    const queryInterface = opened.sequelize.getQueryInterface();
    const now = { createdAt: new Date(), updatedAt: new Date() };
    await queryInterface.bulkInsert("Items", [{ text: "seed", base64: "eA==", ...now }]);
    await queryInterface.insert(null as never, "Items", { text: "seed too", ...now });
    await queryInterface.bulkUpdate("Items", { text: "seeded" }, { text: "seed" });
    expect(await opened.sequelize.model("Item").count({ where: { text: "seeded" } })).to.equal(1);
    await queryInterface.bulkDelete("Items", { text: "seed too" });
    expect(await opened.sequelize.model("Item").count({ where: { text: "seed too" } })).to.equal(0);
    const rows = await opened.database.query('SELECT text FROM "Items"');
    for (const row of rows) expect(row.text).to.match(/^9V6h/);
  });

  it("refuses plaintext from raw SQL with addEnvelopeCheck, and takes it back", async () => {
    const { User } = defineModels(opened.sequelize, "encrypted");
    await opened.sequelize.sync();
    const queryInterface = opened.sequelize.getQueryInterface();
    await addEnvelopeCheck(queryInterface, User);
    const user = await User.create(ADA);
    await User.create({ ...ADA, email: null, avatar: null });
    const refused = [
      "UPDATE users SET email_address = 'plain'",
      "UPDATE users SET email_address = '9V6h plain'",
      "UPDATE users SET profile_data = '{}'",
      "UPDATE users SET avatar = 'plain'",
      "UPDATE users SET avatar = ''",
    ];
    for (const sql of refused) {
      expect(await codeOf(() => opened.database.query(sql)), sql).to.equal("23514");
    }
    await user.update({ email: "new@example.org" });
    await opened.sequelize.sync({ alter: true });
    await removeEnvelopeCheck(queryInterface, User);
    await opened.database.query("UPDATE users SET avatar = 'plain' WHERE id = $1", [user.id]);
  });
});

describe("encryptedColumns()", () => {
  it("describes every encrypted column as the database sees it", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(newKeyring());
    const models = defineModels(opened.sequelize, "encrypted");
    const columns = encryptedColumns(opened.sequelize);
    expect(
      columns.map(({ model, field, table, column }) => [model, field, table, column]),
    ).to.deep.equal([
      ["User", "email", "users", "email_address"],
      ["User", "profile", "users", "profile_data"],
      ["User", "avatar", "users", "avatar"],
      ["Post", "title", "posts", "headline"],
      ["Tag", "label", "tags", "label"],
      ["PostTag", "note", "post_tags", "note"],
    ]);
    const [email] = columns;
    expect(email).to.deep.include({ schema: undefined, primaryKey: ["id"], isNullable: true });
    expect(email?.cipher.context).to.deep.equal({ table: "users", column: "email_address" });
    await opened.sequelize.sync();
    await models.User.create(ADA);
    const [row] = await opened.database.query<{ email_address: string }>(
      "SELECT email_address FROM users",
    );
    expect(email?.cipher.open(row!.email_address)).to.equal(ADA.email);
    await opened.close();
  });
});
