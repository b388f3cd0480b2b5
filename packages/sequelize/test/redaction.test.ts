import { inspect } from "node:util";
import { DecryptError, generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import {
  AggregateError,
  col,
  DataTypes,
  OptimisticLockError,
  UniqueConstraintError,
  ValidationError,
} from "sequelize";
import { EncryptedType } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Models } from "./models.ts";

const SECRET = "secret-marker-91c4";

/** All that a log or an error tracker makes of a thing. */
function shown(thing: unknown): string {
  const error = thing as Error;
  return [
    inspect(thing, { depth: 12 }),
    inspect(thing, { depth: 12, showHidden: false, getters: true }),
    JSON.stringify(thing),
    String(error),
    error.stack,
    error.message,
  ].join("\n");
}

/** As loggers write objects that refer to themselves. */
function asJson(thing: unknown): string {
  const seen = new Set<unknown>();
  return JSON.stringify(thing, (_name, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return "[seen]";
    seen.add(value);
    return value;
  });
}

describe("what Sequelize prints of encrypted attributes", () => {
  let opened: Opened;
  let models: Models;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(Keyring.fromKey(generateRootKey()));
    models = defineModels(opened.sequelize, "encrypted");
    await opened.sequelize.sync();
  });
  after(() => opened.close());

  it("of an instance is [encrypted], while toJSON keeps the values", async () => {
    const email = `${SECRET}@example.org`;
    const user = await models.User.create({ ...ADA, email });
    const text = inspect(user);
    expect(text)
      .to.include("email: [encrypted]")
      .and.include("name: 'Ada'")
      .and.match(/^User \{/);
    expect(inspect([{ nested: { user } }], { depth: 9 })).to.not.include(SECRET);
    expect(inspect(user, { depth: -1 })).to.equal("[User]");
    expect(inspect(models.User.build({ name: "x", email: null }))).to.include("email: null");
    expect(user.toJSON()).to.include({ email });
    const [without] = await models.User.findAll({ attributes: { exclude: ["email", "shout"] } });
    expect(JSON.stringify(without)).to.not.include(SECRET);
  });

  it("of an instance is [encrypted] under every name that a value was selected by", async () => {
    const user = await models.User.create({ ...ADA, email: `${SECRET}@example.org` });
    const post = await models.Post.create({ title: SECRET, UserId: user.id });
    const name = ["name", "called"];
    const lists = [
      [name, ["email_address", "contact"]],
      [name, [col("email_address"), "mail"]],
      [name, "email_address"],
    ];
    for (const attributes of lists) {
      const found = await models.User.findByPk(user.id, { attributes: attributes as never });
      expect(JSON.stringify(found)).to.include(SECRET);
      expect(inspect(found)).to.include("[encrypted]").and.include("called: 'Ada'");
      expect(shown(found).replace(JSON.stringify(found), "")).to.not.include(SECRET);
    }
    const included = await models.User.findByPk(user.id, {
      attributes: ["id"],
      include: [{ model: models.Post, as: "posts", attributes: ["id", ["headline", "heading"]] }],
    });
    expect(included?.posts?.[0]?.get("heading" as never)).to.equal(post.title);
    expect(inspect(included, { depth: 9 })).to.not.include(SECRET);
  });

  it("of a validation error names the attribute without its value", async () => {
    const attempts = [
      () => models.User.create({ ...ADA, email: SECRET }),
      () => models.User.create({ ...ADA, email: [SECRET] as never }),
      () => models.User.update({ email: SECRET }, { where: { id: 1 } }),
      () => models.User.update({ email: SECRET }, { where: { id: 1 }, hooks: false }),
      () => models.User.upsert({ ...ADA, email: SECRET }, { hooks: false }),
      () => models.User.build({ ...ADA, email: SECRET }).validate({ hooks: false } as never),
    ];
    for (const attempt of attempts) {
      const error = await attempt().catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(ValidationError);
      expect(shown(error)).to.not.include(SECRET);
      expect((error as ValidationError).errors[0]).to.include({
        path: "email",
        value: "[encrypted]",
      });
    }
  });

  it("of bulkCreate's errors is no record", async () => {
    const error = await models.User.bulkCreate([{ ...ADA, email: SECRET }], {
      validate: true,
    }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(AggregateError);
    expect(shown(error)).to.not.include(SECRET);
    expect(JSON.stringify((error as AggregateError).errors)).to.not.include(SECRET);
  });

  it("of a unique violation is neither value nor instance", async () => {
    const Account = opened.sequelize.define("Account", {
      email: { type: EncryptedType({ deterministic: true }), unique: true },
      code: { type: DataTypes.TEXT, unique: true },
    });
    await Account.sync();
    await Account.create({ email: SECRET, code: "1" });
    for (const values of [
      { email: SECRET, code: "2" },
      { email: `${SECRET}2`, code: "1" },
    ]) {
      const error = await Account.create(values).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(UniqueConstraintError);
      expect(shown(error)).to.not.include(SECRET);
    }
    const mismatch = await Account.findOrCreate({
      where: { email: SECRET },
      defaults: { code: "1" },
    });
    expect(mismatch[1]).to.equal(false);
  });

  it("of findOrCreate, when it runs into another value, is neither", async () => {
    const Racer = opened.sequelize.define("Racer", {
      email: { type: EncryptedType({ deterministic: true }), unique: true },
    });
    await Racer.sync();
    await Racer.create({ email: `${SECRET}-taken` });
    Racer.addHook("beforeCreate", (racer) => void racer.set("email", `${SECRET}-taken`));
    const error = await Racer.findOrCreate({ where: { email: `${SECRET}-free` } }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error)
      .to.have.property("message")
      .that.matches(/value used for email was not equal/);
    expect(shown(error)).to.not.include(SECRET);
  });

  it("of a statement's options, which `logging` gets, is nothing of the adapter's", async () => {
    const email = `${SECRET}-log@example.org`;
    const seen: unknown[] = [];
    const logging = (_sql: string, options: unknown): void => void seen.push(options);
    const logged = <Options extends object>(options: Options): Options => ({ ...options, logging });
    const user = await models.User.create({ ...ADA, email }, logged({}));
    await models.User.bulkCreate([{ ...ADA, email }], logged({}));
    await models.User.upsert({ ...ADA, id: user.id, email }, logged({}));
    await models.User.update({ email }, logged({ where: { id: user.id } }));
    await user.update({ email: `2${email}` }, logged({}));
    const Indexed = opened.sequelize.define("Indexed", {
      email: EncryptedType({ blindIndex: { column: "email_index" } }),
    });
    await Indexed.sync();
    await Indexed.findAll(logged({ where: { email } }));
    await Indexed.update({ email: `3${email}` }, logged({ where: { email } }));
    await Indexed.destroy(logged({ where: { email } }));
    await Indexed.findOrCreate(logged({ where: { email }, defaults: { email } }));
    await Indexed.findAll(logged({ include: [], where: { email: [email] } }));
    Indexed.hasMany(Indexed, { as: "children", foreignKey: "parentId" });
    await Indexed.sync({ alter: true });
    const children = { association: "children", where: { email } };
    await Indexed.findAll(logged({ include: [children], limit: 1 }));
    await Indexed.count(logged({ include: [children] }));
    const post = await models.Post.create(
      { title: SECRET, tags: [{ label: SECRET }] } as never,
      logged({ include: ["tags"] }),
    );
    const tag = await models.Tag.create({ label: SECRET }, logged({}));
    await post.addTag(tag, logged({ through: { note: SECRET } }));
    await user.increment("logins", logged({}));
    await user.destroy(logged({}));
    expect(seen.length).to.be.greaterThan(5);
    const ours = seen.flatMap((options) =>
      Object.getOwnPropertySymbols(options).map(
        (name) => (options as Record<symbol, unknown>)[name],
      ),
    );
    expect(ours.length).to.be.greaterThan(5);
    expect(inspect(ours, { depth: 12, showHidden: true })).to.not.include(SECRET);
    for (const options of seen) {
      expect(inspect(options, { depth: 12 })).to.not.include(SECRET);
      expect(asJson(options)).to.not.include(SECRET);
    }
    // Code that looks for them finds them still.
    expect(
      seen.some((options) => inspect((options as { where?: unknown }).where).includes(email)),
    ).to.equal(true);
  });

  it("of the options of other models' statements is what Sequelize gives", async () => {
    const Plain = opened.sequelize.define("Plain", { name: DataTypes.TEXT });
    await Plain.sync();
    const seen: unknown[] = [];
    const logging = (_sql: string, options: unknown): void => void seen.push(options);
    await Plain.destroy({ where: { name: "shown" }, logging });
    expect(inspect(seen, { depth: 3 })).to.include("shown");
  });

  it("of an optimistic lock error is no value", async () => {
    const Locked = opened.sequelize.define("Locked", { note: EncryptedType }, { version: true });
    await Locked.sync();
    await Locked.create({ note: "first" });
    const [one, two] = [
      await Locked.findOne({ rejectOnEmpty: true }),
      await Locked.findOne({ rejectOnEmpty: true }),
    ];
    await one.update({ note: "second" });
    const error = await two.update({ note: SECRET }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(OptimisticLockError);
    expect(shown(error)).to.not.include(SECRET);
    expect((await one.reload()).get("note")).to.equal("second");
  });

  it("of a database error is ciphertext at most", async () => {
    await opened.database.query(
      "ALTER TABLE users ADD CONSTRAINT short CHECK (length(email_address) < 300)",
    );
    const error = await models.User.create({
      ...ADA,
      email: `${SECRET.repeat(9)}@example.org`,
    }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error);
    expect(shown(error)).to.not.include(SECRET);
  });

  it("of a value that does not open is table, column and primary key", async () => {
    const user = await models.User.create({ ...ADA, email: `${SECRET}@example.org` });
    await opened.database.query(
      "UPDATE users SET email_address = left(email_address, 40) WHERE id = $1",
      [user.id],
    );
    for (const read of [
      () => models.User.findAll(),
      () => models.User.findAll({ raw: true }),
      () => user.reload(),
    ]) {
      const error = await read().catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(DecryptError);
      expect(error).to.deep.include({
        table: "users",
        column: "email_address",
        primaryKey: { id: user.id },
      });
      expect(shown(error)).to.not.include(SECRET);
    }
  });

  it("of statements, with logQueryParameters, is ciphertext", () => {
    expect(opened.log.length).to.be.greaterThan(20);
    expect(opened.log.join("\n")).to.not.include(SECRET);
  });
});
