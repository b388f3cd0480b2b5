import { Keyring, generateRootKey, type UnsupportedQueryError } from "@fieldseal/crypto";
import { expect } from "chai";
import { searchValues } from "../src/index.ts";
import type { Person } from "./entities.ts";
import { connect, type EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

onBothVersions("Search", (suite) => {
  const emails = { ada: "ada@example.org", bob: "bob@example.org", cyd: "cyd@example.org" };

  before(async () => {
    for (const [i, name] of (["ada", "bob", "cyd"] as const).entries()) {
      const id = (await suite.em().insert(
        suite.Person,
        person({
          email: emails[name],
          name,
          nickname: i === 2 ? null : `Nick ${name}`,
          city: ["London", "Paris", null][i],
          address: { street: "s", zip: `800${i}` },
        }),
      )) as number;
      await suite.em().insert(suite.Pet, { owner: id, secret: `pet of ${name}` } as never);
    }
  });

  async function find(where: object): Promise<string[]> {
    const found = await suite.em().find(suite.Person, where as never, { orderBy: { id: "asc" } });
    return found.map(({ name }) => name as string);
  }

  const questions: Record<string, [() => object, string[]]> = {
    "a value": [() => ({ email: emails.ada }), ["ada"]],
    $eq: [() => ({ email: { $eq: emails.ada } }), ["ada"]],
    $ne: [() => ({ email: { $ne: emails.ada } }), ["bob", "cyd"]],
    $in: [() => ({ email: { $in: [emails.ada, emails.cyd] } }), ["ada", "cyd"]],
    "a list": [() => ({ email: [emails.ada, emails.cyd] }), ["ada", "cyd"]],
    $nin: [() => ({ email: { $nin: [emails.ada, emails.cyd] } }), ["bob"]],
    $or: [() => ({ $or: [{ email: emails.ada }, { email: emails.bob }] }), ["ada", "bob"]],
    $not: [() => ({ $not: { email: emails.ada } }), ["bob", "cyd"]],
    "an embeddable's value": [() => ({ address: { zip: "8001" } }), ["bob"]],
    "an index": [() => ({ nickname: "nick ADA" }), ["ada"]],
    "an index by $in": [() => ({ nickname: { $in: ["Nick ada", "nick bob"] } }), ["ada", "bob"]],
    "an index by a list": [() => ({ nickname: ["Nick ada", "none"] }), ["ada"]],
    "an index by $ne": [() => ({ nickname: { $ne: "nick ada" } }), ["bob"]],
    "an index inside $or": [
      () => ({ $or: [{ nickname: "nick ada" }, { nickname: null }] }),
      ["ada", "cyd"],
    ],
    "an index and null": [() => ({ nickname: null }), ["cyd"]],
    "an index that must not be null": [() => ({ nickname: { $ne: null } }), ["ada", "bob"]],
    "two conditions": [() => ({ nickname: "nick ada", email: emails.ada }), ["ada"]],
    "a short index": [() => ({ city: "Paris" }), ["bob"]],
    "a short index by $ne": [() => ({ city: { $ne: "Paris" } }), ["ada"]],
    "a short index by $in": [() => ({ city: { $in: ["Paris", "London"] } }), ["ada", "bob"]],
    "a short index inside $or": [
      () => ({ $or: [{ city: "Paris" }, { email: emails.cyd }] }),
      ["bob", "cyd"],
    ],
    "a short index without a match": [() => ({ city: "Berlin" }), []],
  };

  for (const [name, [where, expected]] of Object.entries(questions)) {
    it(`answers ${name}`, async () => {
      const condition = where();
      expect(await find(condition)).to.deep.equal(expected);
      expect(await suite.em().count(suite.Person, condition as never)).to.equal(expected.length);
      expect(condition, "the condition is not changed").to.deep.equal(where());
      expect(suite.statements().join("\n")).not.to.match(/example\.org|Nick |nick ada|Paris/);
    });
  }

  it("goes through relations", async () => {
    for (const owner of [{ email: emails.bob }, { nickname: "nick bob" }, { city: "Paris" }]) {
      const pets = await suite.em().find(suite.Pet, { owner } as never);
      expect(pets.map(({ secret }) => secret)).to.deep.equal(["pet of bob"]);
    }
  });

  it("works in query builders, and refuses short indexes there", async () => {
    const builder = async (where: object) =>
      suite
        .em()
        .createQueryBuilder(suite.Person, "p")
        .select("*")
        .where(where as never)
        .getResult();
    expect(await builder({ email: emails.bob })).to.have.length(1);
    expect(await builder({ "p.email": { $ne: emails.bob } })).to.have.length(2);
    expect(await builder({ nickname: "NICK bob" })).to.have.length(1);
    expect(await builder({ "p.nickname": ["nick ada", "nick bob"] })).to.have.length(2);
    expect((await refusal(() => builder({ city: "Paris" })))!.message).to.include("em.find");
  });

  it("serves update and delete by condition", async () => {
    for (const where of [{ email: emails.ada }, { nickname: "nick ada" }, { city: "London" }]) {
      expect(await suite.em().nativeUpdate(suite.Person, where as never, { age: 5 })).to.equal(1);
    }
    await suite.em().insert(suite.Person, person({ nickname: "gone", city: "Gone" }));
    await suite.em().insert(suite.Person, person({ nickname: "gone too", city: "Gone" }));
    expect(await suite.em().nativeDelete(suite.Person, { nickname: "GONE" })).to.equal(1);
    expect(await suite.em().nativeDelete(suite.Person, { city: "Gone" })).to.equal(1);
  });

  it("finds by a unique deterministic value, also with findOne and upsert", async () => {
    expect((await suite.em().findOneOrFail(suite.Person, { email: emails.cyd })).name).to.equal(
      "cyd",
    );
    await suite.em().upsert(suite.Person, { email: emails.cyd, age: 77 } as never);
    expect((await suite.em().findOneOrFail(suite.Person, { email: emails.cyd })).age).to.equal(77);
  });

  async function refusal(ask: () => Promise<unknown>): Promise<UnsupportedQueryError | undefined> {
    return Promise.resolve()
      .then(ask)
      .then(
        () => undefined,
        (error: UnsupportedQueryError) => {
          expect(error.code, error.message).to.equal("ERR_QUERY_UNSUPPORTED");
          return error;
        },
      );
  }

  const refused: Record<string, (em: EntityManager) => Promise<unknown>> = {
    "a column that is not searchable": (em) => em.find(suite.Person, { name: "ada" }),
    "$in on it": (em) => em.find(suite.Person, { name: { $in: ["ada"] } }),
    "$like on a deterministic column": (em) => em.find(suite.Person, { email: { $like: "a%" } }),
    "$gt on an index": (em) => em.find(suite.Person, { nickname: { $gt: "a" } }),
    "$like on a short index": (em) => em.find(suite.Person, { city: { $like: "a%" } }),
    "$hasKey on a JSON column": (em) =>
      em.find(suite.Person, { settings: { $hasKey: "ada" } } as never),
    "$hasSomeKeys on a column": (em) =>
      em.find(suite.Person, { name: { $hasSomeKeys: ["ada"] } } as never),
    "an embeddable's value that is not searchable": (em) =>
      em.find(suite.Person, { address: { street: "s" } } as never),
    "a value inside of an embeddable stored as JSON": (em) =>
      em.find(suite.Person, { card: { pin: "1" } } as never),
    "a document as text": (em) => em.find(suite.Person, { card: '{"pin":"1234"}' } as never),
    "a list of documents as text": (em) =>
      em.find(suite.Person, { cards: '[{"pin":"1234"}]' } as never),
    "documents as texts": (em) => em.find(suite.Person, { cards: ['{"pin":"1234"}'] } as never),
    "documents as texts, in a join": (em) =>
      em.find(suite.Pet, {}, {
        populate: ["owner"],
        populateWhere: { owner: { card: { $eq: '{"pin":"1234"}' } } },
        strategy: "select-in",
      } as never),
    "a list of documents, in a query builder": (em) =>
      em
        .createQueryBuilder(suite.Person)
        .where({ cards: [{ pin: "1234" }] } as never)
        .getResult(),
    "$eq of a document as text": (em) =>
      em.find(suite.Person, { card: { $eq: '{"pin":"1234"}' } } as never),
    "$eq of a list of documents": (em) =>
      em.find(suite.Person, { cards: { $eq: [{ pin: "1234" }] } } as never),
    "$ne of a list of documents": (em) =>
      em.find(suite.Pet, { owner: { cards: { $ne: [{ pin: "1234" }] } } } as never),
    "a value of a relation": (em) =>
      em.find(suite.Person, { pets: { secret: "pet of bob" } } as never),
    "sorting by a column": (em) => em.find(suite.Person, {}, { orderBy: { name: "asc" } }),
    "sorting by a deterministic one": (em) =>
      em.find(suite.Person, {}, { orderBy: { email: "asc" } }),
    "sorting by an embeddable's value": (em) =>
      em.find(suite.Person, {}, { orderBy: { address: { zip: "asc" } } as never }),
    "sorting by a relation's value": (em) =>
      em.find(suite.Pet, {}, { orderBy: { owner: { name: "asc" } } as never }),
    "a cursor over one": (em) =>
      em.findByCursor(suite.Person, { first: 2, orderBy: { name: "asc" } } as never),
    "grouping by one": (em) =>
      em.createQueryBuilder(suite.Person).select("name").groupBy("name").execute(),
    "deleting by one": (em) => em.nativeDelete(suite.Person, { name: "ada" }),
    "updating by one": (em) => em.nativeUpdate(suite.Person, { name: "ada" }, { age: 1 }),
    "a query builder's where": (em) =>
      em.createQueryBuilder(suite.Person).select("*").where({ name: "ada" }).getResult(),
  };

  for (const [name, question] of Object.entries(refused)) {
    it(`refuses ${name}, instead of finding nothing`, async () => {
      let ask = question;
      // Version 6 takes the entity for findByCursor as an argument of its own.
      if (name === "a cursor over one" && suite.version.number === 6) {
        ask = ((em: EntityManager) =>
          (em.findByCursor as unknown as (...all: unknown[]) => Promise<unknown>)(
            suite.Person,
            {},
            { first: 2, orderBy: { name: "asc" } },
          )) as never;
      }
      const error = await refusal(() => ask(suite.em()));
      expect(error, "was answered").to.be.an("error");
      expect(error!.message).to.match(/^(Person|Pet|Address|Card)\.\w+ (is|holds) encrypted/);
      expect(error!.message).not.to.match(/ada|pet of bob|1234/);
    });
  }

  it("refuses sub-queries, instead of taking them for values", async () => {
    for (const property of ["email", "nickname", "city", "settings", "name"]) {
      const em = suite.em();
      const query = em.createQueryBuilder(suite.Person, "s").select(property as never);
      const native = query as unknown as Record<string, (() => unknown) | undefined>;
      const inner = (native.getKnexQuery ?? native.getNativeQuery)!.call(query);
      const operands = [query, inner, { $in: query }, { $in: inner }, { $nin: [query] }];
      for (const operand of operands) {
        const where = { [property]: operand } as never;
        const asking = [
          () => em.find(suite.Person, where),
          () => em.createQueryBuilder(suite.Person).select("*").where(where).getResult(),
        ];
        for (const ask of asking) {
          expect((await refusal(async () => ask()))?.message).to.match(/is encrypted/);
        }
      }
    }
  });

  it("finds values of previous keys, while keys rotate", async () => {
    const rotated = suite.keyring.add(generateRootKey());
    const next = rotated.promote(rotated.keys.find(({ status }) => status === "enabled")!.id);
    const orm = await connect(suite.version, suite.database, suite.all, { keyring: next });
    try {
      const em = orm.em.fork() as EntityManager;
      await em.insert(
        suite.Person,
        person({ email: "dan@example.org", name: "dan", nickname: "Nick dan", city: "Paris" }),
      );
      const ask = async (where: object): Promise<unknown[]> => {
        const found = (await em
          .fork()
          .find(suite.Person, where as never, { orderBy: { id: "asc" } })) as Person[];
        return found.map(({ name }) => name);
      };
      expect(await ask({ email: [emails.ada, "dan@example.org"] })).to.deep.equal(["ada", "dan"]);
      expect(await ask({ email: { $in: [emails.ada, "dan@example.org"] } })).to.deep.equal([
        "ada",
        "dan",
      ]);
      expect(await ask({ email: "dan@example.org" })).to.deep.equal(["dan"]);
      expect(await ask({ email: { $ne: "dan@example.org" } })).to.deep.equal(["ada", "bob", "cyd"]);
      expect(await ask({ email: { $nin: [emails.ada, "dan@example.org"] } })).to.deep.equal([
        "bob",
        "cyd",
      ]);
      expect(await ask({ nickname: ["nick ada", "nick dan"] })).to.deep.equal(["ada", "dan"]);
      expect(await ask({ city: "Paris" })).to.deep.equal(["bob", "dan"]);
      expect(await ask({ address: { zip: "8001" } })).to.deep.equal(["bob"]);
      await em.nativeDelete(suite.Person, { email: "dan@example.org" });
    } finally {
      await orm.close(true);
    }
  });

  it("gives terms for SQL of one's own", async () => {
    const { adapter } = suite.version;
    const em = suite.em();
    const email = { entity: suite.Person, property: "email" };
    const [term] = adapter.searchValues(em as never, email, emails.ada);
    const [row] = await suite.database.query("select name from people where email = $1", [term]);
    const name = { entity: suite.Person, property: "name" };
    expect(adapter.decryptValue(em as never, name, row!.name as string)).to.equal("ada");
    const sealed = adapter.encryptValue(em as never, name, "new") as string;
    expect(adapter.decryptValue(em as never, name, sealed)).to.equal("new");
    expect(adapter.encryptValue(em as never, name, null)).to.equal(null);
    expect(() => adapter.encryptValue(em as never, { ...name, property: "age" }, 1)).to.throw(
      "Person.age",
    );
    expect(searchValues).to.be.a("function");
  });

  it("cannot be fooled by another keyring", async () => {
    const keyring = Keyring.fromKey(generateRootKey());
    const orm = await connect(suite.version, suite.database, suite.all, { keyring });
    const em = orm.em.fork() as EntityManager;
    expect(await em.find(suite.Person, { email: emails.ada })).to.deep.equal([]);
    const error = await em.find(suite.Person, {}).then(
      () => undefined,
      (reason: { code?: string }) => reason,
    );
    expect(error?.code).to.equal("ERR_KEY_UNKNOWN");
    await orm.close(true);
  });
});
