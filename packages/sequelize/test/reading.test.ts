import { countOperations } from "@fieldseal/crypto/testing";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { inspect } from "node:util";
import { col, fn, QueryTypes, type Options } from "sequelize";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Flavour, type Models } from "./models.ts";

const variants: [string, Flavour, Options][] = [
  ["encrypted columns", "encrypted", {}],
  ["plain columns (control)", "plain", {}],
  ["encrypted columns with minifyAliases", "encrypted", { minifyAliases: true }],
  ["encrypted columns with quoteIdentifiers: false", "encrypted", { quoteIdentifiers: false }],
];

for (const [title, flavour, options] of variants) {
  describe(`Sequelize reads of ${title}`, () => {
    const isQuoted = options.quoteIdentifiers !== false;
    let opened: Opened;
    let models: Models;
    let id: number;
    before(async function () {
      this.timeout(60_000);
      opened = await openDatabase(Keyring.fromKey(generateRootKey()), options);
      models = defineModels(opened.sequelize, flavour);
      await opened.sequelize.sync();
      const user = await models.User.create(ADA);
      id = user.id;
      for (const headline of ["First", "Second"]) {
        const post = await models.Post.create({ title: headline, UserId: id });
        const tag = await models.Tag.create({ label: `tag of ${headline}` });
        await post.addTag(tag, { through: { note: `note on ${headline}` } });
      }
    });
    after(() => opened.close());

    const find = (): Promise<InstanceType<typeof models.User>> =>
      models.User.findByPk(id, { rejectOnEmpty: true });

    it("findByPk, findOne, findAll, findAndCountAll", async () => {
      const { User } = models;
      const found = [
        await find(),
        await User.findOne({ where: { name: "Ada" }, rejectOnEmpty: true }),
        ...(await User.findAll()),
        ...(await User.findAndCountAll()).rows,
      ];
      for (const user of found) {
        expect(user.email).to.equal(ADA.email);
        expect(user.profile).to.deep.equal(ADA.profile);
        expect(user.avatar).to.deep.equal(ADA.avatar);
        expect(user.changed()).to.equal(false);
        expect(user.getDataValue("email")).to.equal(ADA.email);
        expect(user.previous("email")).to.equal(ADA.email);
      }
      expect(found).to.have.length(4);
    });

    it("raw: true", async () => {
      const [row] = await models.User.findAll({ raw: true });
      expect(row).to.include({ email: ADA.email });
      expect(row?.profile).to.deep.equal(ADA.profile);
    });

    it("attributes without an alias: by path, by col(), and all of them", async () => {
      if (!isQuoted) return; // PostgreSQL takes User for a function of its own
      const { email } = ADA;
      const lists = ["email_address", "User.email_address", "*", "User.*"];
      for (const attributes of [...lists, ...lists.slice(0, 3).map((path) => col(path))]) {
        const [row] = await models.User.findAll({ attributes: [attributes] as never, raw: true });
        expect(row).to.include({ email_address: email });
      }
      for (const title of ["posts.headline", col("posts.headline")]) {
        const rows = await models.User.findAll({
          attributes: ["id", title] as never,
          include: [{ model: models.Post, as: "posts", attributes: [] }],
          order: [["posts", "id", "ASC"]],
          raw: true,
        });
        expect(rows).to.deep.equal([
          { id, headline: "First" },
          { id, headline: "Second" },
        ]);
      }
    });

    it("attributes under an alias, by name and by col()", async () => {
      if (!isQuoted) return; // PostgreSQL folds such aliases to lower case, for plain columns as well
      const [row] = await models.User.findAll({
        attributes: [
          "id",
          ["email_address", "contact"],
          [col("email_address"), "other"],
          [fn("length", col("name")), "email"],
        ],
        raw: true,
      });
      expect(row).to.deep.equal({ id, contact: ADA.email, other: ADA.email, email: 3 });
      const instance = await models.User.findOne({
        attributes: [["email_address", "contact"]],
        rejectOnEmpty: true,
      });
      expect(instance.get("contact")).to.equal(ADA.email);
    });

    it("an association's column among the parent's attributes", async () => {
      if (!isQuoted) return;
      const rows = await models.User.findAll({
        attributes: ["id", [col("posts.headline"), "heading"], [col("posts.id"), "email"]],
        include: [{ model: models.Post, as: "posts", attributes: [] }],
        order: [[col("posts.id"), "ASC"]],
        raw: true,
      });
      expect(rows).to.deep.equal([
        { id, heading: "First", email: 1 },
        { id, heading: "Second", email: 2 },
      ]);
    });

    it("without hooks", async () => {
      const [user] = await models.User.findAll({ hooks: false } as never);
      expect(user?.email).to.equal(ADA.email);
    });

    it("a virtual attribute and a scope that name the columns they need", async () => {
      const shouting = await models.User.findOne({ attributes: ["shout"], rejectOnEmpty: true });
      expect(shouting.shout).to.equal("ADA@EXAMPLE.ORG");
      const [scoped] = await models.User.scope("contact").findAll();
      expect(scoped?.toJSON()).to.include({ id, email: ADA.email });
    });

    it("toJSON and get({ plain: true }) give plaintext", async () => {
      const user = await find();
      expect(user.toJSON()).to.deep.include({ email: ADA.email, profile: ADA.profile });
      expect(JSON.parse(JSON.stringify(user))).to.include({ email: ADA.email });
    });

    it("nested includes, through models with encrypted columns of their own", async () => {
      const user = await models.User.findOne({
        include: [
          { model: models.Post, as: "posts", include: [{ model: models.Tag, as: "tags" }] },
        ],
        order: [[{ model: models.Post, as: "posts" }, "id", "ASC"]],
        rejectOnEmpty: true,
      });
      expect(user.email).to.equal(ADA.email);
      expect(user.posts?.map((post) => post.title)).to.deep.equal(["First", "Second"]);
      const [tag] = user.posts?.[0]?.tags ?? [];
      expect(tag?.label).to.equal("tag of First");
      expect(tag?.PostTag?.note).to.equal("note on First");
    });

    it("includes with a limit, and separate ones", async () => {
      const limited = await models.User.findAll({
        include: [{ model: models.Post, as: "posts" }],
        limit: 1,
      });
      const separate = await models.User.findAll({
        include: [{ model: models.Post, as: "posts", separate: true }],
      });
      for (const [user] of [limited, separate]) {
        expect(user?.email).to.equal(ADA.email);
        expect(user?.posts?.map((post) => post.title).toSorted()).to.deep.equal([
          "First",
          "Second",
        ]);
        expect(JSON.parse(JSON.stringify(user)))
          .to.have.nested.property("posts[0].title")
          .that.is.oneOf(["First", "Second"]);
      }
    });

    it("includes with raw: true, with nest: true, and with aliased attributes", async () => {
      if (!isQuoted) return; // Sequelize itself cannot read nested names back there
      const posts = {
        model: models.Post,
        as: "posts",
        attributes: ["title", ["headline", "heading"]] as never,
      };
      const raw = (await models.User.findAll({ include: [posts], raw: true })) as unknown as Record<
        string,
        unknown
      >[];
      expect(raw.map((row) => row["posts.title"])).to.have.members(["First", "Second"]);
      expect(raw.map((row) => row["posts.heading"])).to.have.members(["First", "Second"]);
      expect(raw.map((row) => row.email)).to.deep.equal([ADA.email, ADA.email]);
      expect(raw[0]?.profile).to.deep.equal(raw[1]?.profile);
      expect(raw[0]?.profile).to.not.equal(raw[1]?.profile);
      const nested = (await models.User.findAll({
        include: [posts],
        raw: true,
        nest: true,
      })) as unknown as { posts: { title: string } }[];
      expect(nested.map((row) => row.posts.title).toSorted()).to.deep.equal(["First", "Second"]);
    });

    it("association accessors, both ways", async () => {
      const user = await find();
      const posts = await user.getPosts({ order: ["id"] });
      expect(posts.map((post) => post.title)).to.deep.equal(["First", "Second"]);
      const owner = await models.Post.findOne({ include: [models.User], rejectOnEmpty: true });
      expect(owner.User?.email).to.equal(ADA.email);
    });

    it("reload, whole and by attributes", async () => {
      const user = await find();
      user.email = "changed@example.org";
      await user.reload();
      expect(user.email).to.equal(ADA.email);
      await user.reload({ attributes: ["email"] });
      expect(user.email).to.equal(ADA.email);
      expect(user.changed()).to.equal(false);
    });

    it("query() with a model, and the ciphertext without one", async () => {
      const sql = "SELECT * FROM users";
      const [mapped] = await opened.sequelize.query(sql, { model: models.User, mapToModel: true });
      expect(mapped?.email).to.equal(ADA.email);
      const [row] = await opened.sequelize.query<{ email_address: string }>(sql, {
        type: QueryTypes.SELECT,
      });
      if (flavour === "encrypted") expect(row?.email_address).to.match(/^9V6h/);
      else expect(row?.email_address).to.equal(ADA.email);
    });

    it("query() with a model and names of its own", async () => {
      const [user] = await opened.sequelize.query(
        "SELECT id, email_address AS contact FROM users",
        {
          model: models.User,
          fieldMap: { contact: "email" },
        },
      );
      expect(user?.email).to.equal(ADA.email);
    });

    it("RETURNING of statements written by hand", async () => {
      const update = "UPDATE users SET logins = 0 RETURNING *";
      for (const type of [QueryTypes.UPDATE, QueryTypes.INSERT, QueryTypes.SELECT]) {
        const result = await opened.sequelize.query(update, { model: models.User, type } as never);
        const text = inspect(result, { depth: 9, customInspect: false });
        expect(text, type).to.include(ADA.email).and.to.not.include("9V6h");
      }
    });

    it("counting, and grouping by ordinary columns", async () => {
      expect(await models.User.count()).to.equal(1);
      expect(await models.User.count({ col: "email_address" })).to.equal(1);
    });

    it("decrypts a parent once, however many children a join repeats it for", async () => {
      const posts = Array.from({ length: 200 }, (_, i) => ({ title: `post ${i}`, UserId: id }));
      await models.Post.bulkCreate(posts);
      const { counts, result } = await countOperations(() =>
        models.User.findAll({
          attributes: ["id", "email"],
          include: [{ model: models.Post, as: "posts", attributes: ["id", "title"] }],
        }),
      );
      expect(result[0]?.posts).to.have.length(202);
      expect(counts).to.deep.equal({
        encryptions: 0,
        decryptions: flavour === "encrypted" ? 203 : 0,
      });
    });
  });
}
