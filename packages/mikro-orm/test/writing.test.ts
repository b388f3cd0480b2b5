import { expect } from "chai";
import { countOperations } from "@fieldseal/crypto/testing";
import type { Person } from "./entities.ts";
import { onBothVersions, person, type Suite } from "./suite.ts";

const CODE = Buffer.from("bytes that nobody else has").toString("base64");

onBothVersions("Writing", (suite) => {
  /** What a plain client sees of a person. */
  async function stored(id: number): Promise<Record<string, unknown>> {
    const [row] = await suite.database.query("select * from people where id = $1", [id]);
    return row!;
  }

  async function load(id: number): Promise<Person> {
    return suite.em().findOneOrFail(suite.Person, id as never) as Promise<Person>;
  }

  const values = (): Record<string, unknown> => ({
    name: "Ada of Lovelace",
    profile: { a: [1, { b: null }], ü: "ß" },
    photo: Buffer.from([0, 255, 1]),
    code: CODE,
    nickname: "The Countess",
    age: 36,
  });

  function expectValues(loaded: Person): void {
    expect(loaded.name).to.equal("Ada of Lovelace");
    expect(loaded.profile).to.deep.equal({ a: [1, { b: null }], ü: "ß" });
    expect(Buffer.from(loaded.photo!)).to.deep.equal(Buffer.from([0, 255, 1]));
    expect(loaded.code).to.equal(CODE);
    expect(loaded.nickname).to.equal("The Countess");
  }

  async function expectSealed(id: number): Promise<void> {
    const row = await stored(id);
    for (const column of ["email", "name", "profile", "code", "nickname"]) {
      expect(row[column], column).to.match(/^9V6h/);
    }
    expect((row.photo as Buffer).subarray(0, 3).toString("hex")).to.equal("f55ea1");
    expect(row.nickname_index).to.match(/^[0-9a-f]{64}$/);
  }

  const ways: Record<string, (suite: Suite) => Promise<number>> = {
    "persist and flush": async ({ em, Person }) => {
      const manager = em();
      const one = manager.create(Person, person(values()));
      await manager.persist(one).flush();
      return one.id;
    },
    "a flush of several": async ({ em, Person }) => {
      const manager = em();
      const all = [1, 2, 3].map(() => manager.create(Person, person(values())));
      await manager.persist(all).flush();
      return all[1]!.id;
    },
    insert: async ({ em, Person }) => em().insert(Person, person(values())) as Promise<number>,
    insertMany: async ({ em, Person }) => {
      const [first] = await em().insertMany(Person, [person(values()), person(values())]);
      return first as number;
    },
    "upsert of data": async ({ em, Person }) => (await em().upsert(Person, person(values()))).id,
    "upsert of an entity": async ({ em, Person }) => {
      const manager = em();
      return (await manager.upsert(manager.create(Person, person(values())))).id;
    },
    upsertMany: async ({ em, Person }) => {
      const all = await em().upsertMany(Person, [person(values()), person(values())]);
      return all[1]!.id;
    },
    "upsert of a row that exists": async ({ em, Person }) => {
      const data = person(values()) as { email: string };
      const manager = em();
      await manager.insert(Person, person({ email: data.email, name: "old" }));
      return (await em().upsert(Person, data as never)).id;
    },
    nativeUpdate: async ({ em, Person }) => {
      const id = (await em().insert(Person, person())) as number;
      await em().nativeUpdate(Person, { id }, values() as never);
      return id;
    },
    "a query builder's insert": async ({ em, Person }) => {
      const data = { ...(person(values()) as { email: string }), version: 1 };
      await em()
        .createQueryBuilder(Person)
        .insert(data as never)
        .execute("run");
      return (await em().findOneOrFail(Person, { email: data.email })).id;
    },
    "a query builder's update": async ({ em, Person }) => {
      const id = (await em().insert(Person, person())) as number;
      await em()
        .createQueryBuilder(Person)
        .update(values() as never)
        .where({ id })
        .execute();
      return id;
    },
    "a query builder's insert on conflict, merging names": async ({ em, Person }) => {
      const data = { ...(person(values()) as { email: string }), version: 1 };
      await em().insert(Person, person({ email: data.email, name: "old", nickname: "old" }));
      const names = ["name", "profile", "photo", "code", "nickname"];
      const builder = em()
        .createQueryBuilder(Person)
        .insert(data as never);
      await builder
        .onConflict("email")
        .merge(names as never)
        .execute();
      const found = await em().findOneOrFail(Person, { email: data.email });
      return found.id;
    },
    "a query builder's insert on conflict, merging values": async ({ em, Person }) => {
      const { email } = person() as { email: string };
      await em().insert(Person, person({ email, name: "old", nickname: "old" }));
      const builder = em()
        .createQueryBuilder(Person)
        .insert({ email, version: 1 } as never);
      await builder
        .onConflict("email")
        .merge(values() as never)
        .execute();
      const found = await em().findOneOrFail(Person, { email });
      return found.id;
    },
    "assign, in a transaction": async ({ em, Person }) => {
      const id = (await em().insert(Person, person())) as number;
      await em().transactional(async (manager) => {
        const one = await manager.findOneOrFail(Person, { id });
        manager.assign(one, values() as never);
      });
      return id;
    },
    merge: async ({ em, Person }) => {
      const data = person(values()) as object;
      const id = (await em().insert(Person, { ...data, name: "old" } as never)) as number;
      const manager = em();
      const one = manager.merge(Person, { ...data, id, name: "old", version: 1 } as never);
      (one as { name: string }).name = "Ada of Lovelace";
      await manager.flush();
      return id;
    },
  };

  for (const [name, write] of Object.entries(ways)) {
    it(`${name}: stores ciphertext and tokens, and reads back equal`, async () => {
      const id = await write(suite);
      await expectSealed(id);
      expectValues(await load(id));
      const found = await suite.em().find(suite.Person, { nickname: "THE countess" });
      expect(found.map((one) => one.id)).to.include(id);
      // Texts that base64 cannot hold by chance.
      const log = suite.statements().join("\n");
      for (const text of ["Ada of", "he Countess", CODE]) expect(log).not.to.include(text);
    });
  }

  it("keeps tokens in step when a value changes, and clears them with it", async () => {
    const id = (await suite.em().insert(suite.Person, person({ nickname: "one" }))) as number;
    const em = suite.em();
    const one = await em.findOneOrFail(suite.Person, { id });
    one.nickname = "two";
    await em.flush();
    await em.flush();
    expect(await suite.em().count(suite.Person, { id, nickname: "one" })).to.equal(0);
    expect(await suite.em().count(suite.Person, { id, nickname: "two" })).to.equal(1);
    one.nickname = null;
    await em.flush();
    expect((await stored(id)).nickname_index).to.equal(null);
  });

  it("writes a token with its value alone, so that one of another time does no harm", async () => {
    const id = (await suite.em().insert(suite.Person, person({ nickname: "one" }))) as number;
    const em = suite.em();
    const one = await em.findOneOrFail(suite.Person, { id });
    one.nickname = "two";
    await em.flush();
    // Still with the token of its first value, as MikroORM gives it to whoever asks for a copy.
    const { nickname, nicknameIndex } = suite.version.core.wrap(one).toPOJO() as Person;
    for (const values of [
      { nickname, nicknameIndex },
      { nicknameIndex: null, age: 3 },
    ]) {
      const other = suite.em();
      other.assign(await other.findOneOrFail(suite.Person, { id }), values as never);
      await other.flush();
      expect(await suite.em().count(suite.Person, { id, nickname: "two" })).to.equal(1);
    }
    expect((await suite.em().findOneOrFail(suite.Person, { id })).age).to.equal(3);
  });

  it("rolls back, and encrypts anew what is flushed again", async () => {
    const em = suite.em();
    const one = em.create(suite.Person, person({ name: "first" }));
    em.persist(one);
    await em
      .transactional(async (inner) => {
        await inner.flush();
        throw new Error("back");
      })
      .catch(() => {});
    expect(await suite.em().count(suite.Person, { email: one.email })).to.equal(0);
  });

  it("does not mix values of flushes that run at once", async () => {
    const ids = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const em = suite.em();
        const one = em.create(suite.Person, person({ name: `name ${i}`, profile: { i } }));
        await em.persist(one).flush();
        return one.id;
      }),
    );
    const loaded = await Promise.all(ids.map(load));
    expect(loaded.map(({ name }) => name)).to.deep.equal(ids.map((_, i) => `name ${i}`));
  });

  it("refuses values of another type, naming the property and not the value", async () => {
    const error = await suite
      .em()
      .insert(suite.Person, person({ name: 4711 }))
      .then(
        () => undefined,
        (reason: Error & { code?: string }) => reason,
      );
    expect(error?.code).to.equal("ERR_VALUE_TYPE");
    expect(error?.message).to.include("Person.name").and.not.include("4711");
  });

  it("honours optimistic locks", async () => {
    const id = (await suite.em().insert(suite.Person, person({ name: "a" }))) as number;
    const [first, second] = [suite.em(), suite.em()];
    const one = await first.findOneOrFail(suite.Person, { id });
    const same = await second.findOneOrFail(suite.Person, { id });
    one.name = "b";
    await first.flush();
    same.name = "secret of the loser";
    const error = await second.flush().then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.name).to.equal("OptimisticLockError");
    expect(String(error?.stack) + error?.message).not.to.include("secret of the loser");
    expect((await load(id)).name).to.equal("b");
  });

  it("encrypts each value once, however it is written", async () => {
    const rows = Array.from({ length: 50 }, () => person({ name: "n", nickname: "k" }));
    const { counts } = await countOperations(() => suite.em().insertMany(suite.Person, rows));
    expect(counts).to.deep.equal({ encryptions: 150, decryptions: 0 });
  });
});
