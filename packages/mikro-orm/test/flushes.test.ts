// Nothing is written, encrypted or decrypted at a flush after whatever else an entity went through; and a batch
// writes of each entity what changed in it.
import { countOperations } from "@fieldseal/crypto/testing";
import { expect } from "chai";
import type { EntityManager } from "./database.ts";
import type { Person } from "./entities.ts";
import { onBothVersions, person } from "./suite.ts";

interface Values {
  name: string;
  profile: { tags: string[]; deep: { n: number } };
  photo: Buffer;
  address: { street: string; zip: string };
  card: { pin: string; note: string };
  cards: { pin: string }[];
}

const values = (): Values => ({
  name: "Ada",
  profile: { tags: ["a"], deep: { n: 1 } },
  photo: Buffer.from("photo"),
  address: { street: "Main Street 1", zip: "8000" },
  card: { pin: "1234", note: "plain" },
  cards: [{ pin: "1" }, { pin: "2" }],
});

onBothVersions("A flush", (suite) => {
  async function insertOne(): Promise<{ id: number; email: string }> {
    const em = suite.em();
    const one = em.create(suite.Person, person({ ...values(), nickname: "n", city: "London" }));
    await em.persist(one).flush();
    await suite.em().insert(suite.Pet, { owner: one.id, secret: "x" } as never);
    return { id: one.id, email: one.email };
  }

  const row = async (id: number): Promise<Record<string, unknown>> => {
    const [found] = await suite.database.query("select * from people where id = $1", [id]);
    return found!;
  };
  const load = (em: EntityManager, id: number, options: object = {}): Promise<Person & Values> =>
    em.findOneOrFail(suite.Person, { id }, options as never) as never;

  /** Changes one of each kind. */
  function change(one: Person & Values): void {
    one.name = "changed";
    one.profile.deep.n = 8;
    one.photo[0] = 2;
    one.address.zip = "9000";
    one.card.pin = "9";
    one.cards[0]!.pin = "9";
  }

  type Way = (em: EntityManager, known: { id: number; email: string }) => unknown;
  const ways: Record<string, Way> = {
    "an own flush": async (em, { id }) => {
      change(await load(em, id));
      await em.flush();
    },
    "a transaction's change of an entity that was loaded before": async (em, { id }) => {
      await load(em, id);
      await em.transactional(async (inner) => change(await load(inner as EntityManager, id)));
    },
    "refresh of a changed entity": async (em, { id }) => {
      const one = await load(em, id);
      change(one);
      await em.refresh(one);
    },
    "finding again with refresh": async (em, { id }) => {
      await load(em, id);
      await load(em, id, { refresh: true });
    },
    "merge of data": async (em, { id, email }) =>
      em.merge(suite.Person, { id, email, version: 1, ...values() } as never),
    "merge of data over a loaded entity": async (em, { id, email }) => {
      await load(em, id);
      em.merge(suite.Person, { id, email, version: 1, ...values() } as never);
    },
    "merge of what the database holds": async (em, { id }) => {
      const { email, name, profile, photo, code } = await row(id);
      const data = { id, email, name, profile, photo, code, version: 1 };
      em.merge(suite.Person, data as never, { convertCustomTypes: true });
    },
    "merge of a detached entity": async (em, { id }) => {
      const other = suite.em();
      const one = await load(other, id, { populate: ["pets"] });
      other.clear();
      em.merge(one);
    },
    "map of a row": async (em, { id }) => em.map(suite.Person, (await row(id)) as never),
    "map of a row over a loaded entity": async (em, { id }) => {
      await load(em, id);
      em.map(suite.Person, (await row(id)) as never);
    },
    "a fork that kept its entities": async (em, { id }) => {
      await load(em, id);
      return em.fork({ clear: false });
    },
    "init of a reference": async (em, { id }) => {
      await suite.version.core.wrap(em.getReference(suite.Person, id as never)).init();
    },
    "populate of a relation and of collections": async (em, { id }) => {
      const pet = await em.findOneOrFail(suite.Pet, { owner: id } as never);
      await em.populate([pet], ["owner", "owner.pets"] as never);
    },
    "operations on a collection": async (em, { id }) => {
      const { pets } = (await load(em, id)) as never as {
        pets: Record<"init" | "loadItems" | "loadCount" | "removeAll", () => Promise<unknown>>;
      };
      await pets.init();
      await pets.loadItems();
      await pets.loadCount();
    },
    "a change of JSON, seen and taken back": async (em, { id }) => {
      const one = await load(em, id);
      one.profile.deep.n = 2;
      em.getUnitOfWork().computeChangeSets();
      one.profile.deep.n = 1;
    },
    "a change of bytes that was taken back": async (em, { id }) => {
      const { photo } = await load(em, id);
      const [before] = photo;
      photo[0] = 0;
      photo[0] = before!;
    },
    "equal embeddables in place of others": async (em, { id }) => {
      const { address, card, cards } = values();
      Object.assign(await load(em, id), { address, card, cards });
    },
    "assign of equal values": async (em, { id }) => {
      em.assign(await load(em, id), values() as never);
    },
    "assign of equal values, merged": async (em, { id }) => {
      const one = await load(em, id);
      const merging = { mergeObjectProperties: true, mergeEmbeddedProperties: true };
      em.assign(one, values() as never, merging);
    },
    "upsert of data": async (em, { email }) =>
      em.upsert(suite.Person, { ...values(), email } as never),
    "upsert of data over a loaded entity": async (em, { id, email }) => {
      await load(em, id);
      await em.upsert(suite.Person, { ...values(), email } as never);
    },
    "upsert of an entity": async (em, { email }) => {
      const data = { ...values(), email, version: 1 };
      await em.upsert(em.create(suite.Person, data as never));
    },
    "upsertMany over a loaded entity": async (em, { id, email }) => {
      await load(em, id);
      await em.upsertMany(suite.Person, [{ email, name: "Ada" } as never]);
    },
    "two partial loads": async (em, { id }) => {
      await load(em, id, { fields: ["id", "name", "address.street", "card"] });
      await load(em, id, { fields: ["id", "profile", "address.zip"] });
    },
    "serialisation of all kinds": async (em, { id }) => {
      const { serialize, wrap } = suite.version.core;
      const one = await load(em, id, { populate: ["pets"] });
      serialize(one, { populate: ["*"] as never });
      serialize(one, { convertCustomTypes: true });
      wrap(one).toObject();
      wrap(one).toPOJO();
      JSON.stringify(one);
    },
    locks: async (em, { id }) => {
      const { LockMode } = suite.version.core;
      await em.transactional(async (inner) => {
        const lockMode = LockMode.PESSIMISTIC_WRITE;
        const one = await load(inner as EntityManager, id, { lockMode });
        await inner.lock(one, LockMode.OPTIMISTIC, 1);
      });
    },
    "a stream, in version 7": async (em, { id }) => {
      const { stream } = em as unknown as { stream?(...all: unknown[]): AsyncIterable<unknown> };
      for await (const _ of stream?.call(em, suite.Person, { where: { id } }) ?? []) continue;
    },
    "a result from the cache": async (em, { id }) => {
      await load(suite.em(), id, { cache: 10_000, populate: ["pets"] });
      await load(em, id, { cache: 10_000, populate: ["pets"] });
    },
    "em.insert of an entity": async (em) => {
      await em.insert(em.create(suite.Person, person({ ...values(), version: 1 })));
    },
  };

  for (const [name, way] of Object.entries(ways)) {
    it(`writes, encrypts and decrypts nothing after ${name}`, async () => {
      const known = await insertOne();
      const em = suite.em();
      const other = await way(em, known);
      const used = other instanceof suite.version.core.EntityManager ? other : em;
      suite.statements();
      const { counts } = await countOperations(() => used.flush());
      expect(suite.statements()).to.deep.equal([]);
      expect(counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
    });
  }

  it("of several entities writes of each what changed in it, and leaves the rest", async () => {
    const changes: ((one: Person & Values) => void)[] = [
      (one) => (one.age = 7),
      (one) => (one.card.pin = "changed"),
      (one) => (one.cards[1]!.pin = "changed"),
      (one) => (one.address.street = "changed"),
      (one) => (one.name = "changed"),
      (one) => (one.profile.tags[0] = "changed"),
      (one) => (one.photo[0] = 0x50),
    ];
    const em = suite.em();
    const all: (Person & Values)[] = [];
    for (const _ of changes) all.push(await load(em, (await insertOne()).id));
    const expected = all.map((one, i) => {
      changes[i]!(one);
      return JSON.stringify(one);
    });
    suite.statements();
    const { counts } = await countOperations(() => em.flush());
    expect(suite.statements().filter((line) => line.includes("update "))).to.have.length(1);
    expect(counts).to.deep.equal({ encryptions: 1 + 2 + 4, decryptions: 0 });
    for (const [i, { id }] of all.entries()) {
      const loaded = JSON.parse(JSON.stringify(await load(suite.em(), id))) as object;
      const known = JSON.parse(expected[i]!) as object;
      expect(loaded).to.deep.equal({ ...known, version: 2 });
    }
  });
});
