// Conditions of any shape mean on encrypted columns what they mean on plain ones: random trees of operators, NULLs
// included, through every statement that takes a condition.
import { generateRootKey, Keyring, type EncryptionOptions } from "@fieldseal/crypto";
import { expect } from "chai";
import fc from "fast-check";
import { DataTypes, Op, type Model, type ModelStatic } from "sequelize";
import { EncryptedType } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";

const VALUES = ["ada", "bob", "eve", "dan", "nobody", ""];
const value = fc.constantFrom(...VALUES);
const list = fc.array(value, { maxLength: 3 });

/** What can stand beside `email:`. */
const comparison: fc.Arbitrary<unknown> = fc.oneof(
  value,
  list,
  fc.constant(null),
  fc.tuple(fc.constantFrom(Op.eq, Op.ne, Op.not, Op.is), fc.constant(null)).map(entry),
  fc.tuple(fc.constantFrom(Op.eq, Op.ne, Op.not), value).map(entry),
  fc.tuple(fc.constantFrom(Op.in, Op.notIn), list).map(entry),
  fc
    .tuple(fc.constantFrom(Op.or, Op.and), fc.array(value, { minLength: 1, maxLength: 3 }))
    .map(entry),
  fc.tuple(value, value).map(([a, b]) => ({ [Op.ne]: a, [Op.notIn]: [b] })),
  fc
    .tuple(fc.constantFrom(Op.or, Op.and), value)
    .map(([op, a]) => ({ [op]: { [Op.eq]: a, [Op.is]: null } })),
  value.map((a) => ({ [Op.or]: [a, null] })),
  value.map((a) => ({ [Op.or]: [{ [Op.ne]: a }, { [Op.is]: null }] })),
);

function entry([operator, operand]: readonly [symbol, unknown]): object {
  return { [operator]: operand };
}

const { condition } = fc.letrec<{ condition: unknown; leaf: unknown; group: unknown }>((tie) => ({
  leaf: fc.oneof(
    comparison.map((email) => ({ email })),
    value.map((name) => ({ name })),
    fc.tuple(comparison, value).map(([email, name]) => ({ email, name })),
  ),
  group: fc.oneof(
    fc
      .tuple(
        fc.constantFrom(Op.or, Op.and, Op.not),
        fc.array(tie("condition"), { minLength: 1, maxLength: 3 }),
      )
      .map(entry),
    fc.tuple(fc.constantFrom(Op.or, Op.and, Op.not), tie("leaf")).map(entry),
  ),
  condition: fc.oneof({ maxDepth: 3 }, tie("leaf"), tie("group")),
}));

const kinds: Record<string, EncryptionOptions> = {
  "a deterministic column": { deterministic: true },
  "a blind index of 256 bits": { blindIndex: { column: "email_index" } },
  "a blind index of 4 bits": { blindIndex: { column: "email_index", bits: 4 } },
};

for (const [kind, options] of Object.entries(kinds)) {
  describe(`conditions on ${kind}, compared with a plain column`, () => {
    let opened: Opened;
    let plain: ModelStatic<Model>;
    let encrypted: ModelStatic<Model>;
    before(async function () {
      this.timeout(60_000);
      opened = await openDatabase(Keyring.fromKey(generateRootKey()));
      const attributes = (type: unknown): object => ({
        // Names that differ from their columns', so that a mix-up shows.
        id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true, field: "person_id" },
        email: { type, field: "email_address" },
        name: { type: DataTypes.TEXT, field: "first_name" },
      });
      const define = (name: string, type: unknown): ModelStatic<Model> =>
        opened.sequelize.define(name, attributes(type) as never, { timestamps: false });
      plain = define("Plain", DataTypes.TEXT);
      encrypted = define("Encrypted", EncryptedType(options));
      await opened.sequelize.sync();
      const people = [...VALUES, null, null, "stranger1", "stranger2", "stranger3"].flatMap(
        (email) =>
          ["ada", "eve"].map((name) => ({ email: email === "nobody" ? "somebody" : email, name })),
      );
      for (const model of [plain, encrypted]) await model.bulkCreate(people);
    });
    after(() => opened.close());

    const idsOf = async (model: ModelStatic<Model>, where: unknown): Promise<unknown[]> =>
      (await model.findAll({ where: where as never, order: ["id"] })).map((row) => row.get("id"));

    it("finds and counts the same rows, whatever the operators", async function () {
      this.timeout(120_000);
      await fc.assert(
        fc.asyncProperty(condition, async (where) => {
          const expected = await idsOf(plain, where);
          expect(await idsOf(encrypted, where)).to.deep.equal(expected);
          expect(await encrypted.count({ where: where as never })).to.equal(expected.length);
        }),
        { numRuns: 150 },
      );
    });

    it("updates, increments and destroys the same rows", async function () {
      this.timeout(120_000);
      await fc.assert(
        fc.asyncProperty(condition, async (where) => {
          const transaction = await opened.sequelize.transaction();
          try {
            const expected = await plain.update(
              { name: "changed" },
              { where: where as never, transaction },
            );
            expect(
              await encrypted.update({ name: "changed" }, { where: where as never, transaction }),
            ).to.deep.equal(expected);
            const gone = await plain.destroy({ where: where as never, transaction });
            expect(await encrypted.destroy({ where: where as never, transaction })).to.equal(gone);
            const rest = (model: ModelStatic<Model>): Promise<object[]> =>
              model.findAll({ attributes: ["id", "name"], order: ["id"], raw: true, transaction });
            expect(await rest(encrypted)).to.deep.equal(await rest(plain));
          } finally {
            await transaction.rollback();
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}

describe("a condition on a join table", () => {
  it("means its column under the alias that the query gives it, though other tables have one of the name", async function () {
    this.timeout(60_000);
    const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    const { sequelize } = opened;
    const define = (name: string, column: string): ModelStatic<Model> =>
      sequelize.define(
        name,
        { [column]: EncryptedType({ deterministic: true }) },
        { timestamps: false },
      );
    const [Post, Tag, Link] = [
      define("Post", "note"),
      define("Tag", "label"),
      define("Link", "note"),
    ];
    Post.belongsToMany(Tag, { through: Link, as: "tags" });
    Tag.belongsToMany(Post, { through: Link, as: "posts" });
    const Author = define("Author", "name");
    Author.hasMany(Post, { as: "posts", foreignKey: "AuthorId" });
    await sequelize.sync();
    const post = await Post.create({ note: "of the post" });
    const tag = await Tag.create({ label: "x" });
    await Link.create({ PostId: post.get("id"), TagId: tag.get("id"), note: "of the link" });
    const tags = { association: "tags", through: { as: "link" } };
    for (const [note, count] of [
      ["of the link", 1],
      ["of the post", 0],
    ] as const) {
      const found = await Post.findAll({ include: [tags], where: { "$tags.link.note$": note } });
      expect(found, note).to.have.length(count);
    }
    const unknown = { "$nobody.note$": "of the post" };
    const error = await Author.findAll({ where: unknown }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
    await opened.close();
  });
});
