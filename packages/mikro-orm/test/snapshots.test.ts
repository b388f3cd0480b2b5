// Snapshots, which MikroORM makes at every flush of every managed entity: an untouched text keeps its cell.
import { expect } from "chai";
import type { EntityManager } from "./database.ts";
import type { Person } from "./entities.ts";
import { onBothVersions, person } from "./suite.ts";

/** Encrypted properties whose values are strings, outside of embeddables. */
const TEXTS = ["email", "name", "code", "nickname", "city"] as const;

onBothVersions("A snapshot", (suite) => {
  const insertOne = async (): Promise<number> => {
    const em = suite.em();
    const values = { name: "Ada", code: "AAEC", nickname: "n", city: "London", profile: { a: 1 } };
    const one = em.create(suite.Person, person({ ...values, photo: Buffer.from("photo") }));
    await em.persist(one).flush();
    return one.id;
  };
  const load = async (em: EntityManager): Promise<Person> =>
    em.findOneOrFail(suite.Person, { id: await insertOne() });
  const original = (one: Person): Record<string, unknown> =>
    suite.version.core.wrap(one, true).__originalEntityData as Record<string, unknown>;
  const snapshot = (em: EntityManager, one: Person): Record<string, unknown> =>
    em.getComparator().prepareEntity(one as never) as Record<string, unknown>;

  it("has the very cells of the last one for texts that nobody touched", async () => {
    const em = suite.em();
    const one = await load(em);
    const taken = snapshot(em, one);
    for (const name of TEXTS) {
      expect(taken[name], name).to.be.an("object");
      expect(taken[name] === original(one)[name], name).to.equal(true);
    }
  });

  it("has a new cell for a text that changed, and the same for one that was set to an equal text", async () => {
    const em = suite.em();
    const one = await load(em);
    one.name = "Grace";
    one.nickname = ["n"].join("");
    const taken = snapshot(em, one);
    expect(taken.name === original(one).name).to.equal(false);
    expect(taken.nickname === original(one).nickname).to.equal(true);
  });

  it("has a new cell once the last one was encrypted, so that nothing is written that was written before", async () => {
    const em = suite.em();
    const one = await load(em);
    const before = String(original(one).name);
    const taken = snapshot(em, one);
    expect(taken.name === original(one).name).to.equal(false);
    expect(String(taken.name) === before).to.equal(false);
  });

  it("has new cells for bytes and JSON, which may have changed in place", async () => {
    const em = suite.em();
    const one = await load(em);
    const { photo, profile } = original(one);
    const taken = snapshot(em, one);
    expect(taken.photo === photo).to.equal(false);
    expect(taken.profile === profile).to.equal(false);
  });

  it("converts a text where there is no last one, null, and raw SQL", async () => {
    const em = suite.em();
    const one = em.create(suite.Person, person({ name: "Ada", nickname: null }));
    const raw = suite.version.core.raw("null");
    one.city = raw as never;
    const taken = snapshot(em, one);
    expect(taken.name).to.be.an("object");
    expect(taken.nickname).to.equal(null);
    expect(taken.city).to.equal(raw);
  });

  it("is compiled with the cells at hand, in the code that MikroORM generates", () => {
    const comparator = suite.orm.em.getComparator() as unknown as Record<
      "getSnapshotGenerator" | "getEntityComparator",
      (entity: unknown) => unknown
    >;
    const { Person } = suite;
    const { class: entityClass, className } = suite.orm
      .getMetadata()
      .get(Person as never) as never as {
      class: unknown;
      className: string;
    };
    const entity = suite.version.number === 7 ? entityClass : className;
    const snapshots = String(comparator.getSnapshotGenerator(entity));
    const comparisons = String(comparator.getEntityComparator(entity));
    for (const name of TEXTS) {
      expect(snapshots).to.include(
        `ret.${name} = convertToDatabaseValue_${name}(entity.${name}, snapshot.${name});`,
      );
    }
    for (const name of [...TEXTS, "photo", "profile"]) {
      expect(comparisons).to.include(`(last.${name} !== current.${name} && !compareValues_`);
    }
  });
});
