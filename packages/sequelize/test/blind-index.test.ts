// What a short blind index must not do: mean a neighbour who shares the token.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { DataTypes, Op, type Model, type ModelStatic } from "sequelize";
import { EncryptedType, fieldseal, searchValues } from "../src/index.ts";
import { queryInterfaceOf } from "../src/sequelize-internals.ts";
import { connect, openDatabase, type Opened } from "./database.ts";

const people = (count: number): { email: string }[] =>
  Array.from({ length: count }, (_, i) => ({ email: `p${i}@example.org` }));
/** Two values that share a token. */
function neighbours(model: ModelStatic<Model>): [string, string] {
  const tokenOf = (value: string): string => String(searchValues(model, "email", value)[0]);
  const [first, ...others] = people(200).map((person) => person.email);
  const other = others.find((value) => tokenOf(value) === tokenOf(first as string));
  return [first as string, other as string];
}
const emailsOf = (rows: readonly Model[]): unknown[] => rows.map((row) => row.get("email"));

describe("a short blind index", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  let opened: Opened;
  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(keyring);
    await opened.sequelize.createSchema("tenant", {});
  });
  after(() => opened.close());
  const email = EncryptedType({ blindIndex: { column: "email_index", bits: 4 } });

  it("means the rows of the schema in use", async () => {
    const Person = opened.sequelize.define("Person", { email, name: DataTypes.TEXT });
    const Tenant = Person.schema("tenant");
    await Person.sync();
    await Tenant.sync();
    await Person.bulkCreate(people(40));
    await Tenant.bulkCreate(people(40).toReversed());
    const where = { email: "p3@example.org" };
    expect(emailsOf(await Tenant.findAll({ where }))).to.deep.equal([where.email]);
    expect(await Tenant.update({ name: "found" }, { where })).to.deep.equal([1]);
    expect(await Tenant.destroy({ where: { name: "found" } })).to.equal(1);
    expect(await Tenant.count({ where })).to.equal(0);
    expect(await Person.count({ where })).to.equal(1);
    expect(await Tenant.count()).to.equal(39);
  });

  it("stays out of instances, also where something else of RETURNING does not open", async () => {
    const Note = opened.sequelize.define("Note", { email, text: EncryptedType });
    await Note.sync();
    const note = await Note.create({ email: "p1@example.org", text: "before" });
    await opened.sequelize.query(`UPDATE "Notes" SET text = 'garbage'`);
    const saving = note.update({ email: "p2@example.org" }, { returning: true });
    expect(await saving.catch((error: unknown) => error)).to.have.property(
      "code",
      "ERR_DECRYPT_FAILED",
    );
    expect(note.get()).to.not.have.property("email_index");
  });

  it("stays out of rows of which every column is selected", async () => {
    const Memo = opened.sequelize.define("Memo", { email });
    await Memo.sync();
    await Memo.create({ email: "p1@example.org" });
    const [row] = await Memo.findAll({ attributes: ["*"], raw: true });
    expect(row).to.include({ email: "p1@example.org" });
    expect(row).to.not.have.property("email_index");
  });

  it("is resolved in joins: include.where, include.on, through.where, several levels, with a limit", async () => {
    const define = (name: string): ModelStatic<Model> =>
      opened.sequelize.define(name, { email, n: DataTypes.INTEGER }, { timestamps: false });
    const [Team, Member, Badge] = [define("Team"), define("Member"), define("Badge")] as const;
    const Holding = opened.sequelize.define("Holding", { email }, { timestamps: false });
    Team.hasMany(Member, { as: "members", foreignKey: "TeamId" });
    Member.belongsTo(Team, { as: "team", foreignKey: "TeamId" });
    Member.belongsToMany(Badge, { through: Holding, as: "badges" });
    Badge.belongsToMany(Member, { through: Holding, as: "members" });
    await opened.sequelize.sync();
    const teams = await Team.bulkCreate(people(3));
    const members = await Member.bulkCreate(
      people(60).map((person, i) => ({ ...person, TeamId: teams[i % 3]!.get("id"), n: i })),
    );
    const badges = await Badge.bulkCreate(people(60));
    await Holding.bulkCreate(
      members.map((member, i) => ({
        MemberId: member.get("id"),
        BadgeId: badges[i]!.get("id"),
        email: `held${i}@example.org`,
      })),
    );
    const where = { email: "p7@example.org" };
    const team = [`p${7 % 3}@example.org`];
    const found = async (include: object, options: object = {}): Promise<unknown[]> =>
      emailsOf(await Team.findAll({ include: [include as never], ...options }));
    const members7 = { association: "members", where };
    expect(await found(members7)).to.deep.equal(team);
    expect(await found(members7, { limit: 3 })).to.deep.equal(team);
    const on = { email: where.email, TeamId: { [Op.eq]: opened.sequelize.col("Team.id") } };
    expect(await found({ association: "members", required: true, on })).to.deep.equal(team);
    const badge7 = { association: "badges", where };
    expect(
      await found({ association: "members", required: true, include: [badge7] }),
    ).to.deep.equal(team);
    // With a limit Sequelize builds a subquery from the includes' parents.
    expect(await found({ ...members7, include: [badge7] }, { limit: 3 })).to.deep.equal(team);
    expect(
      await found({ association: "members", where: { n: 7 }, include: [badge7] }, { limit: 3 }),
    ).to.deep.equal(team);
    const held = {
      association: "badges",
      required: true,
      through: { where: { email: "held7@example.org" } },
    };
    expect(emailsOf(await Member.findAll({ include: [held] }))).to.deep.equal([where.email]);
    const separate = { association: "members", separate: true, where };
    const counts = (await Team.findAll({ include: [separate] })).map(
      (one) => (one.get("members") as Model[]).length,
    );
    expect(counts).to.have.members([0, 0, 1]);
    expect(
      emailsOf(
        await Member.findAll({ include: ["team"], where: { "$team.email$": "p1@example.org" } }),
      ),
    ).to.have.length(20);
  });

  it("answers with several primary keys, and refuses to without any", async () => {
    const Pair = opened.sequelize.define(
      "Pair",
      {
        left: { type: DataTypes.INTEGER, primaryKey: true, field: "l" },
        right: { type: DataTypes.INTEGER, primaryKey: true, field: "r" },
        email,
      },
      { timestamps: false },
    );
    await Pair.sync();
    await Pair.bulkCreate(people(30).map((person, i) => ({ ...person, left: i % 5, right: i })));
    const where = { email: ["p3@example.org", "p8@example.org"] };
    expect(emailsOf(await Pair.findAll({ where, order: ["right"] }))).to.deep.equal(where.email);
    expect(await Pair.count({ where: { [Op.not]: where } })).to.equal(28);
    expect(await Pair.count({ where: { email: "nobody" } })).to.equal(0);
    const Loose = opened.sequelize.define("Loose", { email }, { timestamps: false });
    Loose.removeAttribute("id");
    await Loose.sync();
    const error = await Loose.findAll({ where: { email: "x" } }).catch((thrown: Error) => thrown);
    expect(error).to.have.property("message").that.includes("has no primary key to answer with");
  });

  it("knows rows by a timestamp that is finer than a Date", async () => {
    const at = { type: DataTypes.DATE(6), primaryKey: true };
    const Moment = opened.sequelize.define("Moment", { at, email }, { timestamps: false });
    await Moment.sync();
    await Moment.create({ at: new Date(0), email: "ada@example.org" });
    await opened.database.query(`UPDATE "Moments" SET at = at + interval '1 microsecond'`);
    const where = { email: "ada@example.org" };
    const others = { email: { [Op.ne]: where.email } };
    expect(await Moment.count({ where })).to.equal(1);
    expect(await Moment.findAll({ where })).to.have.length(1);
    expect(await Moment.count({ where: others })).to.equal(0);
    expect(await Moment.destroy({ where: others })).to.equal(0);
    expect(await Moment.destroy({ where })).to.equal(1);
  });

  it("is not asked where so many rows share a token that it answers nothing", async function () {
    this.timeout(60_000);
    const Crowd = opened.sequelize.define("Crowd", { email }, { timestamps: false });
    await Crowd.sync();
    await Crowd.create({ email: "same" });
    await opened.database.query(
      'INSERT INTO "Crowds" (email, email_index) SELECT email, email_index FROM "Crowds", generate_series(1, 10000)',
    );
    const error = await Crowd.count({ where: { email: "same" } }).catch((thrown: Error) => thrown);
    expect(error).to.have.property("message").that.includes("more than 10000 rows share a token");
  });

  it("leaves a row alone that changes between its reading and the statement", async () => {
    const Racer = opened.sequelize.define(
      "Racer",
      { email, n: DataTypes.INTEGER },
      { timestamps: false },
    );
    await Racer.sync();
    const [before, after] = neighbours(Racer);
    const queryInterface = queryInterfaceOf(opened.sequelize);
    const { select } = queryInterface;
    const statements = [
      () => Racer.destroy({ where: { email: before } }),
      () => Racer.update({ n: 1 }, { where: { email: before } }),
      () => Racer.increment("n", { where: { email: before } }),
    ];
    for (const statement of statements) {
      await Racer.destroy({ truncate: true });
      await Racer.create({ email: before, n: 0 });
      queryInterface.select = async (...parameters) => {
        const rows = await select.apply(queryInterface, parameters);
        queryInterface.select = select;
        // Another process gives the row a value that has the same token.
        await Racer.update({ email: after }, { where: { n: 0 } });
        return rows;
      };
      await statement();
      const rows = await Racer.findAll({ raw: true, attributes: ["email", "n"] });
      expect(rows).to.deep.equal([{ email: after, n: 0 }]);
    }
  });

  it("leaves a row alone that comes to hold what NOT excludes, or holds it encrypted anew", async () => {
    const Racer = opened.sequelize.define(
      "NotRacer",
      { email, n: DataTypes.INTEGER },
      { timestamps: false },
    );
    await Racer.sync();
    const [kept, neighbour] = neighbours(Racer);
    const queryInterface = queryInterfaceOf(opened.sequelize);
    const { select } = queryInterface;
    const conditions = [{ email: { [Op.ne]: kept } }, { [Op.not]: { email: kept } }];
    for (const where of conditions) {
      for (const first of [kept, neighbour]) {
        await Racer.destroy({ truncate: true });
        await Racer.bulkCreate([{ email: first, n: 0 }, { email: "other@example.org" }, {}]);
        queryInterface.select = async (...parameters) => {
          const rows = await select.apply(queryInterface, parameters);
          queryInterface.select = select;
          await Racer.update({ email: kept }, { where: { n: 0 } });
          return rows;
        };
        expect(await Racer.destroy({ where: where as never }), first).to.equal(1);
        const rows = await Racer.findAll({ raw: true, attributes: ["email"], order: ["n"] });
        expect(rows).to.deep.equal([{ email: kept }, { email: null }]);
      }
    }
  });

  it("does not find a row that changes between its reading and the search", async () => {
    const Racer = opened.sequelize.define("FoundRacer", { email }, { timestamps: false });
    await Racer.sync();
    const [before, after] = neighbours(Racer);
    await Racer.create({ email: before });
    let statements = 0;
    opened.sequelize.addHook("beforeQuery", "change", async () => {
      if (++statements !== 2) return;
      opened.sequelize.removeHook("beforeQuery", "change");
      await Racer.update({ email: after }, { where: {} });
    });
    expect(await Racer.findAll({ where: { email: before } })).to.deep.equal([]);
    expect(await Racer.findAll({ where: { email: after } })).to.have.length(1);
  });

  it("is read where the search path leads", async () => {
    const sequelize = connect(opened.database, [], { dialectOptions: { prependSearchPath: true } });
    fieldseal(sequelize, { keyring });
    const Local = sequelize.define("Local", { email }, { timestamps: false });
    const searchPath = "tenant";
    await Local.sync();
    await Local.schema("tenant").sync();
    await Local.bulkCreate(people(30));
    await Local.schema("tenant").bulkCreate(people(30).toReversed());
    const [found] = await Local.findAll({
      where: { email: "p3@example.org" },
      searchPath,
    } as never);
    expect(found?.get()).to.deep.include({ email: "p3@example.org", id: 27 });
    await sequelize.close();
  });

  it("takes no offence at a token whose value is gone", async () => {
    const Gone = opened.sequelize.define("Gone", { email }, { timestamps: false });
    await Gone.sync();
    await Gone.bulkCreate([{ email: "same" }, { email: "same" }]);
    await opened.database.query('UPDATE "Gones" SET email = NULL WHERE id = 1');
    expect(await Gone.count({ where: { email: "same" } })).to.equal(1);
  });

  it("is read in the statement's transaction, and without the model's hooks and scopes", async () => {
    const Item = opened.sequelize.define(
      "Item",
      { email, n: DataTypes.INTEGER },
      { defaultScope: { where: { n: 1 } }, paranoid: true },
    );
    await Item.sync();
    let found = 0;
    Item.addHook("afterFind", () => void found++);
    await opened.sequelize.transaction(async (transaction) => {
      await Item.bulkCreate([{ email: "in", n: 1 }], { transaction });
      expect(await Item.count({ where: { email: "in" }, transaction })).to.equal(1);
      expect(await Item.count({ where: { email: "in" } })).to.equal(0);
    });
    expect(found).to.equal(0);
    await Item.destroy({ where: { email: "in" } });
    expect(await Item.count({ where: { email: "in" } })).to.equal(0);
    expect(await Item.count({ where: { email: "in" }, paranoid: false })).to.equal(1);
  });
});
