// Statements that take a condition on an indexed column answer as they do on a plain one.
import { inspect } from "node:util";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { col, fn, Op, type Transaction } from "sequelize";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Flavour, type Models } from "./models.ts";

const address = (n: number): string => `u${n}@example.org`;
const owner = (n: number, options: object = {}): object => ({
  association: "User",
  where: { email: address(n) },
  ...options,
});

type Statement = (models: Models, opened: Opened) => Promise<unknown>;

const reads: Record<string, Statement> = {
  "an optional join with a condition": async ({ Post }) =>
    (await Post.findAll({ include: [owner(2, { required: false })], order: ["id"] } as never)).map(
      (post) => post.User?.name,
    ),
  "a join by a condition instead of the key": async ({ Post }) =>
    (await Post.findAll({ include: [owner(2, { required: false, or: true })] } as never)).length,
  "findAndCountAll with a join and a limit": async ({ Post }) => {
    const where = { email: [address(2), address(3)] };
    const include = [{ association: "User", where }];
    const { count, rows } = await Post.findAndCountAll({ include, limit: 1, order: ["id"] });
    return [count, rows.map((post) => post.title)];
  },
  "findAndCountAll with many children": async ({ User }) => {
    const where = { email: [address(2), address(3)] };
    const options = { include: ["posts"], distinct: true, limit: 1, order: ["id"] };
    const { count, rows } = await User.findAndCountAll({ where, ...options } as never);
    return [count, rows.map(({ name }) => name)];
  },
  "a condition two joins away": async ({ User }) =>
    (
      await User.findAll({
        include: [{ association: "posts", include: ["User"] }],
        where: { "$posts.User.email_address$": address(3) },
        subQuery: false,
        limit: 2,
      })
    ).map(({ name }) => name),
  "an aggregate": ({ User }) => User.sum("id", { where: { email: address(1) } }),
  "an aggregate among attributes": ({ User }) =>
    User.findAll({
      attributes: [[fn("max", col("id")), "most"]],
      where: { email: address(3) },
      raw: true,
    }),
  "a grouped count": async ({ User }) =>
    (await User.count({ where: { email: [address(1), address(2)] }, group: ["name"] })).length,
  "a locking read": ({ User }, { sequelize }) =>
    sequelize.transaction(async (transaction: Transaction) => {
      const lock = transaction.LOCK.UPDATE;
      return (await User.findAll({ where: { email: address(1) }, lock, transaction })).length;
    }),
  "scopes that are merged": async ({ User }) => {
    User.addScope("some", { where: { email: [address(1), address(2)] } }, { override: true });
    User.addScope("one", { where: { email: address(2) } }, { override: true });
    return (await User.scope(["some", "one"]).findAll()).map(({ name }) => name);
  },
  "options that are used twice, and stay as they are": async ({ User }) => {
    const include = [{ association: "posts", where: { id: { [Op.gt]: 0 } } }];
    const options = { where: { email: address(1) }, include };
    await User.findAll(options);
    const again = await User.findAll(options);
    return [again.length, inspect(options, { depth: 4 })];
  },
  "an accessor with a join": async ({ User }) => {
    const user = await User.findOne({ where: { email: address(1) }, rejectOnEmpty: true });
    return (await user.getPosts({ include: [owner(1) as never] })).length;
  },
};

const writes: Record<string, Statement> = {
  "UPDATE with individual hooks": async ({ User }) =>
    User.update({ name: "x" }, { where: { email: address(4) }, individualHooks: true }).then(
      ([count]) => count,
    ),
  "DELETE with individual hooks": ({ User }) =>
    User.destroy({ where: { email: address(4) }, individualHooks: true }),
  restore: async ({ User }) => {
    await User.destroy({ where: { email: address(4) } });
    await User.restore({ where: { email: address(4) } });
  },
  "UPDATE of all others": ({ User }) =>
    User.update({ name: "x" }, { where: { email: { [Op.ne]: address(1) } } }),
  findOrBuild: async ({ User }) => {
    const [user, isNew] = await User.findOrBuild({ where: { email: address(1) } });
    return [user.name, isNew];
  },
  "a write through a loaded association": async ({ Post }) => {
    const post = await Post.findOne({ include: [owner(1) as never], rejectOnEmpty: true });
    await post.User?.update({ email: "changed@example.org" });
  },
};

describe("statements by an indexed column, compared with a plain one", () => {
  const variants: [name: string, flavour: Flavour, bits: number][] = [
    ["a plain column", "plain", 256],
    ["a blind index of 256 bits", "encrypted", 256],
    ["one of 6 bits", "encrypted", 6],
  ];
  const all: { opened: Opened; models: Models }[] = [];
  before(async function () {
    this.timeout(120_000);
    for (const [, flavour, bits] of variants) {
      const opened = await openDatabase(Keyring.fromKey(generateRootKey()));
      const models = defineModels(opened.sequelize, flavour, {
        blindIndex: { column: "email_index", bits, normalize: "email" },
      });
      await opened.sequelize.sync();
      all.push({ opened, models });
    }
  });
  after(async () => {
    for (const { opened } of all) await opened.close();
  });
  beforeEach(async () => {
    for (const { models } of all) {
      const options = { cascade: true, restartIdentity: true, force: true };
      await models.User.truncate(options as never);
      const people = [1, 2, 3, 4].map((n) => ({ ...ADA, name: `u${n}`, email: address(n) }));
      const users = await models.User.bulkCreate(people);
      await models.Post.bulkCreate(users.map(({ id, name }) => ({ title: name, UserId: id })));
    }
  });

  for (const [title, statement] of Object.entries({ ...reads, ...writes })) {
    it(`agree: ${title}`, async () => {
      const results: unknown[] = [];
      for (const { models, opened } of all) {
        const result = await statement(models, opened);
        const rows = await models.User.findAll({
          attributes: ["id", "name", "email", "deletedAt"],
          order: ["id"],
          paranoid: false,
        });
        const left = rows.map(({ id, name, email }) => [id, name, email]);
        results.push([result, left, rows.map((row) => row.get("deletedAt") === null)]);
      }
      expect(results[1], variants[1]![0]).to.deep.equal(results[0]);
      expect(results[2], variants[2]![0]).to.deep.equal(results[0]);
    });
  }
});
