// What MikroORM says about entities and conditions: in messages, in `console.log`.
import { inspect } from "node:util";
import { expect } from "chai";
import type { EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

const SECRET = "nobody must read this";

onBothVersions("Redaction", (suite) => {
  async function failure(ask: (em: EntityManager) => Promise<unknown>): Promise<Error> {
    const error = await ask(suite.em()).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).to.be.an("error");
    return error!;
  }

  it("names what was not found, without the values that were looked for", async () => {
    const where = {
      email: SECRET,
      age: { $gt: 30 },
      $or: [{ nickname: { $in: [SECRET] } }, { address: { zip: SECRET } }],
      pets: { id: 7 },
    };
    for (const options of [{}, { strict: true }]) {
      const { message } = await failure((em) =>
        em.findOneOrFail(suite.Person, where as never, options),
      );
      expect(message).to.include("Person").and.include("email: [encrypted]");
      expect(message).to.include("'$gt': 30").and.not.include(SECRET);
    }
  });

  it("gives the user's handlers the same", async () => {
    const seen: unknown[] = [];
    const failHandler = (name: string, where: unknown): Error => {
      seen.push(where);
      return new Error(`${name}: ${JSON.stringify(where)}`);
    };
    const error = await failure((em) =>
      em.findOneOrFail(suite.Person, { email: { $ne: null, $eq: SECRET } }, {
        failHandler,
      } as never),
    );
    expect(error.message).to.equal('Person: {"email":{"$ne":null,"$eq":"[encrypted]"}}');
    expect(seen).to.have.length(1);
  });

  it("quotes the shape of a condition or a list that MikroORM refuses, without its values", async () => {
    const conditions = [{ $all: [SECRET] }, { $elemMatch: { $eq: SECRET } }];
    for (const card of conditions) {
      const { message } = await failure((em) => em.find(suite.Person, { card } as never));
      expect(message).not.to.include(SECRET);
    }
  });

  it("quotes nothing of what cannot be assigned to a relation", async () => {
    const { Person, Pet } = suite;
    const given: Record<string, (em: EntityManager) => unknown> = {
      "Person.pets": (em) =>
        em.assign(em.create(Person, person()), { pets: [[{ secret: SECRET }]] } as never),
      "Pet.owner": (em) =>
        em.assign(em.create(Pet, {} as never), { owner: [{ name: SECRET }] } as never),
    };
    for (const [name, assign] of Object.entries(given)) {
      const { message, stack } = await failure(async (em) => assign(em));
      expect(message).to.include(`Invalid`).and.include(name);
      expect(stack).not.to.include(SECRET);
    }
  });

  it("keeps primary keys and raw conditions in messages", async () => {
    expect((await failure((em) => em.findOneOrFail(suite.Person, 987_654))).message).to.include(
      "987654",
    );
  });

  it("prints entities and embeddables without encrypted values", async () => {
    const em = suite.em();
    const one = em.create(
      suite.Person,
      person({
        name: SECRET,
        profile: { of: SECRET },
        age: 36,
        address: { street: SECRET, zip: null },
        card: { pin: SECRET, note: "a note" },
        cards: [{ pin: SECRET, note: "another" }],
      }),
    );
    await em.persist(one).flush();
    const loaded = await suite.em().findOneOrFail(suite.Person, { id: one.id });
    for (const entity of [one, loaded]) {
      const text = inspect(entity, { depth: 9 });
      expect(text).not.to.include(SECRET);
      expect(text).to.include("name: [encrypted]").and.include("age: 36").and.include("a note");
      expect(inspect(entity.address)).to.include("[encrypted]").and.not.include(SECRET);
      expect(entity.name).to.equal(SECRET);
    }
    loaded.card = { pin: SECRET, note: null };
    expect(inspect(loaded, { depth: 9 })).not.to.include(SECRET);
  });

  it("prints entities without encrypted properties as MikroORM does", () => {
    const pet = suite.em().create(suite.Pet, { secret: null } as never);
    expect(inspect(pet)).to.include("secret: null");
  });

  it("keeps the entity of an error out of what a log would write of it", async () => {
    const em = suite.em();
    const one = em.create(suite.Person, person({ name: SECRET, address: { street: SECRET } }));
    await em.persist(one).flush();
    await suite.em().nativeUpdate(suite.Person, { id: one.id }, { version: 7 });
    one.age = 1;
    const { LockMode } = suite.version.core;
    const errors = [
      await failure(() => em.flush()),
      await failure(() => em.lock(one, LockMode.OPTIMISTIC, 99)),
      await failure((other) =>
        other.persist(other.create(suite.Person, { name: SECRET } as never)).flush(),
      ),
    ];
    for (const error of errors) {
      // As loggers do that copy an error's own properties.
      const text = [
        JSON.stringify(error),
        JSON.stringify({ ...error }),
        inspect(error),
        error.stack,
      ];
      expect(text.join("\n")).not.to.include(SECRET);
      const { name } = (error as unknown as { getEntity(): { name: string } }).getEntity();
      expect(name).to.equal(SECRET);
    }
  });

  it("keeps a value of another type out of the message that names its property", async () => {
    const given = 493_128_977;
    const shapes = [
      { email: given },
      { address: { zip: given } },
      { card: { pin: given } },
      { cards: [{ pin: given }] },
    ];
    for (const shape of shapes) {
      const { message } = await failure(async (em) => {
        const one = em.create(suite.Person, person());
        em.assign(one, shape as never);
        await em.persist(one).flush();
      });
      expect(message)
        .to.match(/email|zip|pin/)
        .and.not.include(given);
    }
    const { message } = await failure(async (em) => {
      em.assign(em.create(suite.Person, person()), { age: "old" } as never);
    });
    expect(message).to.include("'old'");
  });

  it("keeps an object that is no entity out of the message of its collection", async () => {
    const { message } = await failure(async (em) => {
      em.create(suite.Person, person()).pets.add({ secret: SECRET });
    });
    expect(message).to.include(".pets").and.not.include(SECRET);
  });

  it("keeps a missing property's message free of the others' values", async () => {
    const { message } = await failure(async (em) =>
      em.persist(em.create(suite.Person, { name: SECRET } as never)).flush(),
    );
    expect(message).to.include("Person.email").and.not.include(SECRET);
  });
});
