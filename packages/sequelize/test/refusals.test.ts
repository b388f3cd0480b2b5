// What cannot be asked of ciphertext: refused before any SQL is sent, by whatever way it is asked.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inspect } from "node:util";
import { cast, col, fn, json as sequelizeJson, literal, Op, where } from "sequelize";
import { EncryptedBinaryType, EncryptedJSONType, EncryptedType } from "../src/index.ts";
import type { EncryptedDataType } from "../src/encrypted-types.ts";
import { queryGeneratorOf, type Attribute } from "../src/sequelize-internals.ts";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Models } from "./models.ts";

const SECRET = "secret-marker-7d20";

describe("what Sequelize cannot do on ciphertext", () => {
  let opened: Opened;
  let models: Models;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    models = defineModels(opened.sequelize, "encrypted");
    await opened.sequelize.sync();
    await models.User.create(ADA);
  });
  after(() => opened.close());

  const posts = { association: "posts" };
  const tags = { association: "tags" };
  const json = sequelizeJson as (path: string | object) => never;
  const expression = (value: object): never => value as never;
  const refused: Record<string, () => Promise<unknown>> = {
    "order by name": () => models.User.findAll({ order: ["email"] }),
    "order by column and direction": () =>
      models.User.findAll({ order: [["email_address", "DESC"]] }),
    "order by col()": () => models.User.findAll({ order: [[col("User.email_address"), "ASC"]] }),
    "order by fn()": () =>
      models.User.findAll({ order: [fn("lower", col("email_address"))] as never }),
    "order by an association's column": () =>
      models.User.findAll({
        include: [{ model: models.Post, as: "posts" }],
        order: [[{ model: models.Post, as: "posts" }, "title", "ASC"]],
      }),
    "order in a separate include": () =>
      models.User.findAll({
        include: [{ model: models.Post, as: "posts", separate: true, order: [["title", "ASC"]] }],
      }),
    "order by a JSON path": () => models.User.findAll({ order: [["profile.city", "ASC"]] }),
    "group by name": () =>
      models.User.findAll({ attributes: [[fn("count", col("id")), "n"]], group: "email" }),
    "group by list": () =>
      models.User.findAll({
        attributes: [[fn("count", col("id")), "n"]],
        group: ["User.email_address"],
      }),
    "group by col()": () => models.User.count({ group: [col("email_address") as never] }),
    max: () => models.User.max("email"),
    min: () => models.User.min("email"),
    "a function in the attributes": () =>
      models.User.findAll({ attributes: [[fn("lower", col("email_address")), "x"]] }),
    "a cast in the attributes": () =>
      models.User.findAll({ attributes: [[cast(col("email_address"), "text"), "x"]] }),
    "COUNT(DISTINCT) of different ciphertexts": () =>
      models.User.count({ col: "email_address", distinct: true }),
    "a literal as a value": () =>
      models.User.create({ ...ADA, email: literal("'x'") as never }, { validate: false }),
    "a function as a value": () =>
      models.User.update(
        { email: fn("lower", "x") as never },
        { where: { id: 1 }, validate: false },
      ),
    "an expression in bulkCreate": () =>
      models.User.bulkCreate([{ ...ADA, email: literal("'x'") as never }]),
    "a cast as a value": () =>
      models.User.create({ ...ADA, email: cast(SECRET, "text") as never }, { validate: false }),
    "order by col() of an association": () =>
      models.User.findAll({ include: [posts], order: [col("posts.headline")] }),
    "order by a path": () => models.User.findAll({ include: [posts], order: ["posts.headline"] }),
    "order by an alias": () =>
      models.User.findAll({ attributes: ["id", [col("email_address"), "e"]], order: ["e"] }),
    "order by a through model's column": () =>
      models.Post.findAll({
        include: [tags],
        order: [[{ model: models.Tag, as: "tags" }, models.PostTag, "note", "ASC"]],
      }),
    "order by json()": () => models.User.findAll({ order: [[json("profile_data.city"), "ASC"]] }),
    "group by an association's column": () =>
      models.User.findAll({
        attributes: [[fn("count", col("User.id")), "n"]],
        include: [{ ...posts, attributes: [] }],
        group: ["posts.headline"],
      }),
    "group by an alias": () =>
      models.User.findAll({
        attributes: [
          ["email_address", "e"],
          [fn("count", col("id")), "n"],
        ],
        group: ["e"],
      }),
    "HAVING by value": () =>
      models.User.findAll({ attributes: ["name"], group: ["name"], having: { email: SECRET } }),
    "a function of an association's column in the attributes": () =>
      models.User.findAll({
        attributes: [[fn("lower", col("posts.headline")), "x"]],
        include: [{ ...posts, attributes: [] }],
      }),
    "a comparison in the attributes": () =>
      models.User.findAll({ attributes: [[expression(where(col("email_address"), SECRET)), "x"]] }),
    "json() in the attributes": () =>
      models.User.findAll({ attributes: [[json("profile_data.city"), "x"]] }),
    "json() compared": () =>
      models.User.findAll({ where: where(json("profile_data.city"), SECRET) as never }),
    "json() of conditions": () =>
      models.User.findAll({ where: json({ profile_data: { city: SECRET } }) }),
    "json() among conditions": () =>
      models.User.findAll({ where: { [Op.and]: [json({ profile_data: { city: SECRET } })] } }),
    "json() in place of the conditions": () =>
      models.Tag.findAll({ where: json({ label: { city: SECRET } }) }),
    "json() of a path in their place": () =>
      models.Tag.findAll({
        where: (sequelizeJson as never as (path: string, value: string) => never)(
          "label.city",
          SECRET,
        ),
      }),
    "a function in their place": () =>
      models.Tag.findAll({ where: expression(fn("starts_with", col("label"), SECRET)) }),
    "a function as a condition": () =>
      models.User.findAll({ where: expression(fn("starts_with", col("email_address"), SECRET)) }),
    "a function with a condition in it": () =>
      models.User.findAll({ where: { name: fn("bool_or", { email_address: SECRET } as never) } }),
    "an encrypted column in a list to compare with": () =>
      models.User.findAll({ where: { name: { [Op.in]: [col("email_address")] } } as never }),
    "an encrypted column as a bound": () =>
      models.User.update(
        { name: "x" },
        { where: { name: { [Op.notBetween]: [col("email_address"), "z"] } } as never },
      ),
    "a plain column compared with an encrypted one": () =>
      models.User.findAll({ where: { name: { [Op.col]: "email_address" } } }),
    "the same by col()": () =>
      models.User.findAll({ where: { name: { [Op.ne]: col("User.email_address") } } }),
    "an encrypted column compared with a plain one": () =>
      models.User.findAll({ where: { email: { [Op.col]: "name" } as never } }),
    "where() of an association's column": () =>
      models.User.findAll({
        include: [posts],
        where: where(col("posts.headline"), SECRET) as never,
      }),
    "where() of a function of it": () =>
      models.User.findAll({
        include: [posts],
        where: where(fn("lower", col("posts.headline")), SECRET) as never,
      }),
    "where() of a distant column": () =>
      models.User.findAll({
        include: [{ ...posts, include: [tags] }],
        where: where(col("posts->tags.label"), { [Op.like]: SECRET } as never) as never,
      }),
    "where() of a function of SQL": () =>
      models.User.findAll({
        where: where(fn("coalesce", literal('"User".email_address')), SECRET) as never,
      }),
    "where() of SQL": () =>
      models.User.findAll({ where: where(literal("lower(email_address)"), SECRET) as never }),
    "where() by a path that nobody knows": () =>
      models.User.findAll({ include: [posts], where: where(col("p.headline"), SECRET) as never }),
    "where() with a column of ours on the right": () =>
      models.User.findAll({ where: where(col("name"), col("email_address")) as never }),
    "a path with dots": () =>
      models.User.findAll({ include: [posts], where: { "posts.headline": SECRET } as never }),
    "a path from the root's name": () =>
      models.User.findAll({ where: { "User.email_address": SECRET } as never }),
    "a path through the model between": () =>
      models.User.findAll({
        include: [{ ...posts, include: [tags] }],
        where: { "$posts.tags.PostTag.note$": SECRET } as never,
      }),
    "a cast in the key": () =>
      models.User.findAll({ where: { "email_address::text": SECRET } as never }),
    "include.where": () =>
      models.User.findAll({ include: [{ ...posts, where: { title: SECRET } }] }),
    "include.where two levels down": () =>
      models.User.findAll({
        include: [{ ...posts, include: [{ ...tags, where: { label: SECRET } }] }],
      }),
    "include.on": () =>
      models.User.findAll({ include: [{ ...posts, on: { title: SECRET } } as never] }),
    "include.through.where": () =>
      models.Post.findAll({ include: [{ ...tags, through: { where: { note: SECRET } } }] }),
    "a scope": () =>
      class extends models.User {}.scope({ where: { email: SECRET } } as never).findAll(),
    "a comparison in SQL, in capitals": () =>
      models.User.findAll({ where: where(literal("EMAIL_ADDRESS"), SECRET) as never }),
    "UPDATE by it": () =>
      models.User.update({ name: "x" }, { where: { email: { [Op.like]: SECRET } } }),
    "DELETE by it": () => models.User.destroy({ where: { email: { [Op.startsWith]: SECRET } } }),
    "increment by it": () =>
      models.User.increment("logins", { where: { email: { [Op.like]: SECRET } } }),
    "a maximum over an association": () =>
      models.User.max("posts.headline" as never, { include: [posts] } as never),
    "increment of an encrypted column": () =>
      models.User.increment("email" as never, { where: { id: 1 } }),
  };
  for (const [title, query] of Object.entries(refused)) {
    it(`refuses ${title}`, async () => {
      opened.log.length = 0;
      const error = await query().catch((thrown: unknown) => thrown);
      expect(error, inspect(error)).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
      expect(inspect(error, { depth: 9 }), "the error").to.not.include(SECRET);
      expect(opened.log.join("\n"), "the log").to.not.include(SECRET);
    });
  }

  it("lets no value through the generator by a way that nobody thought of: the last line", () => {
    const generator = queryGeneratorOf(opened.sequelize);
    const attribute = models.User.getAttributes().email as unknown as Attribute;
    const writes = [
      () => generator.escape(SECRET, attribute),
      () => generator.format(SECRET, attribute, {}, String),
    ];
    for (const write of writes) {
      expect(write)
        .to.throw("User.email is encrypted: this statement would put its value into SQL")
        .with.property("code", "ERR_QUERY_UNSUPPORTED");
    }
    expect(generator.escape(null, attribute)).to.equal("NULL");
  });

  it("validates types without showing the value", () => {
    const { type } = models.User.getAttributes().email as unknown as { type: EncryptedDataType };
    expect(type.validate("text")).to.equal(true);
    const context = { field: { fieldName: "email" } };
    expect(() => type.validate({ SECRET }, context)).to.throw(
      TypeError,
      "email takes a string, not an object.",
    );
  });

  it("still counts rows, and distinct values where equal ones are equal", async () => {
    expect(await models.User.count({ col: "email_address" })).to.equal(1);
    const Code = opened.sequelize.define("Code", { value: EncryptedType({ deterministic: true }) });
    await Code.sync();
    await Code.bulkCreate([{ value: "a" }, { value: "a" }, { value: "b" }]);
    expect(await Code.count({ col: "value", distinct: true })).to.equal(2);
  });

  it("counts in HAVING too", async () => {
    const rows = await models.User.findAll({
      attributes: ["name"],
      group: ["name"],
      having: where(fn("count", col("email_address")), Op.gte as never, 1) as never,
      raw: true,
    });
    expect(rows).to.deep.equal([{ name: ADA.name }]);
  });

  it("compares columns that share a context, in a condition and in a join", async () => {
    const shared = () => EncryptedType({ deterministic: true, context: "people.code" });
    const One = opened.sequelize.define("One", { code: shared(), other: shared() });
    const Two = opened.sequelize.define("Two", { code: shared() });
    One.belongsTo(Two, { foreignKey: "code", targetKey: "code", constraints: false });
    await opened.sequelize.sync();
    await One.bulkCreate([
      { code: "a", other: "a" },
      { code: "b", other: "a" },
    ]);
    await Two.create({ code: "b" });
    expect(await One.count({ where: { code: { [Op.eq]: col("other") } } })).to.equal(1);
    expect(await One.count({ where: { code: { [Op.ne]: col("other") } } })).to.equal(1);
    expect(await One.count({ where: { code: { [Op.col]: "other" } as never } })).to.equal(1);
    const joined = await One.findAll({ include: [{ model: Two, required: true }] });
    expect(joined.map((row) => row.get("code"))).to.deep.equal(["b"]);
    expect((joined[0]?.get("Two") as (typeof joined)[0])?.get("code")).to.equal("b");
  });

  it("takes lists of conditions for conditions: on NULL they may name an encrypted column", async () => {
    const isNull = where(col("email_address"), null as never);
    const conditions = [
      { [Op.and]: [isNull] },
      { [Op.not]: { [Op.or]: [{ name: "x" }, isNull] } },
      { [Op.or]: [{ name: "x" }, { [Op.and]: [isNull] }] },
    ];
    for (const condition of conditions)
      expect(await models.User.count({ where: condition })).to.be.a("number");
  });

  it("refuses to compare those that store equal values different in spite of it", async () => {
    const { context, ...same } = { context: "people.code", deterministic: true };
    const keyring = Keyring.fromKey(generateRootKey());
    const Coded = opened.sequelize.define("Coded", {
      code: EncryptedType({ ...same, context }),
      padded: EncryptedType({ ...same, context, pad: 64 }),
      otherwise: EncryptedType({ ...same, context, keyring }),
      bytes: EncryptedType({ ...same, context, storage: "binary" }),
    });
    await Coded.sync();
    for (const name of ["padded", "otherwise", "bytes"]) {
      const condition = { code: { [Op.eq]: col(name) } };
      const error = await Coded.count({ where: condition }).catch((thrown: unknown) => thrown);
      expect(error, name).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
    }
    const Other = opened.sequelize.define("Other", { code: EncryptedType({ ...same, context }) });
    const options = { foreignKey: "padded", targetKey: "code", constraints: false };
    expect(() => Coded.belongsTo(Other, options)).to.throw("joins an association");
  });

  it("takes a JSON value as a whole, and refuses to look inside", async () => {
    const Doc = opened.sequelize.define("Doc", { box: EncryptedJSONType({ deterministic: true }) });
    await Doc.sync();
    await Doc.create({ box: { city: "London" } });
    expect(await Doc.count({ where: { box: { city: "London" } } as never })).to.equal(1);
    for (const box of [{ city: { [Op.eq]: SECRET } }, { [Op.contains]: { city: SECRET } }]) {
      const error = await Doc.count({ where: { box } as never }).catch((thrown: unknown) => thrown);
      expect(error).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
    }
  });

  it("looks for bytes in a deterministic binary column", async () => {
    const File = opened.sequelize.define("File", {
      hash: EncryptedBinaryType({ deterministic: true }),
    });
    await File.sync();
    await File.create({ hash: Buffer.from([0, 255]) });
    expect(await File.count({ where: { hash: Buffer.from([0, 255]) } })).to.equal(1);
    expect(await File.count({ where: { hash: [Buffer.from([1])] } })).to.equal(0);
  });
});
