import {
  generateRootKey,
  Keyring,
  UnsupportedQueryError,
  type EncryptionOptions,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { inspect } from "node:util";
import { cast, col, fn, literal, Op, where } from "sequelize";
import { decryptValue, encryptValue, searchValues } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Models } from "./models.ts";

const PEOPLE = ["ada", "bob", "eve", "dan"].map((name) => ({
  ...ADA,
  name,
  email: `${name}@example.org`,
}));

const kinds: Record<string, EncryptionOptions> = {
  "a deterministic column": { deterministic: true },
  "a blind index of 256 bits": { blindIndex: { column: "email_index", normalize: "email" } },
  "a blind index of 4 bits, where strangers share tokens": {
    blindIndex: { column: "email_index", bits: 4, normalize: "email" },
  },
};

for (const [kind, options] of Object.entries(kinds)) {
  describe(`Sequelize searches ${kind}`, () => {
    let keyring = Keyring.fromKey(generateRootKey());
    let opened: Opened;
    let models: Models;
    before(async function () {
      this.timeout(60_000);
      opened = await openDatabase(() => keyring);
      models = defineModels(opened.sequelize, "encrypted", options);
      await opened.sequelize.sync();
      const users = await models.User.bulkCreate(PEOPLE);
      await models.Post.bulkCreate(users.map((user) => ({ title: "by someone", UserId: user.id })));
      // Half of what is found below is stored under the previous key.
      keyring = keyring.add(generateRootKey(), "primary");
      const strangers = Array.from({ length: 60 }, (_, i) => ({
        ...ADA,
        name: `stranger${i}`,
        email: `s${i}@example.org`,
      }));
      await models.User.bulkCreate(strangers);
    });
    after(() => opened.close());

    const email = (name: string): string => `${name}@example.org`;
    const names = async (condition: object): Promise<(string | null)[]> =>
      (await models.User.findAll({ where: condition as never, order: ["id"] })).map(
        (user) => user.name,
      );

    const conditions: Record<string, [condition: () => object, expected: string[]]> = {
      "a value": [() => ({ email: email("ada") }), ["ada"]],
      "its column's name": [() => ({ email_address: email("ada") }), ["ada"]],
      "a list": [
        () => ({ email: [email("ada"), email("eve"), email("s7")] }),
        ["ada", "eve", "stranger7"],
      ],
      "an empty list": [() => ({ email: [] }), []],
      "Op.eq": [() => ({ email: { [Op.eq]: email("bob") } }), ["bob"]],
      "Op.in": [() => ({ email: { [Op.in]: [email("bob"), email("dan")] } }), ["bob", "dan"]],
      "Op.ne, with others": [
        () => ({ email: { [Op.ne]: email("bob") }, name: ["ada", "bob"] }),
        ["ada"],
      ],
      "Op.notIn, with others": [
        () => ({ email: { [Op.notIn]: [email("bob"), email("ada")] }, id: { [Op.lte]: 4 } }),
        ["eve", "dan"],
      ],
      "Op.not a value": [
        () => ({ email: { [Op.not]: email("bob") }, id: { [Op.lte]: 2 } }),
        ["ada"],
      ],
      "Op.or of values": [
        () => ({ email: { [Op.or]: [email("ada"), email("dan")] } }),
        ["ada", "dan"],
      ],
      "Op.or of conditions": [
        () => ({ [Op.or]: [{ email: email("ada") }, { name: "eve" }] }),
        ["ada", "eve"],
      ],
      "Op.and": [() => ({ [Op.and]: [{ email: email("ada") }, { name: "ada" }] }), ["ada"]],
      "Op.and that cannot hold": [
        () => ({ [Op.and]: [{ email: email("ada") }, { email: email("bob") }] }),
        [],
      ],
      "Op.not of a condition": [
        () => ({ [Op.not]: { email: email("ada") }, id: { [Op.lte]: 3 } }),
        ["bob", "eve"],
      ],
      null: [() => ({ email: null }), []],
      "not null": [() => ({ email: { [Op.not]: null }, name: "dan" }), ["dan"]],
      "a root column by path": [() => ({ "$User.email_address$": email("dan") }), ["dan"]],
      "something that nobody has": [() => ({ email: "nobody@example.org" }), []],
    };
    for (const [title, [condition, expected]] of Object.entries(conditions)) {
      it(`by ${title}`, async () => expect(await names(condition())).to.deep.equal(expected));
    }

    it("in findOne, findAndCountAll, count, with limit and offset", async () => {
      const condition = { email: [email("ada"), email("bob"), email("s3")] };
      expect((await models.User.findOne({ where: { email: email("s9") } }))?.name).to.equal(
        "stranger9",
      );
      const { count, rows } = await models.User.findAndCountAll({
        where: condition,
        order: ["id"],
        limit: 1,
        offset: 1,
      });
      expect([count, rows.map((user) => user.name)]).to.deep.equal([3, ["bob"]]);
      expect(await models.User.count({ where: condition })).to.equal(3);
      expect(await models.User.max("id", { where: { email: email("bob") } })).to.equal(2);
    });

    it("through associations: include.where and $association.column$", async () => {
      const [post] = await models.Post.findAll({
        include: [{ model: models.User, where: { email: email("eve") } }],
      });
      expect(post?.User?.name).to.equal("eve");
      expect(
        await models.Post.count({
          include: [{ model: models.User, where: { email: email("eve") } }],
        }),
      ).to.equal(1);
      const posts = await models.Post.findAll({
        include: [models.User],
        where: { "$User.email_address$": [email("ada"), email("dan")] },
        order: ["id"],
      });
      expect(posts.map((found) => found.User?.name)).to.deep.equal(["ada", "dan"]);
    });

    it("in static update, increment and destroy, touching nobody else", async () => {
      await models.User.update({ name: "Eve!" }, { where: { email: email("eve") } });
      await models.User.increment("logins", { where: { email: email("eve") } });
      expect(await names({ logins: 1 })).to.deep.equal(["Eve!"]);
      expect(await names({ name: "Eve!" })).to.deep.equal(["Eve!"]);
      const user = await models.User.create({ ...ADA, name: "gone", email: email("gone") });
      expect(await models.User.destroy({ where: { email: email("gone") }, force: true })).to.equal(
        1,
      );
      expect(await models.User.findByPk(user.id)).to.equal(null);
      await models.User.update({ name: "eve" }, { where: { name: "Eve!" } });
      expect(await models.User.count()).to.equal(64);
    });

    it("in findOrCreate, found and created", async () => {
      const [found, isNew] = await models.User.findOrCreate({ where: { email: email("bob") } });
      expect([found.name, isNew]).to.deep.equal(["bob", false]);
      const [created, isCreated] = await models.User.findOrCreate({
        where: { email: email("new") },
        defaults: { name: "new" },
      });
      expect([created.email, isCreated]).to.deep.equal([email("new"), true]);
      expect(await names({ email: email("new") })).to.deep.equal(["new"]);
      await created.destroy({ force: true });
    });

    it("refuses what equality cannot answer, without a trace of the value", async () => {
      const secret = "ada@example.org";
      const refused: object[] = [
        { email: { [Op.like]: `${secret}%` } },
        { email: { [Op.iLike]: secret } },
        { email: { [Op.startsWith]: secret } },
        { email: { [Op.endsWith]: secret } },
        { email: { [Op.substring]: secret } },
        { email: { [Op.regexp]: secret } },
        { email: { [Op.gt]: secret } },
        { email: { [Op.between]: [secret, secret] } },
        { email: { [Op.any]: [secret] } },
        { email: { [Op.eq]: { [Op.any]: [secret] } } },
        { email: { [Op.ne]: { [Op.all]: [secret] } } },
        { email: { [Op.in]: [{ [Op.eq]: secret }] } },
        { email: [{ [Op.eq]: secret }] },
        { email: { [Op.contains]: secret } },
        { email: { [Op.in]: [secret, null] } },
        { email: { [Op.in]: literal(`('${secret}')`) } },
        { email: { [Op.eq]: fn("lower", secret) } },
        { email: { [Op.or]: [{ [Op.like]: secret }] } },
        { "email.first": secret },
        { "$User.email_address$": { [Op.like]: secret } },
        where(col("email_address"), secret),
        where(fn("lower", col("email_address")), secret),
        where(cast(col("User.email_address"), "text"), { [Op.like]: secret } as never),
        where(models.User.getAttributes().email as never, secret),
        { [Op.and]: [where(col("email_address"), Op.ne, secret)] },
      ];
      opened.log.length = 0;
      for (const condition of refused) {
        const error = await models.User.findAll({ where: condition as never }).catch(
          (thrown: Error) => thrown,
        );
        expect(error, inspect(condition)).to.be.instanceOf(UnsupportedQueryError);
        expect((error as Error).message)
          .to.include("User.email")
          .and.to.not.include(secret);
      }
      expect(opened.log.join("\n")).to.not.include(secret);
    });

    it("refuses a value of another type", async () => {
      const error = await names({ email: { first: "secret" } }).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(TypeError);
      expect((error as Error).message).to.equal("User.email takes a string, not an object.");
    });

    it("gives values for raw queries", async () => {
      const column = options.blindIndex ? "email_index" : "email_address";
      const terms = searchValues(models.User, "email", email("ada"));
      const [row] = await opened.database.query(
        `SELECT name, email_address FROM users WHERE ${column} = ANY($1) AND name = 'ada'`,
        [terms],
      );
      expect(row?.name).to.equal("ada");
      expect(decryptValue(models.User, "email", row?.email_address as string)).to.equal(
        email("ada"),
      );
      expect(decryptValue(models.User, "email", encryptValue(models.User, "email", "x"))).to.equal(
        "x",
      );
      expect(encryptValue(models.User, "email", null)).to.equal(null);
      expect(decryptValue(models.User, "email", null)).to.equal(null);
      expect(() => encryptValue(models.User, "name", "x")).to.throw(
        "User.name is no encrypted attribute",
      );
    });

    it("puts no plaintext into SQL", () => {
      for (const person of PEOPLE) expect(opened.log.join("\n")).to.not.include(person.email);
    });
  });
}
