// SQL of the user's own in place of a value of an encrypted property, or around its column: nothing encrypts it.
import type { UnsupportedQueryError } from "@fieldseal/crypto";
import { expect } from "chai";
import type { EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

const SECRET = "raw plaintext";

onBothVersions("raw() on encrypted properties", (suite) => {
  const { raw, sql } = suite.version.core;
  let id: number;

  before(async () => {
    const one = { email: "raw@example.org", name: "Ada", nickname: "A", city: "Bonn", age: 36 };
    const card = { pin: "1", note: null };
    id = (await suite.em().insert(suite.Person, person({ ...one, card }))) as number;
  });

  type Attempt = (em: EntityManager, given: never) => unknown;

  /** Fails unless each of them is refused before SQL is made. */
  async function expectRefusals(
    attempts: Readonly<Record<string, Attempt>>,
    given: () => unknown,
    message: RegExp,
  ): Promise<void> {
    for (const [name, attempt] of Object.entries(attempts)) {
      const error = await Promise.resolve()
        .then(() => attempt(suite.em(), given() as never))
        .then(
          () => undefined,
          (reason: UnsupportedQueryError) => reason,
        );
      expect(error?.code, `${name}: ${error?.message}`).to.equal("ERR_QUERY_UNSUPPORTED");
      expect(error?.message, name).to.match(message).and.not.include(SECRET);
      expect(suite.statements().join("\n"), name).not.to.include(SECRET);
    }
  }

  const writes: Record<string, Attempt> = {
    insert: (em, name) => em.insert(suite.Person, person({ name })),
    insertMany: (em, name) => em.insertMany(suite.Person, [person(), person({ name })]),
    nativeUpdate: (em, name) => em.nativeUpdate(suite.Person, { id }, { name }),
    upsert: (em, name) => em.upsert(suite.Person, person({ name })),
    upsertMany: (em, name) => em.upsertMany(suite.Person, [person({ name })]),
    "flush of a new entity": (em, name) =>
      em.persist(em.create(suite.Person, person({ name }))).flush(),
    "flush of a change": async (em, name) => {
      const one = await em.findOneOrFail(suite.Person, { id });
      one.name = name;
      await em.flush();
    },
    "a query builder's insert": (em, name) =>
      em.createQueryBuilder(suite.Person).insert(person({ name })).execute(),
    "a query builder's update": (em, name) =>
      em.createQueryBuilder(suite.Person).update({ name }).where({ id }).execute(),
    "a query builder's merge": (em, name) =>
      em
        .createQueryBuilder(suite.Person)
        .insert(person({ id, version: 1 }))
        .onConflict("id")
        .merge({ name })
        .execute(),
  };

  it("is not stored, however it is written", async () => {
    const message = /Person\.name is encrypted and cannot be set by raw SQL.*encryptValue\(\)/;
    await expectRefusals(writes, () => raw(`'${SECRET}'`), message);
    await expectRefusals(writes, () => raw("lower(?)", [SECRET]), message);
    await expectRefusals(writes, () => sql`${SECRET}`, message);
    await expectRefusals(writes, () => raw("nickname"), message);
  });

  it("is not stored under a column's name, in an embeddable or in place of one", async () => {
    const { Person } = suite;
    const update = (em: EntityManager, data: object): unknown =>
      em.nativeUpdate(Person, { id }, data as never);
    await expectRefusals(
      {
        column: (em, value) => update(em, { address_street: value }),
        inline: (em, value) => update(em, { address: { street: value } }),
        document: (em, value) => update(em, { card: { pin: value, note: null } }),
        "whole document": (em, value) => update(em, { card: value }),
        "list of documents": (em, value) => update(em, { cards: [{ pin: value }] }),
      },
      () => raw("?", [SECRET]),
      /Person\.\w+|Address\.street|Card\.pin/,
    );
  });

  it("is not stored as JSON text in place of a document", async () => {
    const { Person } = suite;
    const update = (em: EntityManager, data: object): unknown =>
      em.nativeUpdate(Person, { id }, data as never);
    await expectRefusals(
      {
        document: (em, value) => update(em, { card: value }),
        "list of documents": (em, value) => update(em, { cards: value }),
        "in a list": (em, value) => update(em, { cards: [value] }),
        insertMany: (em, value) => em.insertMany(Person, [person({ card: value })]),
        upsert: (em, value) => em.upsert(Person, person({ card: value })),
        "query builder": (em, value) =>
          em.createQueryBuilder(Person).update({ card: value }).where({ id }).execute(),
      },
      () => JSON.stringify({ pin: SECRET }),
      /Person\.cards?\.pin|Card\.pin/,
    );
  });

  it("is not stored as what an object gives for JSON", async () => {
    class Form {
      readonly value = SECRET;
      toJSON(): object {
        return { pin: this.value, note: "open" };
      }
    }
    const em = suite.em();
    const { id: other } = await em.upsert(suite.Person, person({ card: new Form() }));
    await em.nativeUpdate(suite.Person, { id: other }, { cards: [new Form()] } as never);
    const rows = await suite.database.query("select card, cards from people where id = $1", [
      other,
    ]);
    expect(JSON.stringify(rows)).to.include("open").and.not.include(SECRET);
    const { card, cards } = await suite.em().findOneOrFail(suite.Person, other);
    expect([card!.pin, cards![0]!.pin]).to.deep.equal([SECRET, SECRET]);
  });

  it("is not compared with", async () => {
    const { Person, Pet } = suite;
    const select = (em: EntityManager, where: unknown): unknown =>
      em
        .createQueryBuilder(Person, "p")
        .select("*")
        .where(where as never)
        .execute();
    await expectRefusals(
      {
        find: (em, email) => em.find(Person, { email }),
        "no search": (em, name) => em.find(Person, { name }),
        "blind index": (em, nickname) => em.find(Person, { nickname }),
        "short index": (em, city) => em.find(Person, { city }),
        "short index, negated": (em, city) => em.find(Person, { city: { $ne: city } }),
        "short index, count": (em, city) => em.count(Person, { city }),
        $or: (em, email) => em.find(Person, { $or: [{ email: { $eq: email } }] }),
        $in: (em, email) => em.find(Person, { email: { $in: ["x", email] } }),
        list: (em, email) => em.find(Person, { email: ["x", email] } as never),
        $like: (em, email) => em.find(Person, { email: { $like: email } }),
        embeddable: (em, zip) => em.find(Person, { address: { zip } }),
        document: (em, pin) => em.find(Person, { card: { pin } }),
        "whole document": (em, card) => em.find(Person, { card }),
        relation: (em, email) => em.find(Pet, { owner: { email } }),
        column: (em, value) => em.find(Person, { address_street: value } as never),
        nativeDelete: (em, email) => em.nativeDelete(Person, { email }),
        nativeUpdate: (em, email) => em.nativeUpdate(Person, { email }, { age: 1 }),
        findOneOrFail: (em, email) => em.findOneOrFail(Person, { email }),
        populateWhere: (em, secret) =>
          em.find(Person, {}, { populate: ["pets"], populateWhere: { pets: { secret } } } as never),
        "query builder": (em, email) => select(em, { email }),
        "query builder with an alias": (em, email) => select(em, { "p.email": email }),
      },
      () => raw("?", [SECRET]),
      /(Person|Pet|Address|Card)\.\w+ (is encrypted|holds encrypted)/,
    );
  });

  it("is not put around the column in a key, with a value to compare", async () => {
    const keys: [string, () => string][] = [
      ["call", () => raw("lower(email)")],
      ["capitals", () => raw("lower(EMAIL)")],
      ["alias", () => raw((alias: string) => `${alias}.email`)],
      ["quoted", () => raw('"email"')],
      ["template", () => sql`trim(email)` as never],
      ["identifier as a parameter", () => raw("lower(??)", ["email"])],
    ];
    for (const [name, key] of keys) {
      await expectRefusals(
        {
          find: (em) => em.find(suite.Person, { [key()]: SECRET } as never),
          operator: (em) => em.find(suite.Person, { [key()]: { $like: SECRET } } as never),
          $and: (em) => em.find(suite.Person, { $and: [{ [key()]: [SECRET] }] } as never),
          "query builder": (em) =>
            em
              .createQueryBuilder(suite.Person)
              .where({ [key()]: SECRET } as never)
              .execute(),
          relation: (em) => em.find(suite.Pet, { owner: { [key()]: SECRET } } as never),
        },
        () => undefined,
        /Person\.email is encrypted and cannot be compared inside of raw SQL/,
      );
      expect(name).to.be.a("string");
    }
  });

  it("is not put around the column of a joined entity in a key, with a value to compare", async () => {
    const keys: [string, () => string][] = [
      ["alias", () => raw("o.email")],
      ["call", () => raw("lower(O.Email)")],
      ["quoted", () => raw('"o" . "email"')],
      ["template", () => sql`trim(o.email)` as never],
      ["identifier as a parameter", () => raw("lower(??)", ["o.email"])],
      ["no alias", () => raw("lower(email)")],
    ];
    for (const [name, key] of keys) {
      const joined = (em: EntityManager): { where(where: unknown): { execute(): unknown } } =>
        em.createQueryBuilder(suite.Pet, "p").select("*").leftJoin("p.owner", "o") as never;
      await expectRefusals(
        {
          [name]: (em) =>
            joined(em)
              .where({ [key()]: SECRET })
              .execute(),
          [`${name}, $and`]: (em) =>
            joined(em)
              .where({ $and: [{ [key()]: { $like: SECRET } }] })
              .execute(),
        },
        () => undefined,
        /Person\.email is encrypted and cannot be compared inside of raw SQL/,
      );
    }
    // What an alias says is believed: pets have no encrypted age, and people none that is secret.
    const found = await suite
      .em()
      .createQueryBuilder(suite.Pet, "p")
      .select("*")
      .leftJoin("p.owner", "o")
      .where({ [raw("o.age")]: -1 } as never)
      .execute();
    expect(found).to.deep.equal([]);
  });

  it("is taken for NULL, and around other columns", async () => {
    const { Person } = suite;
    const other = (await suite.em().insert(Person, person({ name: "x", nickname: "n" }))) as number;
    const values = { name: raw("null"), nickname: raw(" NULL ") };
    await suite.em().nativeUpdate(Person, { id: other }, values as never);
    const [row] = await suite.database.query(`select * from people where id = ${other}`);
    expect(row).to.include({ name: null, nickname: null, nickname_index: null });
    const find = (where: object): Promise<unknown[]> => suite.em().find(Person, where as never);
    expect(await find({ [raw("age + 1")]: 37 })).to.have.length(1);
    expect(await find({ [raw("length(email) > 0")]: [], id })).to.have.length(1);
    expect(await find({ [raw("lower(email)")]: null })).to.have.length(0);
    expect(await find({ age: raw("30 + 6") })).to.have.length(1);
  });
});
