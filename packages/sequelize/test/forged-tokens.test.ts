// Who can write to the database can give any row the token of any other.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { col, DataTypes, Op, QueryTypes, type Model, type ModelStatic } from "sequelize";
import { EncryptedType, searchValues } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";

const emailsOf = (rows: readonly Model[]): unknown[] => rows.map((row) => row.get("email"));

describe("a row with a forged token", () => {
  let opened: Opened;
  let User: ModelStatic<Model>;
  let Note: ModelStatic<Model>;
  for (const bits of [256, 128, 20]) {
    describe(`of ${bits} bits`, () => {
      before(async function () {
        this.timeout(60_000);
        opened = await openDatabase(Keyring.fromKey(generateRootKey()));
        const email = EncryptedType({
          blindIndex: { column: "email_index", bits, normalize: "email" },
        });
        User = opened.sequelize.define(
          "User",
          { email, n: DataTypes.INTEGER },
          { timestamps: false },
        );
        Note = opened.sequelize.define(
          "Note",
          { email, n: DataTypes.INTEGER },
          { timestamps: false },
        );
        User.hasMany(Note, { as: "notes", foreignKey: "UserId" });
        Note.belongsTo(User, { as: "user", foreignKey: "UserId" });
        await opened.sequelize.sync();
        const [admin, mallory] = await User.bulkCreate([
          { email: "admin@example.org" },
          { email: "mallory@example.org" },
        ]);
        await Note.bulkCreate([{ UserId: admin!.get("id") }, { UserId: mallory!.get("id") }]);
        // Who can write to the database makes a search for one person find another.
        const [token] = searchValues(User as never, "email", "admin@example.org");
        await opened.database.query('UPDATE "Users" SET email_index = $1', [token]);
      });
      after(() => opened.close());

      const where = { email: "Admin@example.org" };

      it("is not found where its value comes back", async () => {
        expect(emailsOf(await User.findAll({ where }))).to.deep.equal(["admin@example.org"]);
        expect((await User.findOne({ where, order: [["id", "ASC"]] }))?.get("id")).to.equal(1);
        for (const condition of [
          { email: [where.email, "other@example.org"] },
          { email: { [Op.eq]: where.email } },
          { email: { [Op.in]: [where.email] } },
          { [Op.and]: [{ email: where.email }, { id: { [Op.gt]: 0 } }] },
          [{ email: where.email }],
        ]) {
          expect(emailsOf(await User.findAll({ where: condition as never }))).to.deep.equal([
            "admin@example.org",
          ]);
        }
        const raw = (await User.findAll({ where, raw: true })) as unknown as { email: string }[];
        expect(raw.map((row) => row.email)).to.deep.equal(["admin@example.org"]);
        expect((await User.findAndCountAll({ where })).rows).to.have.length(1);
        const [user, isNew] = await User.findOrCreate({ where: { email: "admin@example.org" } });
        expect([user.get("id"), isNew]).to.deep.equal([1, false]);
      });

      it("is not found where its value comes back under another name", async () => {
        const contact = [["email", "contact"], [col("email"), "contact"], col("email"), "*"];
        for (const attribute of contact) {
          const attributes = ["id", attribute] as never;
          const rows = await User.findAll({ where, attributes, raw: true });
          expect(rows.map((row) => (row as unknown as { id: number }).id)).to.deep.equal([1]);
        }
        const include = [
          { association: "user", where, attributes: [["email", "contact"]] as never },
        ];
        const notes = await Note.findAll({ include });
        expect(notes.map((note) => note.get("UserId"))).to.deep.equal([1]);
      });

      it("is not found through an association either", async () => {
        const notes = await Note.findAll({ include: [{ association: "user", where }] });
        expect(notes.map((note) => note.get("UserId"))).to.deep.equal([1]);
        const users = await User.findAll({ where, include: ["notes"] });
        expect(emailsOf(users)).to.deep.equal(["admin@example.org"]);
      });

      it("does not hide a row for a value that is read of another", async () => {
        User.belongsTo(User, { as: "chief", foreignKey: "n", constraints: false });
        await User.update({ n: 2 }, { where: { id: 1 } });
        for (const alias of ["email", "contact"]) {
          const attributes = ["id", [col("chief.email"), alias]] as never;
          const include = [{ association: "chief", attributes: [] }];
          const rows = await User.findAll({
            where: { ...where, id: 1 },
            attributes,
            include,
            raw: true,
          });
          expect(rows).to.deep.equal([{ id: 1, [alias]: "mallory@example.org" }]);
        }
      });

      it("does not disturb a search for other things", async () => {
        expect(await User.findAll()).to.have.length(2);
        expect(await User.findAll({ where: { id: 2 } })).to.have.length(1);
        expect(
          await User.findAll({ where: { [Op.or]: [where, { id: 2 }] } as never }),
        ).to.have.length(2);
        const either = {
          association: "user",
          where: { email: "nobody@example.org" },
          or: true,
        };
        expect(await Note.findAll({ include: [either] })).to.have.length(2);
        const [row] = await opened.sequelize.query('SELECT count(*)::int AS n FROM "Users"', {
          type: QueryTypes.SELECT,
        });
        expect(row).to.deep.equal({ n: 2 });
      });

      it(
        bits < 128
          ? "is neither counted nor updated"
          : "is counted and updated: tokens this long are believed there",
        async () => {
          const expected = bits < 128 ? 1 : 2;
          expect(await User.count({ where })).to.equal(expected);
          expect(await User.update({ n: 1 }, { where })).to.deep.equal([expected]);
          expect(await User.findAll({ attributes: ["id"], where })).to.have.length(expected);
        },
      );
    });
  }
});
