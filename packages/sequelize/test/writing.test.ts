import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { countOperations } from "@fieldseal/crypto/testing";
import { expect } from "chai";
import { ValidationError } from "sequelize";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Flavour, type Models, type User } from "./models.ts";

for (const flavour of ["encrypted", "plain"] as Flavour[]) {
  const isEncrypted = flavour === "encrypted";
  describe(`Sequelize writes of ${isEncrypted ? "encrypted columns" : "plain columns (control)"}`, () => {
    let opened: Opened;
    let models: Models;
    before(async function () {
      this.timeout(60_000);
      opened = await openDatabase(Keyring.fromKey(generateRootKey()));
      models = defineModels(opened.sequelize, flavour);
      await opened.sequelize.sync();
    });
    after(() => opened.close());
    beforeEach(() =>
      models.User.truncate({ cascade: true, restartIdentity: true, force: true } as never),
    );

    const stored = async (id: number): Promise<Record<string, unknown>> =>
      (await opened.database.query("SELECT * FROM users WHERE id = $1", [id]))[0] ?? {};
    /** The e-mail address is stored as it must be, and reads back. */
    const expectEmail = async (id: number, email: string | null): Promise<void> => {
      const { email_address: value } = await stored(id);
      if (email === null) expect(value).to.equal(null);
      else if (isEncrypted) expect(value).to.match(/^9V6h[A-Za-z0-9+/]{80,}={0,2}$/);
      else expect(value).to.equal(email);
      const user = await models.User.findByPk(id, { rejectOnEmpty: true, paranoid: false });
      expect(user.email).to.equal(email);
    };
    const emails = (users: readonly User[]): unknown[] => users.map((user) => user.email);

    it("create, with and without RETURNING", async () => {
      for (const returning of [undefined, true, false]) {
        const user = await models.User.create(ADA, returning === undefined ? {} : { returning });
        expect(user.email).to.equal(ADA.email);
        expect(user.profile).to.deep.equal(ADA.profile);
        expect(user.avatar).to.deep.equal(ADA.avatar);
        expect(user.changed()).to.equal(false);
        if (returning !== false) await expectEmail(user.id, ADA.email);
      }
    });

    it("create does not decrypt what it has just encrypted", async () => {
      const { counts } = await countOperations(() => models.User.create(ADA));
      expect(counts).to.deep.equal({ encryptions: isEncrypted ? 3 : 0, decryptions: 0 });
      const many = await countOperations(() => models.User.bulkCreate([ADA, ADA, ADA]));
      expect(many.counts).to.deep.equal({ encryptions: isEncrypted ? 9 : 0, decryptions: 0 });
    });

    it("what RETURNING gives is no object of the caller's, who may change his and set it again", async () => {
      const profile = { city: "London" };
      const avatar = Buffer.from("first");
      const { User: Users } = models;
      const [one, other] = await Users.bulkCreate([{ profile }, { profile }], { returning: true });
      expect(one?.profile).to.not.equal(other?.profile);
      const [upserted] = await Users.upsert({ profile, avatar });
      const created = await Users.create({ profile, avatar });
      profile.city = "Paris";
      avatar.write("later");
      for (const user of [created, upserted]) {
        expect(user.avatar?.toString()).to.equal("first");
        await user.update({ profile, avatar });
        const found = await Users.findByPk(user.id, { rejectOnEmpty: true });
        expect(found.profile).to.deep.equal({ city: "Paris" });
        expect(found.avatar?.toString()).to.equal("later");
      }
    });

    it("save and update of an instance write the changed field only", async () => {
      const user = await models.User.create(ADA);
      const before = await stored(user.id);
      user.email = "new@example.org";
      expect(user.changed()).to.deep.equal(["email"]);
      expect(user.previous("email")).to.equal(ADA.email);
      await user.save();
      await user.update({ email: "newer@example.org" });
      await expectEmail(user.id, "newer@example.org");
      const after = await stored(user.id);
      expect(after.profile_data).to.deep.equal(before.profile_data);
      expect(after.avatar).to.deep.equal(before.avatar);
    });

    for (const returning of [undefined, ["updatedAt"]]) {
      it(`keeps what is set while a statement is on its way that returns ${returning?.[0] ?? "nothing"}`, async () => {
        const { id } = await models.User.create(ADA);
        const user = await models.User.findByPk(id, { rejectOnEmpty: true });
        const sent = new Promise<void>((resolve) => {
          opened.sequelize.addHook("beforeQuery", "sent", () => void setImmediate(resolve));
        });
        user.name = "Augusta";
        const saving = user.save({ ...(returning && { returning: returning as never }) });
        await sent;
        opened.sequelize.removeHook("beforeQuery", "sent");
        user.email = "set-meanwhile@example.org";
        await saving;
        expect(user.email).to.equal("set-meanwhile@example.org");
        await user.save();
        await expectEmail(id, "set-meanwhile@example.org");
      });
    }

    it("save({ returning: true }) reads other columns back in the clear", async () => {
      const user = await models.User.create(ADA);
      await models.User.update({ email: "elsewhere@example.org" }, { where: { id: user.id } });
      user.name = "Augusta";
      await user.save({ returning: true });
      expect(user.email).to.equal("elsewhere@example.org");
      expect(user.profile).to.deep.equal(ADA.profile);
    });

    if (isEncrypted) {
      it("save({ returning: true }) keeps what does not open out of the instance", async () => {
        const user = await models.User.create(ADA);
        await opened.database.query("UPDATE users SET profile_data = 'garbage' WHERE id = $1", [
          user.id,
        ]);
        user.email = "new@example.org";
        const error = await user.save({ returning: true }).catch((thrown: unknown) => thrown);
        expect(error).to.have.property("code", "ERR_DECRYPT_FAILED");
        expect(user.email).to.equal("new@example.org");
        expect(user.profile).to.deep.equal(ADA.profile);
        await user.destroy({ force: true });
      });
    }

    it("JSON: in place with changed(), by path, and as a whole", async () => {
      const user = await models.User.create(ADA);
      user.profile!.city = "Paris";
      user.changed("profile", true);
      await user.save();
      expect((await user.reload()).profile).to.deep.equal({ city: "Paris", tags: ["math"] });
      user.set("profile.city" as never, "Rome" as never);
      await user.save();
      expect((await user.reload()).profile).to.deep.equal({ city: "Rome", tags: ["math"] });
      user.profile = { tags: [] };
      await user.save();
      expect((await user.reload()).profile).to.deep.equal({ tags: [] });
    });

    it("static update: with, without validation, returning, with individual hooks", async () => {
      const user = await models.User.create(ADA);
      const where = { id: user.id };
      await models.User.update({ email: "one@example.org" }, { where });
      await expectEmail(user.id, "one@example.org");
      await models.User.update({ email: "two@example.org" }, { where, validate: false });
      await expectEmail(user.id, "two@example.org");
      const [count, rows] = await models.User.update(
        { email: "three@example.org" },
        { where, returning: true },
      );
      expect(count).to.equal(1);
      expect(emails(rows)).to.deep.equal(["three@example.org"]);
      expect(rows[0]?.profile).to.deep.equal(ADA.profile);
      await models.User.update({ email: "four@example.org" }, { where, individualHooks: true });
      await expectEmail(user.id, "four@example.org");
    });

    it("bulkCreate with its options", async () => {
      const people = [1, 2, 3].map((i) => ({ ...ADA, email: `person${i}@example.org` }));
      for (const options of [
        {},
        { returning: false },
        { validate: true },
        { individualHooks: true },
        { returning: ["id"] as never },
      ]) {
        const users = await models.User.bulkCreate(people, options);
        expect(emails(users)).to.deep.equal(people.map(({ email }) => email));
        expect(users[1]?.profile).to.deep.equal(ADA.profile);
      }
      const all = await models.User.findAll({ order: ["id"] });
      expect(all).to.have.length(15);
      for (const user of all) await expectEmail(user.id, user.email!);
    });

    it("bulkCreate with updateOnDuplicate and ignoreDuplicates", async () => {
      const [user] = await models.User.bulkCreate([ADA]);
      const again = { ...ADA, id: user!.id, email: "again@example.org", name: "Again" };
      const [updated] = await models.User.bulkCreate([again], { updateOnDuplicate: ["email"] });
      expect(updated?.email).to.equal("again@example.org");
      await expectEmail(user!.id, "again@example.org");
      expect((await stored(user!.id)).name).to.equal("Ada");
      // A column that was not updated comes back as the database has it.
      const [other] = await models.User.bulkCreate([{ ...again, profile: { city: "Oslo" } }], {
        updateOnDuplicate: ["name"],
      });
      expect(other?.profile).to.deep.equal(ADA.profile);
      await models.User.bulkCreate([{ ...again, email: "ignored@example.org" }], {
        ignoreDuplicates: true,
      });
      await expectEmail(user!.id, "again@example.org");
    });

    it("create and bulkCreate with includes", async () => {
      const user = await models.User.create(
        { ...ADA, posts: [{ title: "One" }, { title: "Two" }] } as never,
        { include: [{ model: models.Post, as: "posts" }] },
      );
      expect(user.posts?.map((post) => post.title)).to.deep.equal(["One", "Two"]);
      await models.User.bulkCreate([{ ...ADA, posts: [{ title: "Three" }] }] as never, {
        include: [{ model: models.Post, as: "posts" }],
      });
      const posts = await models.Post.findAll({ order: ["id"] });
      expect(posts.map((post) => post.title)).to.have.members(["One", "Two", "Three"]);
    });

    it("upsert, inserting and updating", async () => {
      const [created] = await models.User.upsert({ ...ADA, id: 77 });
      expect(created.email).to.equal(ADA.email);
      const [updated] = await models.User.upsert({ ...ADA, id: 77, email: "upserted@example.org" });
      expect(updated.email).to.equal("upserted@example.org");
      expect(updated.profile).to.deep.equal(ADA.profile);
      await expectEmail(77, "upserted@example.org");
    });

    it("increment and decrement bring every column back in the clear", async () => {
      const user = await models.User.create(ADA);
      await user.increment("logins", { by: 2 });
      await user.decrement("logins");
      await user.reload();
      expect(user.logins).to.equal(1);
      const result = (await models.User.increment("logins", {
        where: { id: user.id },
      })) as unknown as [User[]][];
      const text = JSON.stringify(result);
      expect(text).to.not.match(/9V6h/);
      expect(text).to.include(ADA.email);
      await expectEmail(user.id, ADA.email);
    });

    it("findOrCreate, findCreateFind, findOrBuild", async () => {
      const where = { name: "Grace" };
      const defaults = { ...ADA, name: "Grace" };
      const [created, isNew] = await models.User.findOrCreate({ where, defaults });
      expect([created.email, isNew]).to.deep.equal([ADA.email, true]);
      const [found, isNewAgain] = await models.User.findOrCreate({ where, defaults });
      expect([found.email, isNewAgain]).to.deep.equal([ADA.email, false]);
      const [other] = await models.User.findCreateFind({
        where: { name: "Alan" },
        defaults: { ...defaults, name: "Alan" },
      });
      expect(other.email).to.equal(ADA.email);
      const [built] = await models.User.findOrBuild({ where: { name: "Edsger" }, defaults });
      await built.save();
      for (const user of [created, other, built]) await expectEmail(user.id, ADA.email);
    });

    it("paranoid destroy and restore", async () => {
      const user = await models.User.create(ADA);
      await user.destroy();
      expect(await models.User.findByPk(user.id)).to.equal(null);
      await expectEmail(user.id, ADA.email);
      await user.restore();
      expect((await models.User.findByPk(user.id))?.email).to.equal(ADA.email);
      expect(user.email).to.equal(ADA.email);
    });

    it("transactions, committed and rolled back", async () => {
      const user = await opened.sequelize.transaction((transaction) =>
        models.User.create(ADA, { transaction }),
      );
      await expectEmail(user.id, ADA.email);
      const rolledBack = opened.sequelize.transaction(async (transaction) => {
        await user.update({ email: "never@example.org" }, { transaction });
        throw new Error("roll back");
      });
      expect(await rolledBack.catch((error: Error) => error.message)).to.equal("roll back");
      await expectEmail(user.id, ADA.email);
    });

    it("validators and hooks see plaintext, and hooks may change it", async () => {
      const error = await models.User.create({ ...ADA, email: "no address" }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.instanceOf(ValidationError);
      const seen: unknown[] = [];
      const hooks = {
        beforeValidate: (user: User) => void seen.push(user.email),
        afterCreate: (user: User) => void seen.push(user.email),
        beforeSave: (user: User) => void (user.email = `${user.name}@example.org`),
        afterUpdate: (user: User) => void seen.push(user.email),
      };
      for (const [name, hook] of Object.entries(hooks))
        models.User.addHook(name as never, `seen-${name}`, hook as never);
      models.User.addHook(
        "afterFind",
        "seen-find",
        (found) => void seen.push((found as User | null)?.email),
      );
      const user = await models.User.create(ADA);
      await user.update({ name: "Lovelace" });
      await models.User.findOne();
      expect(seen).to.deep.equal([
        ADA.email,
        "Ada@example.org",
        "Ada@example.org",
        "Lovelace@example.org",
        "Lovelace@example.org",
        "Lovelace@example.org",
      ]);
      await expectEmail(user.id, "Lovelace@example.org");
      for (const name of [...Object.keys(hooks), "find"]) {
        models.User.removeHook((name === "find" ? "afterFind" : name) as never, `seen-${name}`);
      }
    });

    it("build with raw values, null, and the empty string where it is allowed", async () => {
      const built = models.User.build({ ...ADA, id: 5 }, { raw: true, isNewRecord: false });
      expect(built.email).to.equal(ADA.email);
      const user = await models.User.create({ ...ADA, email: null, profile: null, avatar: null });
      await expectEmail(user.id, null);
      const post = await models.Post.create({ title: "" });
      expect((await post.reload()).title).to.equal("");
    });

    it("fifty creates and finds at once", async () => {
      const users = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          models.User.create({ ...ADA, email: `p${i}@example.org` }),
        ),
      );
      const found = await Promise.all(users.map((user) => models.User.findByPk(user.id)));
      expect(emails(found as User[])).to.deep.equal(emails(users));
    });

    it("text that SQL would stumble over, through binds and through inlined values", async () => {
      const titles = [
        "$1 $$ :name ?",
        "'; DROP TABLE users; --",
        '\\ " ` %_',
        "naïve 🦭",
        "a\u2028b",
        "x".repeat(2 ** 20),
      ];
      const posts = [...(await models.Post.bulkCreate(titles.map((title) => ({ title }))))];
      for (const title of titles) posts.push(await models.Post.create({ title }));
      const found = await models.Post.findAll({
        order: ["id"],
        where: { id: posts.map((post) => post.id) },
      });
      expect(found.map((post) => post.title)).to.deep.equal([...titles, ...titles]);
    });
  });
}
