// Embeddables in embeddables, and several that may stand in one place.
import { countOperations } from "@fieldseal/crypto/testing";
import { ConfigError } from "@fieldseal/crypto";
import { expect } from "chai";
import {
  connect,
  createSchema,
  type EntityManager,
  type MikroORM,
  type OrmOptions,
} from "./database.ts";
import { onBothVersions } from "./suite.ts";

const id = { type: "integer", primary: true, autoincrement: true };

onBothVersions("Embeddables", (suite) => {
  let log: string[] = [];
  const orms: MikroORM[] = [];
  after(() => Promise.all(orms.map((orm) => orm.close(true))));

  const define = (definition: object): never =>
    new suite.version.core.EntitySchema(definition as never) as never;
  const text = (options: object = {}): object => ({
    type: new suite.version.adapter.EncryptedType(options),
    nullable: true,
  });

  async function open(entities: unknown[], options: OrmOptions = {}): Promise<MikroORM> {
    const orm = await connect(suite.version, suite.database, entities, {
      keyring: suite.keyring,
      debug: ["query", "query-params"],
      logger: (line: string) => log.push(line),
      ...options,
    });
    orms.push(orm);
    return orm;
  }

  const updates = (): number => log.splice(0).filter((line) => line.includes("update")).length;

  it("in embeddables: inline, as documents, in arrays", async () => {
    const Inner = define({
      name: "Inner",
      embeddable: true,
      properties: { pin: text({ deterministic: true }), open: { type: "string", nullable: true } },
    });
    const Middle = define({
      name: "Middle",
      embeddable: true,
      properties: {
        inner: { kind: "embedded", entity: () => Inner, nullable: true },
        list: { kind: "embedded", entity: () => Inner, array: true, nullable: true },
        secret: text(),
      },
    });
    const middle = (options: object): object => ({
      kind: "embedded",
      entity: () => Middle,
      nullable: true,
      ...options,
    });
    class Nest {
      declare id: number;
      declare inline: never;
      declare document: never;
      declare many: never;
    }
    const NestSchema = define({
      class: Nest,
      tableName: "nests",
      properties: {
        id,
        inline: middle({}),
        document: middle({ object: true }),
        many: middle({ array: true }),
      },
    });
    const orm = await open([Inner, Middle, NestSchema]);
    await createSchema(orm);
    const value = (name: string): object => ({
      inner: { pin: `${name} pin`, open: "open" },
      list: [
        { pin: `${name} first`, open: null },
        { pin: `${name} second`, open: "x" },
      ],
      secret: `${name} secret`,
    });
    const values = (): Record<string, unknown> => ({
      inline: value("inline"),
      document: value("document"),
      many: [value("one"), value("two")],
    });
    const em = orm.em.fork() as EntityManager;
    const created = em.create(Nest, values() as never);
    await em.persist(created).flush();
    const [row] = await suite.database.query("select * from nests");
    expect(JSON.stringify(row)).not.to.match(/ pin| first| second"| secret/);

    const manager = orm.em.fork() as EntityManager;
    const one = (await manager.findOneOrFail(Nest, { id: created.id })) as never as {
      inline: { inner: { pin: string } };
      document: { list: { pin: string }[] };
      many: { list: { pin: string }[] }[];
    };
    expect(JSON.parse(JSON.stringify(one))).to.deep.equal({ id: created.id, ...values() });
    log = [];
    const { counts } = await countOperations(() => manager.flush());
    expect(counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
    expect(updates()).to.equal(0);
    one.inline.inner.pin = "changed 1";
    one.document.list[1]!.pin = "changed 2";
    one.many[1]!.list[0]!.pin = "changed 3";
    await manager.flush();
    expect(updates()).to.equal(1);
    const again = JSON.stringify(await orm.em.fork().findOneOrFail(Nest, { id: created.id }));
    for (const number of [1, 2, 3]) expect(again).to.include(`changed ${number}`);
    const where = { inline: { inner: { pin: "changed 1" } } };
    expect(await orm.em.fork().count(Nest, where as never)).to.equal(1);
    await orm.em.fork().nativeUpdate(Nest, where as never, { inline: value("native") } as never);
    expect(JSON.stringify(await orm.em.fork().find(Nest, {}))).to.include("native secret");
    expect(log.join("\n")).not.to.match(/changed|native secret/);
  });

  it("in embeddables, with a blind index under any prefix", async () => {
    const prefixes = [true, false, "p_"].flatMap((outer) =>
      [true, false, "q_"].map((inner) => [outer, inner] as const),
    );
    for (const prefixMode of ["relative", "absolute"]) {
      for (const [outer, inner] of prefixes) {
        const Indexed = define({
          name: "Indexed",
          embeddable: true,
          properties: {
            pin: text({ blindIndex: { column: "pin_index" } }),
            token: {
              type: suite.version.adapter.BlindIndexType,
              fieldName: "pin_index",
              nullable: true,
            },
          },
        });
        const Around = define({
          name: "Around",
          embeddable: true,
          properties: {
            inner: { kind: "embedded", entity: () => Indexed, prefix: inner, prefixMode },
          },
        });
        const Place = define({
          name: "Place",
          tableName: `places_${prefixMode}_${outer}_${inner}`,
          properties: {
            id,
            outer: { kind: "embedded", entity: () => Around, prefix: outer, prefixMode },
          },
        });
        const orm = await open([Indexed, Around, Place]);
        await createSchema(orm);
        const em = orm.em.fork() as EntityManager;
        const value = { outer: { inner: { pin: "1234" } } } as never;
        await em.persist(em.create(Place, value)).flush();
        const label = `${prefixMode} ${outer} ${inner}`;
        expect(await orm.em.fork().find(Place, value), label).to.have.length(1);
        expect(await orm.em.fork().count(Place, value), label).to.equal(1);
      }
    }
  });

  it("stored as JSON, see no change in a JSON value whose keys are in another order", async () => {
    const Scene = define({
      name: "Scene",
      embeddable: true,
      properties: {
        secret: { type: new suite.version.adapter.EncryptedJSONType(), nullable: true },
        plain: { type: "json", nullable: true },
      },
    });
    class Film {
      declare id: number;
      declare scene: Record<string, unknown>;
      declare scenes: Record<string, unknown>[];
    }
    const scene = (options: object): object => ({
      kind: "embedded",
      entity: () => Scene,
      ...options,
    });
    const properties = { id, scene: scene({ object: true }), scenes: scene({ array: true }) };
    const orm = await open([Scene, define({ class: Film, properties })]);
    await createSchema(orm);
    const value = (): object => ({ a: 1, b: { c: [1], d: null } });
    const em = orm.em.fork() as EntityManager;
    const both = (): object => ({ secret: value(), plain: value() });
    await em.persist(em.create(Film, { scene: both(), scenes: [both()] } as never)).flush();
    const film = await em.refresh((await em.find(Film, {}))[0]!);
    for (const document of [film!.scene, film!.scenes[0]!]) {
      for (const name of ["plain", "secret"]) {
        log = [];
        document[name] = { b: { d: null, c: [1] }, a: 1 };
        await em.flush();
        expect(updates(), name).to.equal(0);
        document[name] = { b: { d: null, c: [2] }, a: 1 };
        await em.flush();
        expect(updates(), name).to.equal(1);
      }
    }
  });

  class Animal {
    declare kind: string;
    declare name: string | null;
  }
  class Cat extends Animal {
    declare food: string | null;
  }
  class Dog extends Animal {
    declare trick: string | null;
  }
  class Owner {
    declare id: number;
    declare inline: Cat | Dog;
    declare document: Cat | Dog;
    declare many: (Cat | Dog)[];
  }
  const cat = (name: string): Cat =>
    Object.assign(new Cat(), { kind: "cat", name, food: "of cat" });
  const dog = (name: string): Dog =>
    Object.assign(new Dog(), { kind: "dog", name, trick: "of dog" });

  function animals(own: object = {}): unknown[] {
    const AnimalSchema = define({
      class: Animal,
      abstract: true,
      embeddable: true,
      discriminatorColumn: "kind",
      properties: { kind: { type: "string" }, name: text() },
    });
    const kinds = [
      define({
        class: Cat,
        extends: AnimalSchema,
        embeddable: true,
        discriminatorValue: "cat",
        properties: { food: text(), ...own },
      }),
      define({
        class: Dog,
        extends: AnimalSchema,
        embeddable: true,
        discriminatorValue: "dog",
        properties: { trick: text(), ...own },
      }),
    ];
    const animal = (options: object): object => ({
      kind: "embedded",
      entity: () => kinds,
      nullable: true,
      ...options,
    });
    const OwnerSchema = define({
      class: Owner,
      tableName: "owners",
      properties: {
        id,
        inline: animal({}),
        document: animal({ object: true }),
        many: animal({ array: true }),
      },
    });
    return [AnimalSchema, ...kinds, OwnerSchema];
  }

  it("of which several may stand in one place", async () => {
    const orm = await open(animals());
    await createSchema(orm);
    const em = orm.em.fork() as EntityManager;
    const values = [
      { inline: cat("Tom"), document: dog("Rex"), many: [cat("Tim"), dog("Rix")] },
      { inline: dog("Rax"), document: cat("Tam"), many: [dog("Rox")] },
    ];
    for (const value of values) em.persist(em.create(Owner, value as never));
    await em.flush();
    const rows = await suite.database.query("select * from owners");
    // Three letters stand in base64 by chance, in every fiftieth run.
    expect(JSON.stringify(rows)).not.to.match(
      /(?<![\w+/])(?:Tom|Rex|Tim|Rix|Rax|Tam|Rox)(?![\w+/=])|of cat|of dog/,
    );

    const manager = orm.em.fork() as EntityManager;
    const owners = await manager.find(Owner, {}, { orderBy: { id: "asc" } });
    const plain = JSON.parse(JSON.stringify(owners)) as unknown[];
    expect(plain).to.deep.equal(
      values.map((value, i) => ({ id: i + 1, ...(JSON.parse(JSON.stringify(value)) as object) })),
    );
    log = [];
    await manager.flush();
    expect(updates()).to.equal(0);
    owners[0]!.inline.name = "Tam";
    owners[1]!.many[0]!.name = "Rux";
    await manager.flush();
    const again = JSON.stringify(await orm.em.fork().find(Owner, {}));
    expect(again).to.include('"Tam"').and.include('"Rux"');
    const contexts = suite.version.adapter
      .encryptedColumns(orm)
      .map(({ cipher: { context } }) => `${context.table}.${context.column}`);
    expect(contexts.toSorted()).to.deep.equal(["Animal.name", "Cat.food", "Dog.trick"]);
  });

  it("of which several have a property of one name are refused: it would lose its type", async () => {
    const mixed = [
      { secret: text() },
      { secret: { ...text(), type: suite.version.adapter.EncryptedType } },
    ];
    for (const own of mixed) {
      const error = await open(animals(own)).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error).to.be.instanceOf(ConfigError);
      expect(error!.message).to.match(/(Cat|Dog)\.secret stands in one place.*Declare it once/);
    }
  });
});
