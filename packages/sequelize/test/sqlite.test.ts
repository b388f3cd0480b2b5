// The same types on SQLite, through Node's own driver: declared as TEXT and BLOB, written, read and searched.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Sequelize } from "sequelize";
import { EncryptedBinaryType, EncryptedJSONType, EncryptedType, fieldseal } from "../src/index.ts";
import * as nodeSqlite from "./node-sqlite.ts";

describe("Sequelize on SQLite", () => {
  it("stores, reads and finds encrypted values", async () => {
    const sequelize = new Sequelize({
      dialect: "sqlite",
      dialectModule: nodeSqlite,
      storage: ":memory:",
      logging: false,
    });
    fieldseal(sequelize, { keyring: Keyring.fromKey(generateRootKey()) });
    const Item = sequelize.define(
      "Item",
      {
        email: EncryptedType({ blindIndex: { column: "emailIndex" } }),
        code: EncryptedType({ deterministic: true }),
        box: EncryptedJSONType,
        frame: EncryptedBinaryType,
      },
      { timestamps: false },
    );
    await Item.sync();
    const values = {
      email: "ada@example.org",
      code: "c1",
      box: { corners: [1, 2] },
      frame: Buffer.from([0, 255]),
    };
    const created = await Item.create(values);
    await Item.bulkCreate([{ ...values, email: "bob@example.org", code: "c2" }]);
    await created.update({ box: { corners: [] } });
    const found = await Item.findOne({
      where: { email: "ada@example.org", code: "c1" },
      rejectOnEmpty: true,
    });
    expect(found.get()).to.deep.include({ ...values, box: { corners: [] } });
    expect(await Item.count({ where: { code: ["c1", "c2", "c3"] } })).to.equal(2);
    const [row] = (await Item.findAll({ raw: true })) as unknown as { email: string }[];
    expect(row?.email).to.equal("ada@example.org");
    const [stored] = (await sequelize.query("SELECT * FROM Items"))[0] as Record<string, unknown>[];
    expect(stored?.email).to.match(/^9V6h/);
    expect(Buffer.from(stored?.frame as Uint8Array).toString("hex")).to.match(/^f55ea1/);
    const [{ sql }] = (
      await sequelize.query("SELECT sql FROM sqlite_master WHERE name = 'Items'")
    )[0] as [{ sql: string }];
    expect(sql).to.include("`email` TEXT").and.include("`frame` BLOB");
    await sequelize.close();
  });
});

describe("the types in other dialects", () => {
  it("are declared as what holds a value of any length", () => {
    const declared = (dialect: string, type: unknown): string => {
      const types = (
        Sequelize as unknown as {
          DataTypes: Record<string, Record<string, { extend(type: unknown): { toSql(): string } }>>;
        }
      ).DataTypes;
      return types[dialect]![(type as { key: string }).key]!.extend(type).toSql();
    };
    for (const dialect of ["mysql", "mariadb"]) {
      expect(declared(dialect, EncryptedType())).to.equal("LONGTEXT");
      expect(declared(dialect, EncryptedBinaryType())).to.equal("LONGBLOB");
    }
    expect(declared("mssql", EncryptedType())).to.equal("VARCHAR(MAX)");
    expect(declared("postgres", EncryptedType({ storage: "binary" }))).to.equal("BYTEA");
  });
});
