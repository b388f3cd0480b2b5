import { inspect } from "node:util";
import { ConfigError, configure, generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import type { Kysely } from "kysely";
import {
  connect,
  createSchema,
  createTestDatabase,
  type EntityManager,
  type MikroORM,
  type OrmOptions,
  type TestDatabase,
} from "./database.ts";
import { entitiesFor } from "./entities.ts";
import { versions } from "./versions.ts";

const id = { type: "integer", primary: true, autoincrement: true };

for (const version of versions) {
  const { adapter, core } = version;
  const { EncryptedType, EncryptedJSONType } = adapter;

  describe(`Discovery, ${version.name}`, function () {
    this.timeout(20_000);
    let database: TestDatabase;
    const orms: MikroORM[] = [];
    before(async () => {
      database = await createTestDatabase();
    });
    after(async () => {
      await Promise.all(orms.map((orm) => orm.close(true)));
      await database.drop();
    });

    const schema = (definition: object): unknown => new core.EntitySchema(definition as never);

    async function init(entities: unknown[], options: OrmOptions = {}): Promise<MikroORM> {
      const orm = await connect(version, database, entities, options);
      orms.push(orm);
      return orm;
    }

    it("asks for the companion property of a blind index", async () => {
      const Lonely = schema({
        name: "Lonely",
        properties: {
          id,
          name: { type: new EncryptedType({ blindIndex: { column: "name_index" } }) },
        },
      });
      const orm = await init([Lonely], { keyring: Keyring.fromKey(generateRootKey()) });
      await createSchema(orm);
      const error = await orm.em
        .fork()
        .insert(Lonely as never, { name: "x" } as never)
        .then(
          () => undefined,
          (reason: Error) => reason,
        );
      expect(error).to.be.instanceOf(ConfigError);
      expect(error!.message).to.include('"name_index"').and.include("BlindIndexType");
    });

    it("needs no key for discovery and schema, and says so at the first value", async () => {
      const { all, Pet } = entitiesFor(version);
      configure({ keyring: undefined });
      const before = process.env.ENCRYPTION_KEY;
      delete process.env.ENCRYPTION_KEY;
      const orm = await init([...all]);
      await createSchema(orm);
      const em = orm.em.fork() as EntityManager;
      const ways = [
        () => em.insert(Pet, { secret: "s" } as never),
        () => em.insertMany(Pet, [{ secret: "s" } as never]),
        () =>
          em
            .fork()
            .persist(em.create(Pet, { secret: "s" } as never))
            .flush(),
        () => em.nativeUpdate(Pet, {}, { secret: "s" }),
      ];
      for (const way of ways) {
        const error = await way().then(
          () => undefined,
          (reason: Error & { code: string }) => reason,
        );
        expect(error?.code).to.equal("ERR_CONFIG_NO_KEY");
      }
      expect(await database.query("select * from pets")).to.deep.equal([]);
      if (before !== undefined) process.env.ENCRYPTION_KEY = before;
    });

    it("makes a schema that it then finds unchanged, CHECK constraints included", async () => {
      const Guarded = schema({
        name: "Guarded",
        tableName: "guarded",
        properties: {
          id,
          name: { type: new EncryptedType(), nullable: true },
          photo: { type: new adapter.EncryptedBinaryType(), nullable: true },
        },
        checks: [adapter.envelopeCheck("name"), adapter.envelopeCheck("photo", "binary")],
      });
      const keyring = Keyring.fromKey(generateRootKey());
      const orm = await init([Guarded], { keyring });
      const tools = orm.schema as unknown as Record<string, (options?: object) => Promise<string>>;
      await tools[version.number === 7 ? "update" : "updateSchema"]!({ safe: true });
      const diff = await tools.getUpdateSchemaSQL!({ safe: true });
      expect(diff.trim()).to.equal("");

      const em = orm.em.fork() as EntityManager;
      await em.insert(Guarded as never, { name: "", photo: Buffer.alloc(0) } as never);
      await em.insert(Guarded as never, { name: null, photo: null } as never);
      const refused = [
        "insert into guarded (name) values ('plain')",
        "insert into guarded (name) values ('9V6h is how it starts')",
        "insert into guarded (photo) values ('\\x01020304')",
        "update guarded set name = 'plain'",
      ];
      for (const sql of refused) {
        const error = await database.query(sql).then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error?.message, sql).to.include("violates check constraint");
      }
    });

    it("binds values to their own column, though columns share a type instance", async () => {
      const shared = new EncryptedType();
      const Twins = schema({
        name: "Twins",
        tableName: "twins",
        properties: {
          id,
          left: { type: shared, nullable: true },
          right: { type: shared, nullable: true },
        },
      });
      const base = schema({
        name: "Base",
        abstract: true,
        properties: { id, secret: { type: new EncryptedType() } },
      });
      const one = schema({ name: "One", extends: "Base", tableName: "one_table", properties: {} });
      const two = schema({ name: "Two", extends: "Base", tableName: "two_table", properties: {} });
      const keyring = Keyring.fromKey(generateRootKey());
      const orm = await init([Twins, base, one, two], { keyring });
      const columns = adapter.encryptedColumns(orm);
      const contexts = columns.map(
        ({ cipher }) => `${cipher.context.table}.${cipher.context.column}`,
      );
      expect(contexts.toSorted()).to.deep.equal([
        "one_table.secret",
        "twins.left",
        "twins.right",
        "two_table.secret",
      ]);
      await createSchema(orm);
      const em = orm.em.fork() as EntityManager;
      await em.insert(Twins as never, { left: "l", right: "r" } as never);
      await em.insert(one as never, { secret: "1" } as never);
      await em.insert(two as never, { secret: "2" } as never);
      await database.query('update twins set "right" = "left"');
      await database.query("update two_table set secret = (select secret from one_table)");
      for (const entity of [Twins, two]) {
        const error = await em
          .fork()
          .find(entity as never, {})
          .then(
            () => undefined,
            (reason: { code?: string }) => reason,
          );
        expect(error?.code).to.equal("ERR_DECRYPT_FAILED");
      }
      expect(await em.fork().find(one as never, {})).to.have.length(1);
    });

    it("shares a column among the entities of one table", async () => {
      const Animal = schema({
        name: "Animal",
        tableName: "animals",
        discriminatorColumn: "kind",
        discriminatorMap: { cat: "Cat", dog: "Dog" },
        abstract: true,
        properties: { id, kind: { type: "string" }, name: { type: new EncryptedType() } },
      });
      const Cat = schema({
        name: "Cat",
        extends: "Animal",
        discriminatorValue: "cat",
        properties: { lives: { type: new EncryptedJSONType(), nullable: true } },
      });
      const Dog = schema({
        name: "Dog",
        extends: "Animal",
        discriminatorValue: "dog",
        properties: {},
      });
      const orm = await init([Animal, Cat, Dog], { keyring: Keyring.fromKey(generateRootKey()) });
      await createSchema(orm);
      const em = orm.em.fork() as EntityManager;
      em.persist(em.create(Cat as never, { name: "Tom", lives: 9 } as never));
      em.persist(em.create(Dog as never, { name: "Rex" } as never));
      await em.flush();
      const all = (await em
        .fork()
        .find(Animal as never, {}, { orderBy: { id: "asc" } as never })) as {
        name: string;
        lives?: unknown;
      }[];
      expect(all.map(({ name }) => name).toSorted()).to.deep.equal(["Rex", "Tom"]);
      expect(all.find(({ name }) => name === "Tom")?.lives).to.equal(9);
      const columns = adapter
        .encryptedColumns(orm)
        .map(({ table, column }) => `${table}.${column}`);
      expect(columns.toSorted()).to.deep.equal(["animals.lives", "animals.name"]);
    });

    it("describes its columns for the engine and the command", async () => {
      const { all } = entitiesFor(version);
      const orm = await init([...all], {
        keyring: Keyring.fromKey(generateRootKey()),
        schema: "shop",
      });
      const columns = adapter.encryptedColumns(orm);
      const email = columns.find(({ field }) => field === "email")!;
      expect(email).to.include({
        model: "Person",
        schema: "shop",
        table: "people",
        column: "email",
      });
      expect(email.primaryKey).to.deep.equal(["id"]);
      expect(email.isNullable).to.equal(false);
      expect(email.cipher.isDeterministic).to.equal(true);
      const names = columns.map(({ column }) => column);
      expect(names).to.include.members(["address_street", "address_zip", "nickname", "secret"]);
      expect(names).not.to.include.members(["card", "cards", "nickname_index"]);
    });

    it("guards entities that come in later", async () => {
      const First = schema({ name: "First", properties: { id, text: { type: EncryptedType } } });
      const open = schema({ name: "Open", properties: { id } });
      for (const known of [First, open]) {
        class Later {
          declare id: number;
          declare secret: string;
        }
        const orm = await init([known], { keyring: Keyring.fromKey(generateRootKey()) });
        type Any = { getKysely?(): Kysely<Record<string, Record<string, string>>> };
        const kysely = (): ReturnType<NonNullable<Any["getKysely"]>> | undefined =>
          (orm.em.fork() as unknown as Any).getKysely?.();
        kysely();
        orm.discoverEntity([
          schema({
            class: Later,
            tableName: "later",
            properties: { id, secret: { type: EncryptedType } },
          }),
        ] as never);
        const later = orm.em.fork().create(Later, { secret: "plaintext" } as never);
        expect(inspect(later)).to.include("Later {").and.include("secret: [encrypted]");
        const insert = kysely()?.insertInto("later").values({ secret: "plaintext" });
        const error = await insert?.execute().catch((reason: Error) => reason);
        if (version.number === 7) expect(error).to.include({ code: "ERR_QUERY_UNSUPPORTED" });
        const Referring = schema({
          name: "Referring",
          properties: {
            id,
            later: { kind: "m:1", entity: () => Later, referenceColumnName: "secret" },
          },
        });
        expect(() => orm.discoverEntity([Referring] as never)).to.throw(ConfigError);
      }
    });

    it("keeps the keyrings of two instances apart, and takes functions", async () => {
      const Note = schema({
        name: "Note",
        tableName: "notes",
        properties: { id, text: { type: new EncryptedType() } },
      });
      const first = Keyring.fromKey(generateRootKey());
      let second = Keyring.fromKey(generateRootKey());
      const one = await init([Note], { keyring: first });
      const two = await init([Note], { keyring: () => second });
      await createSchema(one);
      await one.em.fork().insert(Note as never, { text: "of one" } as never);
      const read = async (orm: MikroORM): Promise<unknown> =>
        orm.em
          .fork()
          .find(Note as never, {})
          .then(
            (notes) => (notes as { text: string }[]).map(({ text }) => text),
            (error: { code: string }) => error.code,
          );
      expect(await read(one)).to.deep.equal(["of one"]);
      expect(await read(two)).to.equal("ERR_KEY_UNKNOWN");
      second = first;
      expect(await read(two)).to.deep.equal(["of one"]);
    });
  });
}
