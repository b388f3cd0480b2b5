// Kysely that MikroORM hands out without `convertValues`: values go into SQL as they are, so plaintext is refused.
import type { UnsupportedQueryError } from "@fieldseal/crypto";
import { expect } from "chai";
import { sql, type Kysely } from "kysely";
import { onBothVersions, person } from "./suite.ts";

type Any = Kysely<Record<string, Record<string, never>>>;

const SECRET = "kysely plaintext" as never;

onBothVersions("Kysely without convertValues", (suite) => {
  const kysely = (options?: object): Any =>
    (suite.em() as unknown as { getKysely(options?: object): Any }).getKysely(options);

  if (suite.version.number === 6) return; // version 6 has no Kysely

  type Attempt = (db: Any) => { execute(): Promise<unknown> };

  const refused: Record<string, Attempt> = {
    insert: (db) => db.insertInto("people").values({ email: SECRET }),
    "insert of several rows": (db) =>
      db.insertInto("people").values([{ age: 1 as never }, { age: 1 as never, name: SECRET }]),
    "insert of an expression": (db) =>
      db.insertInto("people").values({ name: sql`lower(${SECRET})` as never }),
    "insert of a literal": (db) => db.insertInto("people").values({ name: sql`'x'` as never }),
    "insert of JSON": (db) => db.insertInto("people").values({ profile: 42 as never }),
    "insert in WITH": (db) =>
      db
        .with("made", (inner) =>
          inner.insertInto("people").values({ name: SECRET }).returning("id"),
        )
        .selectFrom("made")
        .selectAll(),
    conflict: (db) =>
      db
        .insertInto("people")
        .values({ age: 1 as never })
        .onConflict((conflict) => conflict.column("email").doUpdateSet({ name: SECRET } as never)),
    update: (db) => db.updateTable("people").set({ name: SECRET }),
    "update with an alias": (db) => db.updateTable("people as p").set({ name: SECRET } as never),
    "insert, with the schema": (db) => db.insertInto("public.people").values({ name: SECRET }),
    "update, with the schema": (db) =>
      db.updateTable("public.people as p").set({ name: SECRET } as never),
    "where, with the schema": (db) =>
      db.selectFrom("public.people").selectAll().where("public.people.email", "=", SECRET),
    "schema of all tables": (db) =>
      db.withSchema("public").selectFrom("people").selectAll().where("people.email", "=", SECRET),
    "update by condition": (db) =>
      db
        .updateTable("people")
        .set({ age: 1 as never })
        .where("email", "=", SECRET),
    delete: (db) => db.deleteFrom("people").where("email", "=", SECRET),
    where: (db) => db.selectFrom("people").selectAll().where("email", "=", SECRET),
    like: (db) => db.selectFrom("people").selectAll().where("email", "like", SECRET),
    in: (db) => db.selectFrom("people").selectAll().where("email", "in", [SECRET]),
    alias: (db) => db.selectFrom("people as p").selectAll().where("p.email", "=", SECRET),
    "the other way round": (db) =>
      db
        .selectFrom("people")
        .selectAll()
        .where(({ eb, val, ref }) => eb(val(SECRET), "=", ref("email"))),
    function: (db) =>
      db
        .selectFrom("people")
        .selectAll()
        .where(({ eb, fn }) => eb(fn("lower", ["email"]), "=", SECRET)),
    join: (db) =>
      db
        .selectFrom("pets")
        .innerJoin("people", (join) =>
          join.onRef("people.id", "=", "pets.owner_id").on("people.email", "=", SECRET),
        )
        .select("pets.id"),
    subquery: (db) =>
      db
        .selectFrom("pets")
        .selectAll()
        .where("owner_id", "in", (inner) =>
          inner.selectFrom("people").select("id").where("email", "=", SECRET),
        ),
    case: (db) =>
      db
        .selectFrom("people")
        .select((eb) => eb.case("email").when(SECRET).then(1).else(0).end().as("x")),
    "a column under another name": (db) =>
      db
        .with("renamed", (inner) => inner.selectFrom("people").select("email as address"))
        .selectFrom("renamed")
        .selectAll()
        .where("address" as never, "=", SECRET),
    "one name for two columns": (db) =>
      db
        .with("renamed", (inner) => inner.selectFrom("people").select("email as address"))
        .with("other", (inner) => inner.selectFrom("people").select("age as address"))
        .selectFrom("renamed")
        .selectAll()
        .where("address" as never, "=", SECRET),
    "a derived table": (db) =>
      db
        .selectFrom((inner) => inner.selectFrom("people").selectAll().as("d"))
        .selectAll()
        .where("d.email", "=", SECRET),
  };

  /** And that no statement had the plaintext. */
  async function expectRefusal(action: () => Promise<unknown>, message: RegExp): Promise<void> {
    const error = await action().then(
      () => undefined,
      (reason: UnsupportedQueryError) => reason,
    );
    expect(error?.code, error?.message).to.equal("ERR_QUERY_UNSUPPORTED");
    expect(error?.message).to.match(message);
    expect(suite.statements().join("\n")).not.to.include(SECRET);
  }

  for (const [name, attempt] of Object.entries(refused)) {
    it(`refuses plaintext: ${name}`, async () => {
      for (const options of [undefined, { columnNamingStrategy: "property" }]) {
        await expectRefusal(
          async () => attempt(kysely(options)).execute(),
          /^Person\.\w+ is encrypted.*convertValues/,
        );
      }
    });
  }

  it("refuses it in transactions, and under names of properties and entities", async () => {
    const ways = [
      async () =>
        suite.em().transactional(async (em) => {
          const db = (em as unknown as { getKysely(): Any }).getKysely();
          await db.insertInto("people").values({ email: SECRET }).execute();
        }),
      async () =>
        kysely()
          .transaction()
          .execute(async (db) => db.updateTable("people").set({ name: SECRET }).execute()),
      async () =>
        kysely({ tableNamingStrategy: "entity", columnNamingStrategy: "property" })
          .updateTable("Person")
          .set({ name: SECRET })
          .execute(),
    ];
    for (const way of ways) {
      const error = await way().then(
        () => undefined,
        (reason: UnsupportedQueryError) => reason,
      );
      expect(error?.code, error?.message).to.equal("ERR_QUERY_UNSUPPORTED");
    }
  });

  it("is told by its name alone which table it is for, with a schema or without", async () => {
    const db = kysely({ convertValues: true });
    const row = { email: SECRET, version: 1 as never };
    await db.insertInto("public.people").values(row).execute();
    await db.updateTable("public.people").set({ name: SECRET }).where("age", "is", null).execute();
    const [stored] = await suite.database.query("select * from people where name is not null");
    expect([stored?.email, stored?.name].join()).to.match(/^9V6h[^,]+,9V6h[^,]+$/);
    const found = db.selectFrom("public.people").selectAll();
    expect(await found.where("public.people.email", "=", SECRET).execute()).to.have.length(1);
    const error = await found
      .where("public.people.name", "=", SECRET)
      .execute()
      .catch((reason: UnsupportedQueryError) => reason);
    expect(error).to.include({ code: "ERR_QUERY_UNSUPPORTED" });
    await suite.database.query("delete from people");
  });

  it("takes NULL, what encryptValue() and searchValues() give, columns, and plain columns", async () => {
    const { encryptValue, searchValues } = suite.version.adapter;
    const { Person } = suite;
    const em = suite.em() as never;
    const name = encryptValue(em, { entity: Person, property: "name" }, "Ada") as never;
    const email = encryptValue(em, { entity: Person, property: "email" }, "ada@k") as never;
    const photo = Buffer.from([1]);
    const bytes = encryptValue(em, { entity: Person, property: "photo" }, photo) as never;
    const db = kysely();
    await db
      .insertInto("people")
      .values({
        email,
        name,
        photo: bytes,
        code: null as never,
        age: 36 as never,
        version: 1 as never,
      })
      .onConflict((conflict) =>
        conflict
          .column("email")
          .doUpdateSet((eb) => ({ name: eb.ref("excluded.name" as never) }) as never),
      )
      .execute();
    const values = searchValues(em, { entity: Person, property: "email" }, "ada@k") as never[];
    const found = await db
      .selectFrom("people")
      .selectAll()
      .where("email", "in", values)
      .where("age", "=", 36 as never)
      .where("code", "is", null)
      .where(({ eb, fn }) => eb(fn("length", ["name"]), ">", 9 as never))
      .execute();
    expect(found).to.have.length(1);
    await db
      .updateTable("people")
      .set({
        name: sql.ref("name") as never,
        nickname: null as never,
        nickname_index: null as never,
      })
      .where("email", "=", email)
      .execute();
    const one = await suite.em().findOneOrFail(Person, { email: "ada@k" });
    expect([one.name, Buffer.from(one.photo!)]).to.deep.equal(["Ada", photo]);
    await suite.em().insert(Person, person());
    // A table of one's own that no entity has.
    await suite.database.query("create table own (name text)");
    await db
      .insertInto("own")
      .values({ name: "plain" as never })
      .execute();
    await db
      .selectFrom("own")
      .selectAll()
      .where("name", "=", "plain" as never)
      .execute();
  });

  const inBoth: Record<string, Attempt> = {
    "a document": (db) => db.updateTable("people").set({ card: { pin: SECRET } as never }),
    "a document as text": (db) =>
      db.insertInto("people").values({ cards: JSON.stringify([{ pin: SECRET }]) as never }),
    "a plain column's values": (db) =>
      db.updateTable("people").set(({ ref }) => ({ name: ref("age") }) as never),
    "another encrypted column's values": (db) =>
      db
        .updateTable("people")
        .set(({ fn, ref }) => ({ name: fn.coalesce(ref("code"), ref("name")) }) as never),
    "a plain column in place of a document": (db) =>
      db.updateTable("people").set(({ ref }) => ({ card: ref("age") }) as never),
    "what a conflict excluded, of another column": (db) =>
      db
        .insertInto("people")
        .values({ age: 1 as never })
        .onConflict((conflict) =>
          conflict
            .column("email")
            .doUpdateSet((eb) => ({ name: eb.ref("excluded.age" as never) }) as never),
        ),
    sorting: (db) => db.selectFrom("people").selectAll().orderBy("people.name", "desc"),
    grouping: (db) => db.selectFrom("people as p").select("p.email").groupBy("p.email"),
  };
  for (const [name, attempt] of Object.entries(inBoth)) {
    it(`refuses, with convertValues too: ${name}`, async () => {
      for (const options of [undefined, { convertValues: true }]) {
        await expectRefusal(
          async () => attempt(kysely(options)).execute(),
          /^Person\.[\w.]+ is encrypted/,
        );
      }
    });
  }

  it("takes a document's own column, null and plain parts of it", async () => {
    const db = kysely();
    await db
      .updateTable("people")
      .set(({ ref }) => ({ card: ref("card"), cards: null, age: ref("version") }) as never)
      .where(({ eb, ref }) => eb(ref("card", "->>").key("note" as never), "=", "n" as never))
      .execute();
    await db.selectFrom("people").select("age").groupBy("age").orderBy("age").execute();
  });

  it("refuses to write a value and leave its tokens as they are", async () => {
    const { encryptValue, searchValues } = suite.version.adapter;
    const reference = { entity: suite.Person, property: "nickname" };
    const em = suite.em() as never;
    const id = (await suite.em().insert(suite.Person, person({ nickname: "old" }))) as number;
    const stored = encryptValue(em, reference, "new") as never;
    const [token] = searchValues(em, reference, "new") as never[];
    const converting = kysely({ convertValues: true });
    const attempts = [
      () => kysely().updateTable("people").set({ nickname: stored }),
      () =>
        kysely()
          .updateTable("people")
          .set({ nickname: null as never }),
      () => converting.updateTable("people").set({ nickname: "new" as never }),
      () => converting.insertInto("people").values({ nickname: "new" as never }),
      () =>
        kysely()
          .insertInto("people")
          .values({ age: 1 as never })
          .onConflict((conflict) =>
            conflict.column("email").doUpdateSet({ nickname: stored } as never),
          ),
    ];
    for (const attempt of attempts) {
      const error = await attempt()
        .execute()
        .then(
          () => undefined,
          (reason: UnsupportedQueryError) => reason,
        );
      expect(error?.code, error?.message).to.equal("ERR_QUERY_UNSUPPORTED");
      expect(error?.message).to.match(/^Person\.nickname has a blind index.*"nicknameIndex"/);
    }
    await converting
      .updateTable("people")
      .set({ nickname: "new" as never, nickname_index: token as never })
      .where("id", "=", id as never)
      .execute();
    const ids = async (nickname: string): Promise<number[]> =>
      (await suite.em().find(suite.Person, { nickname })).map((one) => one.id);
    expect([await ids("new"), await ids("old")]).to.deep.equal([[id], []]);
    expect(await suite.em().count(suite.Person, { nickname: "old" })).to.equal(0);
  });
});
