// Blind indexes say what the value says: under NOT and in lists as a plain column, whatever tokens somebody forged,
// in the schema and the transaction of the statement, and when a row changes between lookup and statement.
import type { UnsupportedQueryError } from "@fieldseal/crypto";
import { countOperations } from "@fieldseal/crypto/testing";
import { expect } from "chai";
import { connect, createSchema, type EntityManager, type MikroORM } from "./database.ts";
import { onBothVersions } from "./suite.ts";

interface Row {
  id: number;
  plain: string | null;
  fixed: string | null;
  wide: string | null;
  short: string | null;
  place: { town: string | null };
  next: Row | null;
  previous: { getItems(): Row[] };
}

const NAMES = ["ada", "bob", "cyd", "ada", null, "eve"] as const;

onBothVersions("A blind index", (suite) => {
  let orm: MikroORM;
  let Thing: never;
  let log: string[] = [];

  before(async () => {
    const { adapter, core } = suite.version;
    const { EncryptedType, BlindIndexType } = adapter;
    const indexed = (name: string, bits = 256): object => ({
      [name]: {
        type: new EncryptedType({ blindIndex: { column: `${name}_index`, bits } }),
        nullable: true,
      },
      [`${name}Index`]: { type: BlindIndexType, fieldName: `${name}_index`, nullable: true },
    });
    const Place = new core.EntitySchema({
      name: "Place",
      embeddable: true,
      properties: indexed("town", 4),
    } as never);
    class ThingClass {
      declare id: number;
    }
    Thing = new core.EntitySchema({
      class: ThingClass,
      tableName: "things",
      properties: {
        id: { type: "integer", primary: true, autoincrement: true },
        plain: { type: "text", nullable: true },
        fixed: { type: new EncryptedType({ deterministic: true }), nullable: true },
        ...indexed("wide"),
        ...indexed("short", 4),
        place: { kind: "embedded", entity: () => Place, nullable: true },
        next: { kind: "m:1", entity: () => ThingClass, nullable: true },
        previous: { kind: "1:m", entity: () => ThingClass, mappedBy: "next" },
      },
    } as never) as never;
    orm = await connect(suite.version, suite.database, [Place, Thing], {
      keyring: suite.keyring,
      debug: ["query", "query-params"],
      logger: (line: string) => log.push(line),
    });
    await createSchema(orm);
  });
  beforeEach(async () => {
    await suite.database.query("truncate things restart identity cascade");
    await fill();
    log = [];
  });
  after(() => orm.close(true));

  const em = (): EntityManager => orm.em.fork() as EntityManager;
  const thing = (name: string | null): object => ({
    plain: name,
    fixed: name,
    wide: name,
    short: name,
    place: { town: name },
  });

  async function fill(options: object = {}): Promise<void> {
    const manager = orm.em.fork(options as never) as EntityManager;
    const things = NAMES.map((name) => manager.create(Thing, thing(name) as never) as Row);
    for (const [i, one] of things.entries()) one.next = things[i - 1] ?? null;
    await manager.persist(things).flush();
  }

  async function find(where: object, options: object = {}): Promise<number[]> {
    const found = await em().find(Thing, where as never, options as never);
    return (found as Row[]).map(({ id }) => id).toSorted((a, b) => a - b);
  }

  const conditions: Record<string, (key: string) => object> = {
    "a value": (key) => ({ [key]: "ada" }),
    "a value that nobody has": (key) => ({ [key]: "zoe" }),
    $ne: (key) => ({ [key]: { $ne: "ada" } }),
    "$ne, of a value that nobody has": (key) => ({ [key]: { $ne: "zoe" } }),
    "$ne null": (key) => ({ [key]: { $ne: null } }),
    null: (key) => ({ [key]: null }),
    $in: (key) => ({ [key]: { $in: ["ada", "zoe"] } }),
    "$in of nothing": (key) => ({ [key]: { $in: [] } }),
    "an empty list": (key) => ({ [key]: [] }),
    $nin: (key) => ({ [key]: { $nin: ["ada", "bob"] } }),
    "$nin, of values that nobody has": (key) => ({ [key]: { $nin: ["zoe", "yve"] } }),
    "$nin of nothing": (key) => ({ [key]: { $nin: [] } }),
    $not: (key) => ({ $not: { [key]: "ada" } }),
    "$not, of a value that nobody has": (key) => ({ $not: { [key]: "zoe" } }),
    "$not twice": (key) => ({ $not: { $not: { [key]: "ada" } } }),
    "$not of $ne": (key) => ({ $not: { [key]: { $ne: "ada" } } }),
    "$not of $ne, of a value that nobody has": (key) => ({ $not: { [key]: { $ne: "zoe" } } }),
    "$not of $nin": (key) => ({ $not: { [key]: { $nin: ["ada", "zoe"] } } }),
    "two operators": (key) => ({ [key]: { $ne: "ada", $in: ["ada", "bob"] } }),
    "$or with null": (key) => ({ $or: [{ [key]: "ada" }, { [key]: null }] }),
    "$and of two": (key) => ({ $and: [{ [key]: { $ne: "ada" } }, { [key]: { $ne: "bob" } }] }),
    "a relation": (key) => ({ next: { [key]: "ada" } }),
    "a relation, negated": (key) => ({ next: { [key]: { $ne: "ada" } } }),
    "a relation inside of $not": (key) => ({ $not: { next: { [key]: "ada" } } }),
    "a relation and itself": (key) => ({ [key]: "bob", next: { [key]: "ada" } }),
  };

  for (const [name, condition] of Object.entries(conditions)) {
    it(`answers like a plain column: ${name}`, async () => {
      const expected = await find(condition("plain"));
      for (const key of ["fixed", "wide", "short"]) {
        expect(await find(condition(key)), key).to.deep.equal(expected);
        expect(await em().count(Thing, condition(key) as never), key).to.equal(expected.length);
      }
      // The plain column's are there.
      const others = log.filter((line) => !/"plain"/.test(line.split(" where ")[1] ?? ""));
      expect(others.join("\n")).not.to.match(/'(ada|bob|zoe|yve)'/);
    });
  }

  it("answers in an inline embeddable, beside its other conditions", async () => {
    expect(await find({ place: { town: "ada" } })).to.deep.equal([1, 4]);
    expect(await find({ place: { town: { $ne: "ada" } } })).to.deep.equal([2, 3, 6]);
    expect(await find({ $not: { place: { town: "zoe" } } })).to.deep.equal([1, 2, 3, 4, 6]);
    expect(await find({ place: { town: "ada" }, plain: null })).to.deep.equal([]);
    expect(await find({ next: { place: { town: "ada" } } })).to.deep.equal([2, 5]);
  });

  it("refuses a list with null, which SQL would take for nothing", async () => {
    for (const operator of ["$in", "$nin"]) {
      const error = await find({ short: { [operator]: ["ada", null] } }).then(
        () => undefined,
        (reason: UnsupportedQueryError) => reason,
      );
      expect(error?.code).to.equal("ERR_QUERY_UNSUPPORTED");
    }
  });

  const forge = (sql: string): Promise<unknown> => suite.database.query(sql);

  it("does not find a row by a token of a value that it does not hold", async () => {
    for (const name of ["wide", "short"]) {
      await forge(
        `update things set ${name}_index = (select ${name}_index from things where id = 1) where id in (2, 5)`,
      );
      expect(await find({ [name]: "ada" }), name).to.deep.equal([1, 4]);
      expect(await find({ [name]: ["ada", "zoe"] }), name).to.deep.equal([1, 4]);
      expect(await find({ [name]: "ada", plain: "bob" }), name).to.deep.equal([]);
      const one = await em().findOne(Thing, { [name]: "ada", id: 2 } as never);
      expect(one, name).to.equal(null);
      for (const strategy of ["joined", "select-in"]) {
        const options = { populate: ["next"], strategy };
        const found = await find({ next: { [name]: "ada" } }, options);
        // Without the joined row there is nothing to compare with.
        if (strategy === "joined" || name === "short")
          expect(found, `${name}, ${strategy}`).to.deep.equal([2, 5]);
      }
    }
    expect(await em().count(Thing, { short: "ada" } as never)).to.equal(2);
    expect(await em().nativeDelete(Thing, { short: "ada" } as never)).to.equal(2);
  });

  it("decrypts what it compares once", async () => {
    const manager = em();
    const fields = ["id", "wide"];
    const { counts } = await countOperations(() =>
      manager.find(Thing, { wide: "ada" } as never, { fields } as never),
    );
    expect(counts).to.deep.equal({ encryptions: 0, decryptions: 2 });
    const flush = await countOperations(() => manager.flush());
    expect(flush.counts).to.deep.equal({ encryptions: 0, decryptions: 0 });
  });

  it("looks in the schema that the statement is for, and changes nothing in others", async () => {
    await forge("create schema tenant");
    await forge("create table tenant.things (like public.things including all)");
    // The same keys for other values.
    await forge("insert into tenant.things select * from things");
    await forge(
      `update tenant.things set short = other.short, short_index = other.short_index
       from public.things as other where things.id = 2 and other.id = 1`,
    );
    const schema = "tenant";
    for (const given of [{ schema }, {}]) {
      const manager = (): EntityManager =>
        (given.schema ? orm.em.fork() : orm.em.fork({ schema })) as EntityManager;
      const where = { short: "ada" } as never;
      const found = (await manager().find(Thing, where, given as never)) as Row[];
      expect(found.map(({ id }) => id).toSorted((a, b) => a - b)).to.deep.equal([1, 2, 4]);
      expect(await manager().count(Thing, where, given as never)).to.equal(3);
      const data = { plain: "changed" } as never;
      expect(await manager().nativeUpdate(Thing, where, data, given as never)).to.equal(3);
    }
    expect(await find({ short: "ada" })).to.deep.equal([1, 4]);
    const deleted = await em().nativeDelete(Thing, { short: "ada" } as never, { schema } as never);
    expect(deleted).to.equal(3);
    expect(await find({ short: "ada", plain: "ada" })).to.deep.equal([1, 4]);
    await forge("drop schema tenant cascade");
  });

  it("looks in the statement's transaction", async () => {
    await em().transactional(async (inner) => {
      await inner.insert(Thing, { short: "new" } as never);
      expect(await inner.count(Thing, { short: "new" } as never)).to.equal(1);
      const where = { short: "new" } as never;
      expect(await inner.nativeUpdate(Thing, where, { plain: "x" } as never)).to.equal(1);
    });
    await em()
      .transactional(async (inner) => {
        expect(await inner.nativeDelete(Thing, { short: "new" } as never)).to.equal(1);
        throw new Error("back");
      })
      .catch(() => {});
    expect(await em().count(Thing, { short: "new" } as never)).to.equal(1);
  });

  it("leaves a row alone that changed between lookup and statement", async () => {
    const driver = orm.em.getDriver() as unknown as Record<string, (...all: unknown[]) => unknown>;
    for (const method of ["nativeUpdate", "nativeDelete"]) {
      const { [method]: run } = driver;
      // The row keeps its token, as values of a short index may.
      driver[method] = async (...all) => {
        await forge(
          "update things set short = (select short from things where id = 2) where id = 1",
        );
        return run!.apply(driver, all);
      };
      const where = { short: "ada" } as never;
      const changed =
        method === "nativeUpdate"
          ? await em().nativeUpdate(Thing, where, { plain: "changed" } as never)
          : await em().nativeDelete(Thing, where);
      driver[method] = run!;
      expect(changed, method).to.equal(1);
      const [one] = await suite.database.query("select plain from things where id = 1");
      expect(one!.plain).to.equal("ada");
    }
  });

  it("leaves a row alone that comes to hold what is negated, or holds it encrypted anew", async () => {
    const driver = orm.em.getDriver() as unknown as Record<string, (...all: unknown[]) => unknown>;
    const { nativeDelete } = driver;
    const { encryptValue, searchValues } = suite.version.adapter;
    const reference = { entity: Thing, property: "short" };
    const conditions = [{ short: { $ne: "ada" } }, { $not: { short: "ada" } }];
    const tokenOf = (value: string): unknown => searchValues(em(), reference, value)[0];
    const values = Array.from({ length: 500 }, (_, i) => `n${i}`);
    const neighbour = values.find((value) => tokenOf(value) === tokenOf("ada")) as string;
    for (const where of conditions) {
      for (const first of ["ada", neighbour]) {
        await suite.database.query("truncate things restart identity cascade");
        for (const short of [first, "bob", null]) await em().insert(Thing, { short } as never);
        driver.nativeDelete = async (...all) => {
          driver.nativeDelete = nativeDelete!;
          const stored = encryptValue(em(), reference, "ada");
          await suite.database.query("update things set short = $1 where id = 1", [stored]);
          return nativeDelete!.apply(driver, all);
        };
        const deleted = await em().nativeDelete(Thing, where as never);
        expect(deleted, first).to.equal(1);
        expect(await find({})).to.deep.equal([1, 3]);
      }
    }
  });

  it("populates what was asked for, where MikroORM repeats the condition in the join", async () => {
    await suite.database.query("update things set next_id = 1 where id in (2, 4, 5)");
    for (const strategy of ["joined", "select-in"]) {
      const found = await em().find(
        Thing,
        { previous: { short: "ada" } } as never,
        { populate: ["previous"], populateWhere: "infer", strategy, limit: 5 } as never,
      );
      const populated = (found as Row[]).map(({ id, previous }) => [
        id,
        previous.getItems().map((one) => one.id),
      ]);
      expect(populated, strategy).to.deep.equal([[1, [4]]]);
    }
  });

  it("populates by alternatives and negations as by those of a plain column", async () => {
    await suite.database.query("update things set next_id = 1 where id in (2, 3, 4, 5)");
    const shapes: ((key: string) => object)[] = [
      (key) => ({ previous: { [key]: { $ne: "ada" } } }),
      (key) => ({ previous: { [key]: { $nin: ["ada", "zoe"] } } }),
      (key) => ({ previous: { $or: [{ [key]: "ada" }, { wide: "bob" }] } }),
      (key) => ({ $or: [{ previous: { [key]: "ada" } }, { previous: { wide: "bob" } }] }),
    ];
    for (const [i, shape] of shapes.entries()) {
      for (const strategy of ["joined", "select-in"]) {
        const ask = async (key: string): Promise<unknown> => {
          const found = await em().find(
            Thing,
            shape(key) as never,
            { populate: ["previous"], populateWhere: "infer", strategy } as never,
          );
          return (found as Row[]).map((row) => [
            row.id,
            row.previous
              .getItems()
              .map(({ id }) => id)
              .toSorted((a, b) => a - b),
          ]);
        };
        expect(await ask("short"), `${i} ${strategy}`).to.deep.equal(await ask("plain"));
      }
    }
  });

  it("is written with an inline embeddable that is given as an object", async () => {
    const count = (town: string): Promise<number> =>
      em().count(Thing, { place: { town } } as never);
    const id = (await em().insert(Thing, { place: { town: "inserted" } } as never)) as number;
    expect(await count("inserted")).to.equal(1);
    const where = { id } as never;
    await em().nativeUpdate(Thing, where, { place: { town: "updated" } } as never);
    expect([await count("inserted"), await count("updated")]).to.deep.equal([0, 1]);
    await em().upsert(Thing, { id, place: { town: "upserted" } } as never);
    expect([await count("updated"), await count("upserted")]).to.deep.equal([0, 1]);
    const update = { place: { town: "built" } } as never;
    await em().createQueryBuilder(Thing).update(update).where(where).execute();
    expect([await count("upserted"), await count("built")]).to.deep.equal([0, 1]);
    await em().nativeUpdate(Thing, where, { place: { town: null } } as never);
    expect(await count("built")).to.equal(0);
  });

  it("knows rows by a timestamp that is finer than a Date", async () => {
    const { adapter, core } = suite.version;
    const Moment = new core.EntitySchema({
      name: "Moment",
      tableName: "moments",
      properties: {
        at: { type: "datetime", columnType: "timestamptz(6)", primary: true },
        short: { type: new adapter.EncryptedType({ blindIndex: { column: "i", bits: 4 } }) },
        shortIndex: { type: adapter.BlindIndexType, fieldName: "i", nullable: true },
      },
    } as never) as never;
    const other = await connect(suite.version, suite.database, [Moment], {
      keyring: suite.keyring,
    });
    try {
      await createSchema(other);
      const moments = (): EntityManager => other.em.fork() as EntityManager;
      await moments().insert(Moment, { at: new Date(0), short: "ada" } as never);
      await suite.database.query("update moments set at = at + interval '1 microsecond'");
      const others = { short: { $ne: "ada" } } as never;
      expect(await moments().count(Moment, { short: "ada" } as never)).to.equal(1);
      expect(await moments().count(Moment, others)).to.equal(0);
      expect(await moments().count(Moment, { $not: { short: "ada" } } as never)).to.equal(0);
      expect(await moments().nativeDelete(Moment, others)).to.equal(0);
      expect(await moments().nativeDelete(Moment, { short: "ada" } as never)).to.equal(1);
    } finally {
      await other.close(true);
    }
  });

  it("takes sub-queries in other conditions as they are", async () => {
    const builder = em()
      .createQueryBuilder(Thing, "t")
      .select("id" as never)
      .where({ wide: "ada" } as never);
    const native = builder as unknown as Record<string, (() => unknown) | undefined>;
    const query = (native.getKnexQuery ?? native.getNativeQuery)!.call(builder);
    expect(await find({ id: { $in: query } })).to.deep.equal([1, 4]);
    expect(await find({ $and: [{ id: { $in: query } }, { id: { $ne: 1 } }] })).to.deep.equal([4]);
  });

  it("refuses to compare more rows than it can", async function () {
    this.timeout(30_000);
    await forge(
      `insert into things (short, short_index)
       select short, short_index from things, generate_series(1, 10001) where id = 1`,
    );
    const error = await find({ short: "ada" }).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.message).to.match(/more than 10000 rows share a token; use more bits/);
  });
});
