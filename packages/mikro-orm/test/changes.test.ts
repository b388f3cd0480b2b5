// `nativeUpdate` and `nativeDelete` by a short blind index read first and write then. Each test lets another connection come
// in between: a row that still fits is changed once, one that does not is left alone.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { connect, createSchema, type EntityManager, type MikroORM } from "./database.ts";
import { onBothVersions } from "./suite.ts";

type Action = () => Promise<unknown>;

onBothVersions("A change by a short blind index", (suite) => {
  const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
  const rotated = Keyring.fromKey(newKey, { previous: [oldKey] });
  let keyring = Keyring.fromKey(oldKey);
  let orm: MikroORM;
  let Thing: never;
  let Pair: never;
  let actions: Readonly<Record<number, Action>> = {};
  let sent = 0;

  before(async () => {
    const { adapter, core } = suite.version;
    const { EncryptedType, EncryptedBinaryType, BlindIndexType } = adapter;
    const blindIndex = { column: "short_index", bits: 4 };
    const index = { type: BlindIndexType, fieldName: "short_index", nullable: true };
    class ThingClass {
      declare id: number;
    }
    Thing = new core.EntitySchema({
      class: ThingClass,
      tableName: "things",
      properties: {
        id: { type: "integer", primary: true, autoincrement: true },
        n: { type: "integer", default: 0 },
        short: { type: new EncryptedType({ blindIndex }), nullable: true },
        shortIndex: index,
        next: { kind: "m:1", entity: () => ThingClass, nullable: true },
      },
    } as never) as never;
    Pair = new core.EntitySchema({
      name: "Pair",
      tableName: "pairs",
      properties: {
        thing: { kind: "m:1", entity: () => ThingClass, primary: true, fieldName: "left" },
        right: { type: "bigint", primary: true, fieldName: "r" },
        n: { type: "integer", default: 0 },
        bytes: { type: new EncryptedBinaryType({ blindIndex }) },
        bytesIndex: index,
      },
    } as never) as never;
    orm = await connect(suite.version, suite.database, [Thing, Pair], { keyring: () => keyring });
    await createSchema(orm);
    const connection = orm.em.getConnection() as unknown as { execute(...all: unknown[]): unknown };
    const { execute } = connection;
    connection.execute = async (...all) => {
      await actions[++sent]?.();
      return execute.apply(connection, all);
    };
  });
  beforeEach(async () => {
    keyring = Keyring.fromKey(oldKey);
    await suite.database.query("truncate things, pairs restart identity cascade");
  });
  after(() => orm.close(true));

  const em = (): EntityManager => orm.em.fork() as EntityManager;
  const x = "ada";
  const reference = (): never => ({ entity: Thing, property: "short" }) as never;
  const tokensOf = (value: string): unknown[] =>
    suite.version.adapter.searchValues(em(), reference(), value);
  /** Another value with the same token. */
  const neighbourOf = (value: string): string =>
    Array.from({ length: 500 }, (_, i) => `n${i}`).find(
      (one) => tokensOf(one)[0] === tokensOf(value)[0],
    ) as string;
  /** As another process does, which knows nothing of ours. */
  const store = (id: number, short: string): Promise<unknown> =>
    suite.database.query("update things set short = $1, short_index = $2 where id = $3", [
      suite.version.adapter.encryptValue(em(), reference(), short),
      tokensOf(short)[0],
      id,
    ]);
  async function create(...values: readonly (string | null)[]): Promise<void> {
    await suite.database.query("truncate things restart identity cascade");
    await em().insertMany(Thing, values.map((short) => ({ short })) as never);
  }
  const stored = async (): Promise<unknown[]> =>
    (
      (await em().find(Thing, {}, { orderBy: { id: 1 } as never })) as {
        short: string;
        n: number;
      }[]
    ).map(({ short, n }) => [short, n]);
  const plusOne = (): { n: never } => ({ n: suite.version.core.raw("n + 1") as never });
  const update = (where: object, values: object = {}, manager = em()): Promise<number> =>
    manager.nativeUpdate(Thing, where as never, { ...plusOne(), ...values } as never);
  const remove = (where: object): Promise<number> => em().nativeDelete(Thing, where as never);

  /** What `run` gives, where actions come before some of its statements, by their number. */
  async function during<Result>(
    given: Readonly<Record<number, Action>>,
    run: () => Promise<Result>,
    statements?: number,
  ): Promise<Result> {
    [actions, sent] = [given, 0];
    try {
      const result = await run();
      if (statements !== undefined) expect(sent).to.equal(statements);
      return result;
    } finally {
      actions = {};
    }
  }

  it("reaches a row that is encrypted anew in between, and each row once", async () => {
    const anew = {
      2: () => store(1, x),
      // What was changed already is encrypted anew as well.
      3: () => store(2, x),
    };
    await create(x, x, "eve");
    expect(await during(anew, () => update({ short: x }), 4)).to.equal(2);
    expect(await stored()).to.deep.equal([
      [x, 1],
      [x, 1],
      ["eve", 0],
    ]);
    expect(await during(anew, () => remove({ short: x }), 4)).to.equal(2);
    expect(await stored()).to.deep.equal([["eve", 0]]);
  });

  it("sends no more where each row that was found is changed", async () => {
    await create(x, x, neighbourOf(x));
    expect(await during({}, () => update({ short: x }), 2)).to.equal(2);
    expect(await during({}, () => remove({ short: x, n: 1 }), 2)).to.equal(2);
    expect(await during({}, () => remove({ short: x }), 2)).to.equal(0);
    expect(await during({}, () => remove({ n: 5 }), 1)).to.equal(0);
    await create(x);
    // Why a row is not changed, another condition or another connection, only a look tells.
    expect(await during({}, () => remove({ short: x, n: 5 }), 3)).to.equal(0);
    expect(await during({}, () => remove({ short: { $ne: x } }), 3)).to.equal(0);
  });

  it("leaves alone what does not fit any more, and what is gone", async () => {
    await create(x, x, x, x);
    const between = async (): Promise<void> => {
      await store(1, neighbourOf(x));
      await store(2, "eve");
      await suite.database.query("delete from things where id = 3");
    };
    expect(await during({ 2: between }, () => update({ short: x }), 4)).to.equal(1);
    expect(await stored()).to.deep.equal([
      [neighbourOf(x), 0],
      ["eve", 0],
      [x, 1],
    ]);
  });

  it("reaches a row whose token changes too, in conditions of every shape", async () => {
    const raw = (): never => suite.version.core.raw("n >= 0") as never;
    // Outside of what is read, until it is encrypted by the new key.
    keyring = rotated;
    const xs = tokensOf(x);
    const y = Array.from({ length: 2000 }, (_, i) => `y${i}`).find((one) => {
      const tokens = tokensOf(one);
      return tokens[0] === xs[0] && !xs.includes(tokens[1]);
    }) as string;
    const conditions: [() => object, string, readonly unknown[][]][] = [
      [
        () => ({ short: x }),
        x,
        [
          ["z", 7],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        () => ({ short: x, [raw()]: [] }),
        x,
        [
          ["z", 7],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        () => [{ short: x }, { n: 7 }],
        x,
        [
          ["z", 8],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        () => ({ $or: [{ short: x }, { n: 7 }] }),
        x,
        [
          ["z", 8],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        () => ({ $and: [{ short: [x, "zoe"] }, { n: 0 }] }),
        x,
        [
          ["z", 7],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        () => ({ short: { $ne: x } }),
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
      [
        () => ({ $not: { short: x } }),
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
      [
        () => ({ short: { $nin: ["zoe", x] } }),
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
    ];
    for (const [i, [condition, value, others]] of conditions.entries()) {
      keyring = Keyring.fromKey(oldKey);
      // As many as hold what is asked for fit otherwise: the count alone says nothing.
      await create(value, value, "z", x, x);
      await em().nativeUpdate(Thing, { id: 3 } as never, { n: 7 } as never);
      keyring = rotated;
      const changed = await during({ 2: () => store(1, value) }, () => update(condition()));
      const rows = [[value, 1], [value, 1], ...others];
      expect(await stored(), `${i}`).to.deep.equal(rows);
      expect(changed).to.equal(rows.filter(([, n]) => n !== 0 && n !== 7).length);
    }
  });

  it("changes no row twice where it changes the very value", async () => {
    const neighbour = neighbourOf(x);
    const values = { short: neighbour };
    await create(x, x);
    expect(await during({ 2: () => store(1, x) }, () => update({ short: x }, values))).to.equal(2);
    expect(await stored()).to.deep.equal([
      [neighbour, 1],
      [neighbour, 1],
    ]);
    // And still fits afterwards.
    const anew = { 2: () => store(1, neighbour) };
    expect(await during(anew, () => update({ short: { $ne: x } }, values))).to.equal(2);
    expect(await stored()).to.deep.equal([
      [neighbour, 2],
      [neighbour, 2],
    ]);
  });

  it("reaches a row whose relation is encrypted anew, and each row once", async () => {
    await create(x, x, "eve", "eve", "eve");
    await suite.database.query("update things set next_id = least(id - 2, 2) where id > 2");
    // Once more when it is read which rows lead there.
    const anew = { 2: () => store(1, x), 3: () => store(2, x), 4: () => store(1, x) };
    expect(await during(anew, () => update({ next: { short: x } }))).to.equal(3);
    expect(await stored()).to.deep.equal([
      [x, 0],
      [x, 0],
      ["eve", 1],
      ["eve", 1],
      ["eve", 1],
    ]);
    expect(await during(anew, () => remove({ next: { short: x } }))).to.equal(3);
    expect(await stored()).to.deep.equal([
      [x, 0],
      [x, 0],
    ]);
  });

  if (suite.version.number === 7) {
    it("reaches a row that fits one of the conditions in a union", async () => {
      await create(x, x, "eve");
      const options = { unionWhere: [{ short: x }, { n: 7 }] } as never;
      const changed = await during({ 3: () => store(1, x) }, () =>
        em().nativeUpdate(Thing, {}, plusOne() as never, options),
      );
      expect(changed).to.equal(2);
      expect(await stored()).to.deep.equal([
        [x, 1],
        [x, 1],
        ["eve", 0],
      ]);
    });
  }

  it("goes on in a transaction, and fails in a repeatable read like a plain property", async () => {
    await create(x, x);
    const run = (isolationLevel: string, where: object): Promise<unknown> =>
      em().transactional(
        async (inner) => {
          await inner.count(Thing, {});
          const given = "short" in where ? { 2: () => store(1, x) } : { 1: () => store(1, x) };
          return during(given, () => update(where, {}, inner as EntityManager));
        },
        { isolationLevel } as never,
      );
    expect(await run("read committed", { short: x })).to.equal(2);
    for (const where of [{ short: x }, { id: 1 }]) {
      const error = await run("repeatable read", where).catch((thrown: unknown) => thrown);
      expect(error).to.have.property("code", "40001");
    }
    expect(await stored()).to.deep.equal([
      [x, 1],
      [x, 1],
    ]);
  });

  it("knows rows by several keys, of relations and of columns with other names", async () => {
    await create(x);
    const bytes = Buffer.from("bytes");
    await em().insertMany(Pair, [1, 2].map((right) => ({ thing: 1, right, bytes })) as never);
    const anew = (): Promise<unknown> =>
      suite.database.query("update pairs set bytes = $1 where r = 1", [
        suite.version.adapter.encryptValue(
          em(),
          { entity: Pair, property: "bytes" } as never,
          bytes,
        ),
      ]);
    const where = { bytes } as never;
    const changed = await during(
      { 2: anew },
      () => em().nativeUpdate(Pair, where, plusOne() as never),
      4,
    );
    expect(changed).to.equal(2);
    expect(await em().count(Pair, { n: 1 } as never)).to.equal(2);
    expect(await during({ 2: anew }, () => em().nativeDelete(Pair, where), 4)).to.equal(2);
  });

  it("leaves a row out rather than change one twice, where it is not told which", async () => {
    await create(x, x);
    const driver = orm.em.getDriver() as unknown as Record<string, (...all: never[]) => unknown>;
    const { nativeUpdate } = driver;
    driver.nativeUpdate = (...[entity, where, data, options]: never[]) =>
      nativeUpdate!.apply(driver, [
        entity,
        where,
        data,
        { ...(options as unknown as object), loggerContext: undefined },
      ] as never);
    expect(await during({ 2: () => store(1, x) }, () => update({ short: x }), 2)).to.equal(1);
    driver.nativeUpdate = nativeUpdate!;
    expect(await stored()).to.deep.equal([
      [x, 0],
      [x, 1],
    ]);
  });

  it("gives up when a row changes again and again, and says what is done", async () => {
    await create(x, x);
    const anew = (): Promise<unknown> => store(1, x);
    const given = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [2 * i + 2, anew]));
    const error = (await during(given, () => update({ short: x })).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    expect(error).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
    expect(error.message).to.include("in each of 10 attempts").and.include("1 are changed");
    expect(await stored()).to.deep.equal([
      [x, 0],
      [x, 1],
    ]);
  });
});
