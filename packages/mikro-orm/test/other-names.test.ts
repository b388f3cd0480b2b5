// Names under which MikroORM passes values to SQL without a look at the property: columns and paths.
import type { UnsupportedQueryError } from "@fieldseal/crypto";
import { expect } from "chai";
import { connect, createSchema, type EntityManager, type MikroORM } from "./database.ts";
import { onBothVersions } from "./suite.ts";

const SECRET = "nobody must read this";

onBothVersions("Other names of encrypted properties", (suite) => {
  let orm: MikroORM;
  let Note: never;
  let log: string[] = [];

  before(async () => {
    const { adapter, core } = suite.version;
    const text = (fieldName: string): object => ({
      type: new adapter.EncryptedType({ deterministic: true }),
      fieldName,
      nullable: true,
    });
    const Place = new core.EntitySchema({
      name: "Place",
      embeddable: true,
      properties: { street: text("street") },
    } as never);
    Note = new core.EntitySchema({
      name: "Note",
      tableName: "notes",
      properties: {
        id: { type: "integer", primary: true, autoincrement: true },
        fullText: text("full_text"),
        place: { kind: "embedded", entity: () => Place, nullable: true },
        document: { kind: "embedded", entity: () => Place, object: true, nullable: true },
      },
    } as never) as never;
    orm = await connect(suite.version, suite.database, [Place, Note], {
      keyring: suite.keyring,
      debug: ["query", "query-params"],
      logger: (line: string) => log.push(line),
    });
    await createSchema(orm);
    const em = orm.em.fork() as EntityManager;
    await em.insert(Note, { id: 1, fullText: SECRET, place: { street: SECRET } } as never);
  });
  after(() => orm.close(true));

  type Attempt = (em: EntityManager) => unknown;
  // With conditions and data that the types of neither version allow.
  interface Builder {
    select(fields: unknown): Builder;
    insert(data: unknown): Builder;
    update(data: unknown): Builder;
    where(condition: unknown): Builder;
    onConflict(field: string): Builder;
    merge(data: unknown): Builder;
    groupBy(field: string): Builder;
    orderBy(order: unknown): Builder;
    having(condition: unknown): Builder;
    execute(): Promise<unknown>;
  }
  const builder = (em: EntityManager): Builder =>
    em.createQueryBuilder(Note, "n") as unknown as Builder;
  const column = { full_text: SECRET } as never;

  const attempts: Record<string, Attempt> = {
    "insert by column": (em) => em.insert(Note, column),
    "insertMany by column": (em) => em.insertMany(Note, [{ fullText: "x" } as never, column]),
    "insertMany by path": (em) => em.insertMany(Note, [{}, { "place.street": SECRET }] as never),
    "upsertMany by path": (em) =>
      em.upsertMany(Note, [{ id: 1 }, { id: 2, "document.street": SECRET }] as never),
    "nativeUpdate by column": (em) => em.nativeUpdate(Note, { id: 1 } as never, column),
    "upsert by column": (em) => em.upsert(Note, { id: 1, full_text: SECRET } as never),
    "find by column": (em) => em.find(Note, column),
    "find by column, inside of $or": (em) => em.find(Note, { $or: [column] } as never),
    "delete by column": (em) => em.nativeDelete(Note, column),
    "a query builder's insert by column": (em) => builder(em).insert(column).execute(),
    "a query builder's update by column": (em) => builder(em).update(column).execute(),
    "a query builder's update by alias": (em) =>
      builder(em).update({ "n.fullText": SECRET }).execute(),
    "a query builder's update by path": (em) =>
      builder(em).update({ "place.street": SECRET }).execute(),
    "a query builder's update by path into a document": (em) =>
      builder(em).update({ "document.street": SECRET }).execute(),
    "a query builder's merge by column": (em) =>
      builder(em).insert({ id: 1 }).onConflict("id").merge(column).execute(),
    "a query builder's merge by path": (em) =>
      builder(em).insert({ id: 1 }).onConflict("id").merge({ "place.street": SECRET }).execute(),
    "a query builder's where by column": (em) => builder(em).select("*").where(column).execute(),
    "a query builder's where by alias and column": (em) =>
      builder(em).select("*").where({ "n.full_text": SECRET }).execute(),
    "a query builder's where by table": (em) =>
      builder(em).update({ id: 1 }).where({ "notes.fullText": SECRET }).execute(),
    "a condition on a conflict, by table": (em) =>
      builder(em)
        .insert({ id: 1 })
        .onConflict("id")
        .merge({ id: 1 })
        .where({ "notes.full_text": SECRET })
        .execute(),
    "GROUP BY a column": (em) => builder(em).select("id").groupBy("full_text").execute(),
    "ORDER BY a column": (em) =>
      builder(em).select("*").orderBy({ "n.full_text": "asc" }).execute(),
    "find by several at once": (em) => em.find(Note, { "id~~~fullText": [1, SECRET] } as never),
    "find by a list of several": (em) =>
      em.find(Note, { "id~~~fullText": { $in: [[1, SECRET]] } } as never),
    "ORDER BY several at once": (em) =>
      builder(em).select("*").orderBy({ "id~~~fullText": "asc" }).execute(),
    "HAVING a column": (em) =>
      builder(em).select("id").groupBy("id").having({ full_text: SECRET }).execute(),
  };

  for (const [name, attempt] of Object.entries(attempts)) {
    it(`are refused: ${name}`, async () => {
      log = [];
      const error = await Promise.resolve()
        .then(() => attempt(orm.em.fork() as EntityManager))
        .then(
          () => undefined,
          (reason: UnsupportedQueryError) => reason,
        );
      expect(error?.code, error?.message).to.equal("ERR_QUERY_UNSUPPORTED");
      expect(error?.message).to.match(/(fullText|street) is encrypted and cannot be/);
      expect(log.join("\n")).not.to.include(SECRET);
    });
  }

  it("are not the companion's: values are refused there, in conditions and in data", async () => {
    const { Person } = suite;
    const index = { nicknameIndex: SECRET };
    const email = "token@example.org";
    const data = { email, ...index } as never;
    const ways: Attempt[] = [
      (em) => em.find(Person, index),
      (em) => em.createQueryBuilder(Person).select("*").where(index).getResult(),
      (em) => em.insert(Person, data),
      (em) => em.insertMany(Person, [data]),
      (em) => em.nativeUpdate(Person, {}, index),
      (em) => em.upsert(Person, data),
      (em) => em.persist(em.create(Person, data)).flush(),
    ];
    for (const way of ways) {
      const error = await Promise.resolve()
        .then(() => way(suite.em()))
        .then(
          () => undefined,
          (reason: UnsupportedQueryError) => reason,
        );
      expect(error?.code, error?.message).to.equal("ERR_QUERY_UNSUPPORTED");
      expect(error?.message).to.include("Person.nicknameIndex holds search tokens");
      expect(suite.statements().join("\n")).not.to.include(SECRET);
    }
    await suite.em().insert(Person, { email, nickname: SECRET, ...index } as never);
    expect(await suite.em().count(Person, { nickname: SECRET })).to.equal(1);
  });

  it("are taken for NULL, and where they name another property", async () => {
    const em = orm.em.fork() as EntityManager;
    const { raw } = suite.version.core;
    expect(await em.count(Note, { full_text: null } as never)).to.equal(0);
    await em.insert(Note, { id: 2, fullText: SECRET } as never);
    await em.nativeUpdate(Note, { id: 2 } as never, { full_text: raw("null") } as never);
    expect(await em.count(Note, { full_text: null } as never)).to.equal(1);
    const [note] = (await em.find(Note, { fullText: SECRET } as never)) as { fullText: string }[];
    expect(note!.fullText).to.equal(SECRET);
  });
});
