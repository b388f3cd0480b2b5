// Less travelled ways to encrypted properties.
import * as es from "@mikro-orm/decorators/es";
import * as legacy from "@mikro-orm/decorators/legacy";
import { countOperations } from "@fieldseal/crypto/testing";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { EncryptedJSONType, EncryptedType } from "../src/index.ts";
import { connect, createSchema, createTestDatabase, type EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";
import { versions } from "./versions.ts";

const id = { type: "integer", primary: true, autoincrement: true };

onBothVersions("Filters, lazy and virtual properties", (suite) => {
  it("work as for plain ones", async () => {
    const { adapter, core } = suite.version;
    const Note = new core.EntitySchema({
      name: "Note",
      tableName: "notes",
      filters: { owned: { name: "owned", cond: { owner: "ada" }, default: true } },
      properties: {
        id,
        owner: { type: new adapter.EncryptedType({ deterministic: true }) },
        text: { type: adapter.EncryptedType, lazy: true },
        size: { type: "integer", formula: "length(text)" },
      },
    } as never);
    const Summary = new core.EntitySchema({
      name: "Summary",
      expression: "select id as number, owner from notes",
      properties: {
        number: { type: "integer" },
        owner: { type: new adapter.EncryptedType({ deterministic: true, context: "notes.owner" }) },
      },
    } as never);
    const orm = await connect(suite.version, suite.database, [Note, Summary], {
      keyring: suite.keyring,
    });
    const em = (): EntityManager => orm.em.fork() as EntityManager;
    await suite.database.query("create table notes (id serial primary key, owner text, text text)");
    await em().insertMany(
      Note as never,
      [
        { owner: "ada", text: "one" },
        { owner: "bob", text: "two" },
      ] as never,
    );

    const manager = em();
    const { result: notes, counts } = await countOperations(
      () => manager.find(Note as never, {}) as Promise<{ owner: string; text?: string }[]>,
    );
    expect(
      notes.map(({ owner }) => owner),
      "the filter",
    ).to.deep.equal(["ada"]);
    expect(counts.decryptions, "the lazy text is not read").to.equal(1);
    expect(notes[0]!.text).to.equal(undefined);
    await manager.populate(notes as never, ["text"] as never);
    expect(notes[0]!.text).to.equal("one");
    await manager.flush();

    const virtual = (await em().find(Summary as never, {})) as { owner: string }[];
    expect(virtual.map(({ owner }) => owner).toSorted()).to.deep.equal(["ada", "bob"]);
    await orm.close(true);
  });

  it("come through streams, where MikroORM has them", async () => {
    await suite.em().insert(suite.Person, person({ name: "streamed" }));
    const em = suite.em() as unknown as {
      stream?(entity: unknown, options: object): AsyncIterable<{ name: string }>;
    };
    if (em.stream === undefined) return expect(suite.version.number).to.equal(6) as never;
    const names: string[] = [];
    for await (const one of em.stream(suite.Person, { where: {} })) names.push(one.name);
    expect(names).to.include("streamed");
  });
});

onBothVersions("Entities with a constructor", (suite) => {
  it("are made by it, and written once", async () => {
    const { adapter, core } = suite.version;
    class Letter {
      declare id: number;
      readonly text: string;
      readonly data: unknown;

      constructor(text: string, data: unknown) {
        this.text = text;
        this.data = data;
      }
    }
    const LetterSchema = new core.EntitySchema({
      class: Letter,
      tableName: "letters",
      forceConstructor: true,
      properties: {
        id,
        text: { type: adapter.EncryptedType },
        data: { type: new adapter.EncryptedJSONType() },
      },
    } as never);
    const log: string[] = [];
    const orm = await connect(suite.version, suite.database, [LetterSchema], {
      keyring: suite.keyring,
      debug: ["query"],
      logger: (line: string) => log.push(line),
    });
    await suite.database.query(
      "create table letters (id serial primary key, text text, data text)",
    );
    const em = orm.em.fork();
    em.persist(new Letter("dear", { ada: 1 }));
    await em.flush();
    const manager = orm.em.fork();
    const [letter] = await manager.find(Letter, {});
    expect(letter)
      .to.be.instanceOf(Letter)
      .and.to.deep.include({ text: "dear", data: { ada: 1 } });
    log.length = 0;
    await manager.flush();
    await em.flush();
    expect(log).to.deep.equal([]);
    await orm.close(true);
  });
});

describe("Decorators", () => {
  /** Decorators are functions; called as such here, because type stripping knows no decorator syntax. */
  const kinds: Record<string, () => new () => { id: number }> = {
    "of the legacy kind": () => {
      class LegacyNote {
        declare id: number;
      }
      legacy.PrimaryKey({ type: "integer" })(LegacyNote.prototype, "id");
      legacy.Property({ type: EncryptedType })(LegacyNote.prototype, "secret");
      legacy.Property({ type: new EncryptedJSONType() })(LegacyNote.prototype, "data");
      legacy.Entity()(LegacyNote);
      return LegacyNote;
    },
    "of the standard": () => {
      class StandardNote {
        declare id: number;
      }
      const metadata = {};
      const field = (name: string): ClassFieldDecoratorContext =>
        ({ kind: "field", name, metadata, addInitializer() {} }) as never;
      es.PrimaryKey({ type: "integer" })(undefined, field("id") as never);
      es.Property({ type: EncryptedType })(undefined, field("secret") as never);
      es.Property({ type: new EncryptedJSONType() })(undefined, field("data") as never);
      es.Entity()(
        StandardNote as never,
        { kind: "class", name: "StandardNote", metadata } as never,
      );
      return StandardNote;
    },
  };

  /** Version 6 has them in its core. */
  function decoratedBySix(): new () => { id: number } {
    class LegacyNote {
      declare id: number;
    }
    const { adapter, core } = six!;
    const { PrimaryKey, Property, Entity } = core as unknown as typeof legacy;
    PrimaryKey({ type: "integer" })(LegacyNote.prototype, "id");
    Property({ type: adapter.EncryptedType })(LegacyNote.prototype, "secret");
    Property({ type: new adapter.EncryptedJSONType() })(LegacyNote.prototype, "data");
    Entity()(LegacyNote);
    return LegacyNote;
  }

  const [seven, six] = versions;
  const all = [
    ...Object.entries(kinds).map(([kind, define]) => ({ kind, define, version: seven! })),
    { kind: "of version 6", define: decoratedBySix, version: six! },
  ];
  for (const { kind, define, version } of all) {
    it(`${kind} take the types`, async function () {
      this.timeout(20_000);
      const database = await createTestDatabase();
      const Note = define();
      const keyring = Keyring.fromKey(generateRootKey());
      const orm = await connect(version, database, [Note], { keyring });
      await createSchema(orm);
      const em = orm.em.fork();
      await em.insert(Note, { id: 1, secret: "s", data: { a: 1 } } as never);
      const one = (await orm.em.fork().findOneOrFail(Note, { id: 1 } as never)) as {
        secret: string;
        data: unknown;
      };
      expect([one.secret, one.data]).to.deep.equal(["s", { a: 1 }]);
      const [row] = await database.query(
        `select secret from ${Note.name === "LegacyNote" ? "legacy_note" : "standard_note"}`,
      );
      expect(row!.secret).to.match(/^9V6h/);
      await orm.close(true);
      await database.drop();
    });
  }
});
