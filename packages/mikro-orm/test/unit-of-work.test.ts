// What MikroORM's change detection does with encrypted properties: nothing is encrypted, decrypted or written that
// need not be.
import { countOperations } from "@fieldseal/crypto/testing";
import { expect } from "chai";
import type { Person } from "./entities.ts";
import { onBothVersions, person } from "./suite.ts";

onBothVersions("The unit of work", (suite) => {
  const values = (): object => ({
    name: "Ada",
    profile: { tags: ["a"], deep: { n: 1 } },
    photo: Buffer.from("photo"),
    code: "AAEC",
    nickname: "n",
    city: "London",
    address: { street: "Main Street 1", zip: "8000" },
    card: { pin: "1234", note: "plain" },
    cards: [{ pin: "1" }, { pin: "2" }],
  });
  const ENCRYPTED = 6 + 2 + 1 + 2; // columns, inline embeddable, object, array

  async function insertOne(): Promise<number> {
    const em = suite.em();
    const one = em.create(suite.Person, person(values()));
    await em.persist(one).flush();
    suite.statements();
    return one.id;
  }

  it("decrypts a thousand values when it loads a thousand, and encrypts none", async () => {
    const { Pet } = suite;
    await suite.em().insertMany(
      Pet,
      Array.from({ length: 1000 }, (_, i) => ({ secret: `s${i}` }) as never),
    );
    const em = suite.em();
    const load = await countOperations(() => em.find(Pet, {}));
    expect(load.result).to.have.length(1000);
    expect(load.counts).to.deep.equal({ encryptions: 0, decryptions: 1000 });

    suite.statements();
    const untouched = await countOperations(() => em.flush());
    expect(untouched.counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
    expect(suite.statements()).to.deep.equal([]);

    load.result[500]!.secret = "changed";
    const one = await countOperations(() => em.flush());
    expect(one.counts).to.deep.equal({ encryptions: 1, decryptions: 0 });
    expect(suite.statements()).to.have.length(1);

    load.result.forEach((pet, i) => (pet.secret = `all ${i}`));
    const all = await countOperations(() => em.flush());
    expect(all.counts).to.deep.equal({ encryptions: 1000, decryptions: 0 });
    await suite.em().nativeDelete(Pet, {});
  });

  it("writes nothing after an insert, and encrypts each value once", async () => {
    const em = suite.em();
    const one = em.create(suite.Person, person(values()));
    const insert = await countOperations(() => em.persist(one).flush());
    expect(insert.counts).to.deep.equal({ encryptions: ENCRYPTED + 1, decryptions: 0 }); // and the e-mail address
    suite.statements();
    const again = await countOperations(() => em.flush());
    expect(again.counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
    expect(suite.statements()).to.deep.equal([]);
  });

  const ways: Record<string, (id: number) => Promise<{ flush(): Promise<void> }>> = {
    find: async (id) => {
      const em = suite.em();
      await em.find(suite.Person, { id });
      return em;
    },
    "a second find": async (id) => {
      const em = suite.em();
      await em.find(suite.Person, { id });
      await em.find(suite.Person, { id });
      return em;
    },
    refresh: async (id) => {
      const em = suite.em();
      const one = await em.findOneOrFail(suite.Person, { id });
      await em.refresh(one);
      return em;
    },
    "joined populate": async (id) => {
      await suite.em().insert(suite.Pet, { owner: id, secret: "x" } as never);
      const em = suite.em();
      await em.find(suite.Person, { id }, { populate: ["pets"] as never, strategy: "joined" });
      return em;
    },
    "populate by a second query": async (id) => {
      const em = suite.em();
      await em.find(suite.Person, { id }, { populate: ["pets"] as never, strategy: "select-in" });
      return em;
    },
    "a query builder's getResult": async (id) => {
      const em = suite.em();
      await em.createQueryBuilder(suite.Person).select("*").where({ id }).getResult();
      return em;
    },
    "a transaction": async (id) => {
      const em = suite.em();
      await em.transactional((inner) => inner.findOneOrFail(suite.Person, { id }));
      return em;
    },
    "a partial load": async (id) => {
      const em = suite.em();
      await em.findOneOrFail(suite.Person, { id }, { fields: ["id", "name"] as never });
      return em;
    },
    upsert: async (id) => {
      const em = suite.em();
      const { email } = (await suite.em().findOneOrFail(suite.Person, { id })) as Person;
      await em.upsert(suite.Person, { email, name: "Ada" } as never);
      return em;
    },
    "setting equal values": async (id) => {
      const em = suite.em();
      const one = (await em.findOneOrFail(suite.Person, { id })) as Person;
      Object.assign(one, {
        name: "Ada",
        profile: { deep: { n: 1 }, tags: ["a"] },
        photo: Buffer.from("photo"),
        code: "AAEC",
      });
      one.address.street = "Main Street 1";
      one.card!.pin = "1234";
      return em;
    },
  };

  for (const [name, load] of Object.entries(ways)) {
    it(`writes and encrypts nothing at a flush after ${name}`, async () => {
      const em = await load(await insertOne());
      suite.statements();
      const { counts } = await countOperations(() => em.flush());
      expect(suite.statements()).to.deep.equal([]);
      expect(counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
    });
  }

  const changes: Record<string, [(one: Person) => void, (one: Person) => unknown, unknown]> = {
    "a JSON value in place": [
      (one) => ((one.profile as { deep: { n: number } }).deep.n = 2),
      (one) => one.profile,
      { tags: ["a"], deep: { n: 2 } },
    ],
    "bytes in place": [
      (one) => (one.photo![0] = 0x50),
      (one) => Buffer.from(one.photo!).toString(),
      "Photo",
    ],
    "an inline embeddable": [
      (one) => (one.address.street = "Side Street 2"),
      (one) => one.address.street,
      "Side Street 2",
    ],
    "an embeddable stored as JSON": [(one) => (one.card!.pin = "9"), (one) => one.card!.pin, "9"],
    "an embeddable in an array": [
      (one) => (one.cards![1]!.pin = "9"),
      (one) => one.cards!.map(({ pin }) => pin),
      ["1", "9"],
    ],
    "a value to null": [(one) => (one.name = null), (one) => one.name, null],
    "a value to the empty string": [(one) => (one.name = ""), (one) => one.name, ""],
  };

  for (const [name, [change, read, expected]] of Object.entries(changes)) {
    it(`sees a change of ${name}, and writes that column alone`, async () => {
      const id = await insertOne();
      const em = suite.em();
      change((await em.findOneOrFail(suite.Person, { id })) as Person);
      suite.statements();
      await em.flush();
      const [update, ...more] = suite.statements().filter((line) => /update/.test(line));
      expect(more).to.deep.equal([]);
      expect(update).to.match(/"version" = "version" \+ 1|"version" = 2/);
      expect([...update!.matchAll(/"(\w+)" = '/g)]).to.have.length.at.most(1);
      const loaded = (await suite.em().findOneOrFail(suite.Person, { id })) as Person;
      expect(read(loaded)).to.deep.equal(expected);
    });
  }

  it("keeps an unsaved change when the entity is found again", async () => {
    const id = await insertOne();
    const em = suite.em();
    const one = (await em.findOneOrFail(suite.Person, { id })) as Person;
    one.name = "Unsaved";
    await em.find(suite.Person, { id });
    expect(one.name).to.equal("Unsaved");
    await em.flush();
    expect(((await suite.em().findOneOrFail(suite.Person, { id })) as Person).name).to.equal(
      "Unsaved",
    );
  });

  it("decrypts nothing of what is not selected", async () => {
    const id = await insertOne();
    const { counts } = await countOperations(() =>
      suite.em().findOneOrFail(suite.Person, { id }, { fields: ["id", "age"] as never }),
    );
    expect(counts.decryptions).to.equal(0);
  });

  it("serialises plaintext, as users expect, without tokens", async () => {
    const id = await insertOne();
    const one = await suite.em().findOneOrFail(suite.Person, { id });
    const json = JSON.parse(JSON.stringify(one)) as Record<string, unknown>;
    expect(json.name).to.equal("Ada");
    expect(json.address).to.deep.equal({ street: "Main Street 1", zip: "8000" });
    expect(json).not.to.have.property("nicknameIndex");
  });
});
