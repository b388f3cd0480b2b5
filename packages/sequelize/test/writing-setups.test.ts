// Writes under other setups: defaults, CLS, shared types, several instances and schemas.
import { AsyncLocalStorage } from "node:async_hooks";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes, Model, Sequelize } from "sequelize";
import {
  encryptedColumns,
  EncryptedBinaryType,
  EncryptedJSONType,
  EncryptedType,
  fieldseal,
} from "../src/index.ts";
import { connect, openDatabase } from "./database.ts";

describe("Sequelize with encrypted columns", () => {
  it("keeps defaults out of the schema, and copies them for each instance", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const Item = opened.sequelize.define("Item", {
      note: { type: EncryptedType, defaultValue: "a secret default" },
      box: { type: EncryptedJSONType, defaultValue: { corners: [] } },
      made: { type: EncryptedType, defaultValue: () => "computed" },
      bytes: { type: EncryptedBinaryType, defaultValue: Buffer.from("bytes") },
    });
    await Item.sync();
    const defaults = await opened.database.query(
      "SELECT column_default FROM information_schema.columns WHERE table_name = 'Items' AND column_name IN ('note', 'box', 'made')",
    );
    expect(defaults).to.deep.equal([
      { column_default: null },
      { column_default: null },
      { column_default: null },
    ]);
    const [one, two] = [await Item.create(), await Item.create()];
    expect(one.get()).to.deep.include({
      note: "a secret default",
      box: { corners: [] },
      made: "computed",
    });
    expect(one.get("box")).to.not.equal(two.get("box"));
    const [first, second] = [Item.build().get("bytes"), Item.build().get("bytes")] as Buffer[];
    expect(first?.toString()).to.equal("bytes");
    expect(first).to.not.equal(second);
    expect(opened.log.join()).to.not.include("a secret default");
    await opened.close();
  });

  it("works inside CLS transactions, with setters and getters, and typeValidation", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(undefined);
    const storage = new AsyncLocalStorage<Map<string, unknown>>();
    const namespace = {
      get: (name: string) => storage.getStore()?.get(name),
      set: (name: string, value: unknown) => storage.getStore()?.set(name, value),
      run: (action: (store: object) => unknown) => storage.run(new Map(), () => action({})),
      bind: (action: unknown) => action,
    };
    class Cls extends Sequelize {}
    (Cls as unknown as { useCLS(namespace: object): void }).useCLS({ ...namespace, _bind: 0 });
    const sequelize = new Cls(opened.database.url, {
      dialect: "postgres",
      logging: false,
      typeValidation: true,
    });
    fieldseal(sequelize, { keyring: Keyring.fromKey(generateRootKey()) });
    const Item = sequelize.define("Item", {
      email: {
        type: EncryptedType,
        set(value: string) {
          this.setDataValue("email", value.toLowerCase());
        },
        get() {
          return (this.getDataValue("email") as string | undefined)?.replace("@", " at ");
        },
      },
      n: DataTypes.INTEGER,
    });
    await sequelize.sync();
    await sequelize
      .transaction(async () => {
        await Item.create({ email: "ROLLED@example.org" });
        throw new Error("roll back");
      })
      .catch(() => {});
    expect(await Item.count()).to.equal(0);
    await sequelize.transaction(() => Item.create({ email: "ADA@Example.org", n: 1 }));
    const item = await Item.findOne({ rejectOnEmpty: true });
    expect(item.get("email")).to.equal("ada at example.org");
    const wrong = await Item.update({ email: 5 } as never, {
      where: { n: 1 },
      validate: false,
    }).catch((error: unknown) => error);
    expect(wrong).to.be.instanceOf(Error);
    await sequelize.close();
    await opened.close();
  });

  it("shares one type instance between attributes and models without mixing contexts", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const shared = EncryptedType();
    const Item = opened.sequelize.define(
      "Item",
      { a: shared, b: { type: shared } },
      { tableName: "items" },
    );
    await Item.sync();
    await Item.create({ a: "one", b: "two" });
    expect((await Item.findOne())?.get()).to.include({ a: "one", b: "two" });
    await opened.database.query("UPDATE items SET a = b");
    expect(await Item.findOne().catch((error: { code: string }) => error.code)).to.equal(
      "ERR_DECRYPT_FAILED",
    );
    await opened.close();
  });

  it("binds values to their own table where models share the objects that declare attributes", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const base = { note: { type: EncryptedType({ blindIndex: { column: "note_index" } }) } };
    const First = opened.sequelize.define("First", { ...base }, { tableName: "firsts" });
    const Second = opened.sequelize.define("Second", { ...base }, { tableName: "seconds" });
    expect(encryptedColumns(opened.sequelize).map(({ cipher }) => cipher.context)).to.deep.equal([
      { table: "firsts", column: "note" },
      { table: "seconds", column: "note" },
    ]);
    for (const model of [First, Second]) {
      await model.sync();
      await model.create({ note: model.name });
      expect((await model.findOne({ where: { note: model.name } }))?.get("note")).to.equal(
        model.name,
      );
    }
    await opened.close();
  });

  it("uses the keyring of the instance that a model is initialised on last", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const keyring = Keyring.fromKey(generateRootKey());
    const other = fieldseal(connect(opened.database), { keyring });
    class Item extends Model {}
    const initialise = (sequelize: Sequelize, attributes: object = {}) =>
      Item.init(
        {
          note: {
            type: EncryptedType({ blindIndex: { column: "note_index" } }),
            defaultValue: "none",
          },
          ...attributes,
        } as never,
        { sequelize, tableName: "items" },
      );
    initialise(opened.sequelize);
    await Item.sync();
    await Item.create({ note: "first" } as never);
    initialise(other);
    await Item.sync({ force: true });
    await Item.create();
    const [row] = await opened.database.query<{ note: string; note_index: string }>(
      "SELECT * FROM items",
    );
    expect(Buffer.from(row!.note, "base64").toString("hex", 4, 8)).to.equal(keyring.primary.id);
    expect(row!.note_index).to.match(/^[\da-f]{64}$/);
    expect((await Item.findOne({ where: { note: "none" } }))?.get()).to.not.have.property(
      "note_index",
    );
    const unique = { code: { type: EncryptedType(), unique: true } };
    expect(() => initialise(other, unique)).to.throw("Declare it deterministic");
    await other.close();
    await opened.close();
  });

  it("serves two instances with two keyrings, and models in another schema", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const other = fieldseal(connect(opened.database), {
      keyring: Keyring.fromKey(generateRootKey()),
    });
    const define = (sequelize: Sequelize) =>
      sequelize.define("Item", { a: EncryptedType }, { tableName: "items" });
    const [mine, theirs] = [define(opened.sequelize), define(other)];
    await mine.sync();
    await mine.create({ a: "mine" });
    expect(await theirs.findOne().catch((error: { code: string }) => error.code)).to.equal(
      "ERR_KEY_UNKNOWN",
    );
    await opened.sequelize.createSchema("tenant", {});
    const tenant = mine.schema("tenant");
    await tenant.sync();
    const created = await tenant.create({ a: "tenant's" });
    expect((await tenant.findByPk(created.get("id") as number))?.get("a")).to.equal("tenant's");
    const [row] = await opened.database.query("SELECT a FROM tenant.items");
    expect(row?.a).to.match(/^9V6h/);
    await other.close();
    await opened.close();
  });
});
