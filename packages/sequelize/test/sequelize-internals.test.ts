// Pins what the adapter relies on in Sequelize and its types do not show. When one of these fails after an upgrade,
// read sequelize-internals.ts first.
import { generateRootKey, jsonCodec, Keyring, textCodec, type ValueCodec } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes, Sequelize, Utils } from "sequelize";
import { defineType, type EncryptedDataType } from "../src/encrypted-types.ts";
import { EncryptedType, fieldseal } from "../src/index.ts";
import { isEncryptedType } from "../src/installation.ts";
import {
  queryGeneratorOf,
  queryInterfaceOf,
  RawAbstract,
  type Attribute,
} from "../src/sequelize-internals.ts";
import { modelOfTable } from "../src/table-models.ts";
import { openDatabase } from "./database.ts";

const offline = (): Sequelize =>
  new Sequelize("postgres://nobody@127.0.0.1:1/none", { dialect: "postgres", logging: false });

describe("Sequelize's internals", () => {
  it("let the raw class of data types be extended, unlike the exported one", () => {
    class Own extends RawAbstract {
      override toSql(): string {
        return "OWN";
      }
    }
    expect(new Own().toSql()).to.equal("OWN");
    expect(Object.getPrototypeOf(DataTypes.TEXT)).to.equal(RawAbstract);
    const Exported = DataTypes.ABSTRACT as unknown as new () => object;
    class Broken extends Exported {}
    expect(new Broken()).to.not.be.instanceOf(Broken);
  });

  it("keep two types of one content apart, and take a name once", () => {
    const Note = defineType("EncryptedNoteType", { ...textCodec } as ValueCodec<unknown>);
    const model = offline().define("Item", { a: EncryptedType, b: Note() });
    const { a, b } = model.getAttributes() as unknown as Record<string, Attribute>;
    expect((a!.type as EncryptedDataType).codec).to.equal(textCodec);
    expect((b!.type as EncryptedDataType).codec).to.not.equal(textCodec);
    expect(() => defineType("EncryptedNoteType", jsonCodec)).to.throw(TypeError, /already/);
  });

  it("keep our type for an attribute, and do not take it for a namesake", () => {
    const model = offline().define("Item", { a: EncryptedType, b: EncryptedType({ pad: 32 }) });
    const attributes = model.getAttributes() as unknown as Record<string, Attribute>;
    for (const name of ["a", "b"]) expect(isEncryptedType(attributes[name]?.type)).to.equal(true);
    expect((attributes.b!.type as { options: object }).options).to.deep.equal({
      pad: 32,
    });
    expect(attributes.a).to.include({ fieldName: "a", field: "a", Model: model });
  });

  it("have the methods that the plugin hooks into", () => {
    const sequelize = offline();
    const generator = queryGeneratorOf(sequelize) as unknown as Record<string, unknown>;
    const methods = [
      "escape",
      "format",
      "whereItemQuery",
      "whereItemsQuery",
      "handleSequelizeMethod",
      "selectQuery",
      "insertQuery",
      "updateQuery",
      "bulkInsertQuery",
      "arithmeticQuery",
    ];
    for (const name of methods) expect(generator[name], name).to.be.a("function");
    const queryInterface = queryInterfaceOf(sequelize) as unknown as Record<string, unknown>;
    for (const name of [
      "select",
      "rawSelect",
      "upsert",
      "bulkUpdate",
      "bulkDelete",
      "increment",
      "decrement",
    ]) {
      expect(queryInterface[name], name).to.be.a("function");
    }
    expect((queryInterface as { queryGenerator?: unknown }).queryGenerator).to.equal(generator);
    for (const name of ["SequelizeMethod", "Where", "Col", "Fn", "Cast", "Literal"] as const) {
      expect(Utils[name as "Where"], name).to.be.a("function");
    }
  });

  it("drop what the hook afterDefine throws, which is why definitions are checked in addModel", () => {
    const sequelize = offline();
    let isRun = false;
    sequelize.addHook("afterDefine", () => void (isRun = true));
    sequelize.define("Item", { a: DataTypes.TEXT });
    expect(isRun).to.equal(true);
    fieldseal(sequelize, { keyring: Keyring.fromKey(generateRootKey()) });
    const define = (): unknown =>
      sequelize.define("Bad", { a: { type: EncryptedType, primaryKey: true } });
    expect(define).to.throw("primary key");
    expect(sequelize.isDefined("Bad")).to.equal(false);
  });

  it("find the model of a table only where there is one", () => {
    const sequelize = offline();
    const model = sequelize.define("Item", {}, { tableName: "items" });
    expect(modelOfTable(sequelize, "items")).to.equal(model);
    expect(modelOfTable(sequelize, { tableName: "items" })).to.equal(model);
    expect(modelOfTable(sequelize, "others")).to.equal(undefined);
    sequelize.define("Item2", {}, { tableName: "items" });
    expect(modelOfTable(sequelize, "items")).to.equal(undefined);
  });

  it("hand every statement to beforeQuery as an object with run and handleSelectQuery", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(undefined);
    const seen: string[] = [];
    opened.sequelize.addHook("beforeQuery", (_options, query) => {
      const { run, handleSelectQuery } = query as unknown as Record<string, unknown>;
      seen.push(`${typeof run} ${typeof handleSelectQuery}`);
    });
    await opened.sequelize.query("SELECT 1");
    expect(seen).to.deep.equal(["function function"]);
    await opened.close();
  });
});
