// Where the database itself keeps values apart: constraints, races, upserts.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes, UniqueConstraintError, type ModelStatic, type Model } from "sequelize";
import { EncryptedType } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";

describe("Sequelize and UNIQUE", () => {
  const uniques: Record<string, (define: Opened["sequelize"]) => ModelStatic<Model>> = {
    "a unique deterministic column": (sequelize) =>
      sequelize.define("Account", {
        email: { type: EncryptedType({ deterministic: true }), unique: true },
        name: DataTypes.TEXT,
      }),
    "a unique blind index": (sequelize) =>
      sequelize.define("Account", {
        email: EncryptedType({ blindIndex: { column: "emailIndex", normalize: "email" } }),
        emailIndex: { type: DataTypes.TEXT, unique: true },
        name: DataTypes.TEXT,
      }),
  };
  for (const [title, define] of Object.entries(uniques)) {
    describe(title, () => {
      let opened: Opened;
      let Account: ModelStatic<Model>;
      const email = "secret-ada@example.org";
      before(async function () {
        this.timeout(60_000);
        opened = await openDatabase(Keyring.fromKey(generateRootKey()));
        Account = define(opened.sequelize);
        await Account.sync();
      });
      after(() => opened.close());
      beforeEach(() => Account.truncate());

      it("refuses a second row, in an error without the value", async () => {
        await Account.create({ email });
        for (const write of [
          () => Account.create({ email }),
          () => Account.bulkCreate([{ email }]),
        ]) {
          const error = await write().catch((thrown: unknown) => thrown);
          expect(error).to.be.instanceOf(UniqueConstraintError);
          expect(JSON.stringify(error) + String((error as Error).stack)).to.not.include(email);
        }
      });

      it("lets one of several racing findOrCreate win, and gives all the same row", async () => {
        for (const method of ["findOrCreate", "findCreateFind"] as const) {
          await Account.truncate();
          const results = await Promise.all(
            [1, 2, 3, 4, 5, 6].map((i) =>
              Account[method]({ where: { email }, defaults: { name: `try ${i}` } }),
            ),
          );
          expect(
            results.filter(([, isNew]) => isNew),
            method,
          ).to.have.length(1);
          expect(new Set(results.map(([account]) => account.get("id")))).to.have.property(
            "size",
            1,
          );
          expect(await Account.count()).to.equal(1);
        }
      });

      it("is a target of upsert and updateOnDuplicate", async () => {
        await Account.create({ email, name: "first" });
        await Account.upsert({ email, name: "second" });
        expect((await Account.findOne({ where: { email } }))?.get("name")).to.equal("second");
        await Account.bulkCreate([{ email, name: "third" }], { updateOnDuplicate: ["name"] });
        const accounts = await Account.findAll();
        expect(
          accounts.map((account) => [account.get("name"), account.get("email")]),
        ).to.deep.equal([["third", email]]);
      });
    });
  }
});
