// Every way to write and read, with a marker in each value; then the marker is looked for wherever a thief, an
// operator or a log collector could look.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { col, fn, literal, Op, where } from "sequelize";
import {
  findIn,
  findInServer,
  logEverything,
  skipUnlessSearchable,
} from "../../../test/support/leak-search.ts";
import { encryptValue } from "../src/index.ts";
import { openDatabase, type Opened } from "./database.ts";
import { ADA, defineModels, type Models } from "./models.ts";

const MARKER = `marker${randomBytes(12).toString("hex")}`;
const CONTROL = `control${randomBytes(12).toString("hex")}`;
const email = (name: string): string => `${name}-${MARKER}@example.org`;

describe("plaintext under Sequelize", () => {
  let opened: Opened;
  let models: Models;
  const errors: unknown[] = [];
  const key = generateRootKey();

  before(async function () {
    this.timeout(120_000);
    opened = await openDatabase(Keyring.fromKey(key));
    await logEverything(opened.database);
    models = defineModels(opened.sequelize, "encrypted", {
      blindIndex: { column: "email_index", bits: 12, normalize: "email" },
    });
    await opened.sequelize.sync();
    await drive();
    await opened.database.query("ANALYZE");
  });
  after(() => opened.close());

  /** Runs what may fail, and keeps the error for the search. */
  async function attempt(action: () => Promise<unknown>): Promise<void> {
    await action().catch((error: unknown) => errors.push(error));
  }

  async function drive(): Promise<void> {
    const { User, Post, Tag } = models;
    const person = {
      ...ADA,
      email: email("ada"),
      profile: { city: `city-${MARKER}`, tags: [MARKER] },
      avatar: Buffer.from(`avatar-${MARKER}`),
    };
    const user = await User.create(person);
    await User.bulkCreate(
      Array.from({ length: 200 }, (_, i) => ({ ...person, email: email(`p${i}`) })),
    );
    await User.bulkCreate([{ ...person, id: user.id, email: email("dup") }], {
      updateOnDuplicate: ["email", "profile"],
    });
    await User.upsert({ ...person, id: user.id, email: email("upserted") });
    await user.update({ email: email("updated"), profile: { city: MARKER } });
    await User.update(
      { email: email("static") },
      { where: { email: email("p1") }, returning: true },
    );
    await User.findOrCreate({ where: { email: email("found") }, defaults: person });
    await User.findCreateFind({ where: { email: email("found") }, defaults: person });
    await User.findAll({
      where: { email: [email("p2"), email("p3")] },
      include: [{ model: Post, as: "posts" }],
    });
    await User.count({ where: { [Op.not]: { email: email("p4") } } });
    await User.increment("logins", { where: { email: email("p5") } });
    await User.destroy({ where: { email: email("p6") } });
    const post = await Post.create({ title: `title-${MARKER}`, UserId: user.id });
    const tag = await Tag.create({ label: `label-${MARKER}` });
    await post.addTag(tag, { through: { note: `note-${MARKER}` } });
    await Post.findAll({
      include: [
        { model: User, where: { email: email("updated") } },
        { model: Tag, as: "tags" },
      ],
    });
    await opened.sequelize.getQueryInterface().bulkInsert("tags", [{ label: `seed-${MARKER}` }]);
    const stored = encryptValue(User, "email", email("raw"));
    await opened.sequelize.query("UPDATE users SET email_address = :stored WHERE id = :id", {
      replacements: { stored, id: user.id },
    });
    await user.reload();
    expect(user.email).to.equal(email("raw"));

    await attempt(() => User.create({ ...person, email: MARKER }));
    await attempt(() => User.bulkCreate([{ ...person, email: MARKER }], { validate: true }));
    await attempt(() => User.create({ ...person, email: [MARKER] as never }));
    await attempt(() => User.create({ ...person, profile: { bad: [MARKER, undefined] } as never }));
    await attempt(() => User.create({ ...person, id: user.id }));
    await attempt(() => User.findAll({ where: { email: { [Op.like]: `%${MARKER}%` } } }));
    await attempt(() => User.findAll({ where: { email: { [Op.startsWith]: MARKER } } }));
    await attempt(() => User.findAll({ where: { "profile.city": MARKER } as never }));
    await attempt(() => User.findAll({ where: { profile: { city: MARKER } } as never }));
    await attempt(() => User.findAll({ where: where(fn("lower", col("email_address")), MARKER) }));
    await attempt(() => User.findAll({ where: where(col("email_address"), MARKER) as never }));
    await attempt(() =>
      User.update(
        { email: literal("1/0") as never },
        { where: { email: email("p7") }, validate: false },
      ),
    );
    await attempt(() =>
      User.update(
        { logins: "no number" as never, email: email("fails") },
        { where: { id: user.id } },
      ),
    );
    await attempt(() => opened.sequelize.query("SELECT 1/0", { replacements: {} }));
    expect(errors.length).to.equal(14);
  }

  it("is in no statement that was logged, with its parameters", () => {
    expect(opened.log.length).to.be.greaterThan(30);
    expect(
      findIn("the log of statements", Buffer.from(opened.log.join("\n")), MARKER),
    ).to.deep.equal([]);
  });

  it("is in nothing that DEBUG=* prints, benchmarks included", async function () {
    this.timeout(60_000);
    const script = fileURLToPath(new URL("debug-child.ts", import.meta.url));
    const parameters = [script, opened.database.url, key, MARKER];
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@fieldseal/source", ...parameters],
      { env: { ...process.env, DEBUG: "*" } },
    );
    expect(stderr.match(/sequelize:/g)?.length ?? 0).to.be.greaterThan(30);
    expect(findIn("DEBUG", Buffer.from(stdout + stderr), MARKER)).to.deep.equal([]);
  });

  it("is in no error: inspected, as JSON, in its stack", () => {
    for (const error of errors) {
      const text = [
        inspect(error, { depth: 20 }),
        JSON.stringify(error),
        (error as Error).stack,
        String((error as Error).cause),
      ].join("\n");
      expect(findIn((error as Error).message, Buffer.from(text), MARKER)).to.deep.equal([]);
    }
  });

  it("is nowhere in the server: its log, statistics, data files and write-ahead log", async function () {
    skipUnlessSearchable(this, opened.database);
    this.timeout(120_000);
    expect(await findInServer(opened.database, MARKER)).to.deep.equal([]);
  });

  it("would be found there, if it were (control)", async function () {
    skipUnlessSearchable(this, opened.database);
    this.timeout(120_000);
    const run = (sql: string): Promise<unknown> => opened.sequelize.query(sql, { logging: false });
    await run(
      `CREATE TABLE control AS SELECT '${CONTROL}'::text AS a FROM generate_series(1, 100)`,
    );
    await run(`SELECT '${Buffer.from(`..${CONTROL}`).toString("base64")}'`);
    await opened.database.query("ANALYZE control");
    const places = (await findInServer(opened.database, CONTROL)).join("\n");
    expect(places).to.include("statistics");
    expect(places).to.include("the server's log (UTF-8)");
    expect(places).to.include("the server's log (base64 at 2)");
    expect(places).to.include("pg_wal");
    expect(places).to.match(/\/base\/\d+\/\d+ \(UTF-8\)/);
  });
});
