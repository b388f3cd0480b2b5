// UPDATE, DELETE and increment by a short blind index read first and write then. Each test lets another connection come
// in between: a row that still fits is changed once, one that does not is left alone.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import pg from "pg";
import { DataTypes, literal, Op, Transaction, type Model, type ModelStatic } from "sequelize";
import { encryptValue, EncryptedType, searchValues } from "../src/index.ts";
import { queryInterfaceOf } from "../src/sequelize-internals.ts";
import { connect, openDatabase, type Opened } from "./database.ts";

type Action = () => Promise<unknown>;

describe("a change by a short blind index", () => {
  const [oldKey, newKey] = [generateRootKey(), generateRootKey()];
  let keyring = Keyring.fromKey(oldKey);
  let opened: Opened;
  let Row: ModelStatic<Model>;
  let isBusy: () => Promise<void>;
  const email = EncryptedType({ blindIndex: { column: "email_index", bits: 4 } });
  const x = "x@example.org";

  before(async function () {
    this.timeout(60_000);
    opened = await openDatabase(() => keyring);
    const attributes = { email, n: { type: DataTypes.INTEGER, defaultValue: 0 } };
    Row = opened.sequelize.define("Row", attributes, { timestamps: false });
    await Row.sync();
    isBusy = async () => {
      const waiting =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
      while ((await opened.database.query(waiting)).length === 0);
    };
  });
  beforeEach(() => Row.destroy({ truncate: true, restartIdentity: true }));
  afterEach(() => {
    opened.sequelize.removeHook("beforeQuery", "between");
    keyring = Keyring.fromKey(oldKey);
  });
  after(() => opened.close());

  const create = (...emails: readonly (string | null)[]): Promise<Model[]> =>
    Row.bulkCreate(emails.map((one) => ({ email: one })));
  const tokenOf = (value: string): unknown => searchValues(Row, "email", value)[0];
  /** Another value with the same token. */
  const neighbourOf = (value: string): string =>
    Array.from({ length: 500 }, (_, i) => `n${i}@example.org`).find(
      (one) => tokenOf(one) === tokenOf(value),
    ) as string;
  /** As another process does, which knows nothing of ours. */
  const store = (id: number, value: string): Promise<unknown> =>
    opened.database.query('UPDATE "Rows" SET email = $1, email_index = $2 WHERE id = $3', [
      encryptValue(Row, "email", value),
      tokenOf(value),
      id,
    ]);
  const stored = (): Promise<unknown[]> =>
    Row.findAll({ raw: true, order: ["id"] }).then((rows) =>
      (rows as unknown as { email: string | null; n: number }[]).map((row) => [row.email, row.n]),
    );
  /** The statements that `run` sends, where actions come before some of them, by their number. */
  async function sent(
    run: Action,
    actions: Readonly<Record<number, Action>> = {},
  ): Promise<number> {
    let statements = 0;
    opened.sequelize.addHook("beforeQuery", "between", async () => {
      await actions[++statements]?.();
    });
    await run();
    opened.sequelize.removeHook("beforeQuery", "between");
    return statements;
  }
  /** The same for the result, of so many statements. */
  async function sentWith(
    run: Action,
    actions: Readonly<Record<number, Action>>,
    count?: number,
  ): Promise<unknown> {
    let result: unknown;
    const statements = await sent(async () => (result = await run()), actions);
    if (count !== undefined) expect(statements).to.equal(count);
    return result;
  }
  const where = { email: x };

  const { INT8 } = pg.types.builtins;
  const parseInt8 = pg.types.getTypeParser(INT8);
  afterEach(() => pg.types.setTypeParser(INT8, parseInt8));

  it("reaches a row that is encrypted anew in between, and each row once", async () => {
    const expectRun = async (run: () => Promise<unknown>, result: unknown, rows: unknown) => {
      await Row.destroy({ truncate: true, restartIdentity: true });
      await create(x, x, "other");
      let changed: unknown;
      const statements = await sent(async () => (changed = await run()), {
        2: () => store(1, x),
        // What was changed already is encrypted anew as well.
        3: () => store(2, x),
      });
      expect(statements).to.equal(4);
      expect(changed).to.deep.equal(result);
      expect(await stored()).to.deep.equal(rows);
    };
    const other = ["other", 0];
    await expectRun(() => Row.destroy({ where }), 2, [other]);
    const once = [[x, 1], [x, 1], other];
    await expectRun(() => Row.update({ n: literal("n + 1") }, { where }), [2], once);
    const returned = [
      { id: 2, email: x, n: 1 },
      { id: 1, email: x, n: 1 },
    ];
    await expectRun(() => Row.increment("n", { where }), [[returned, 2]], once);
    await expectRun(
      () => Row.decrement("n", { where, by: -1, returning: false } as never),
      [[[], 2]],
      once,
    );
  });

  it("sends no more where each row that was found is changed", async () => {
    await create(x, x, neighbourOf(x));
    expect(await sent(() => Row.update({ n: 1 }, { where }))).to.equal(2);
    expect(await sent(() => Row.increment("n", { where }))).to.equal(2);
    expect(await sent(() => Row.destroy({ where, limit: 1 }))).to.equal(2);
    expect(await sent(() => Row.destroy({ where }))).to.equal(2);
    expect(await sent(() => Row.destroy({ where }))).to.equal(2);
    expect(await sent(() => Row.destroy({ where: { n: 5 } }))).to.equal(1);
    await create(x);
    // Why a row is not changed, another condition or another connection, only a look tells.
    expect(await sent(() => Row.destroy({ where: { ...where, n: 5 } }))).to.equal(3);
    expect(await sent(() => Row.destroy({ where: { email: { [Op.ne]: x } } }))).to.equal(3);
  });

  it("leaves alone what does not fit any more, and what is gone", async () => {
    await create(x, x, x, x);
    const [changed] = (await sentWith(
      () => Row.update({ n: literal("n + 1") }, { where }),
      {
        2: async () => {
          await store(1, neighbourOf(x));
          await store(2, "somebody else");
          await opened.database.query('DELETE FROM "Rows" WHERE id = 3');
        },
      },
      4,
    )) as [number];
    expect(changed).to.equal(1);
    expect(await stored()).to.deep.equal([
      [neighbourOf(x), 0],
      ["somebody else", 0],
      [x, 1],
    ]);
  });

  it("reaches a row whose token changes too, in conditions of every shape", async () => {
    const y = Array.from({ length: 500 }, (_, i) => `y${i}`).find((one) => {
      const tokens = [tokenOf(one), tokenOf(x)];
      return tokens[0] !== tokens[1] && isNeighbourByNewKey(one);
    }) as string;
    const conditions: [object, string, readonly unknown[][]][] = [
      [
        { email: x },
        x,
        [
          ["z", 7],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        { [Op.or]: [{ email: x }, { n: 7 }] },
        x,
        [
          ["z", 8],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        { email: { [Op.or]: [x, "z"] } },
        x,
        [
          ["z", 8],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        { [Op.and]: [{ email: [x, "nobody"] }, { n: 0 }] },
        x,
        [
          ["z", 7],
          [x, 1],
          [x, 1],
        ],
      ],
      [
        { email: { [Op.ne]: x } },
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
      [
        { [Op.not]: { email: x } },
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
      [
        { email: { [Op.notIn]: ["nobody", x] } },
        y,
        [
          ["z", 8],
          [x, 0],
          [x, 0],
        ],
      ],
    ];
    for (const [condition, value, others] of conditions) {
      await Row.destroy({ truncate: true, restartIdentity: true });
      keyring = Keyring.fromKey(oldKey);
      // As many as hold what is asked for fit otherwise: the count alone says nothing.
      await create(value, value, "z", x, x);
      await Row.update({ n: 7 }, { where: { id: 3 } });
      keyring = Keyring.fromKey(newKey, { previous: [oldKey] });
      const [changed] = (await sentWith(
        () => Row.update({ n: literal("n + 1") }, { where: condition as never }),
        { [firstWrite(condition)]: () => store(1, value) },
      )) as [number];
      const rows = [[value, 1], [value, 1], ...others];
      expect(await stored()).to.deep.equal(rows);
      expect(changed).to.equal(rows.filter(([, n]) => n !== 0 && n !== 7).length);
    }
  });

  /** After the statements that read, one for each comparison. */
  const firstWrite = (condition: object): number =>
    (condition as { email?: Record<symbol, unknown> }).email?.[Op.or as never] ? 3 : 2;

  function isNeighbourByNewKey(value: string): boolean {
    const [tokens, others] = [value, x].map((one) => {
      keyring = Keyring.fromKey(newKey, { previous: [oldKey] });
      const found = searchValues(Row, "email", one);
      keyring = Keyring.fromKey(oldKey);
      return found;
    }) as [unknown[], unknown[]];
    // Outside of what is read, until it is encrypted by the new key.
    return tokens[0] === others[0] && !others.includes(tokens[1]);
  }

  it("changes no row twice where it changes the very value", async () => {
    const neighbour = neighbourOf(x);
    const values = { email: neighbour, n: literal("n + 1") };
    await create(x, x);
    expect(
      await sentWith(() => Row.update(values, { where }), { 2: () => store(1, x) }),
    ).to.deep.equal([2]);
    expect(await stored()).to.deep.equal([
      [neighbour, 1],
      [neighbour, 1],
    ]);
    // And still fits afterwards.
    const others = { email: { [Op.ne]: x } };
    const changed = await sentWith(() => Row.update(values, { where: others }), {
      2: () => store(1, neighbour),
    });
    expect(changed).to.deep.equal([2]);
    expect(await stored()).to.deep.equal([
      [neighbour, 2],
      [neighbour, 2],
    ]);
  });

  it("stops at its limit", async () => {
    await create(x, x, x);
    const destroy = (): Promise<number> => Row.destroy({ where: { ...where, n: 0 }, limit: 2 });
    const again = async (): Promise<void> => {
      await store(1, x);
      await store(2, x);
    };
    expect(await sentWith(destroy, { 2: again }, 4)).to.equal(2);
    expect(await Row.count()).to.equal(1);
  });

  it("gives what was asked for, of all statements", async () => {
    const ask = async (options: object): Promise<unknown> => {
      await Row.destroy({ truncate: true, restartIdentity: true });
      await create(x, x);
      const update = (): Promise<unknown> => Row.update({ n: 1 }, { where, ...options } as never);
      return JSON.parse(JSON.stringify(await sentWith(update, { 2: () => store(1, x) }, 4)));
    };
    expect(await ask({})).to.deep.equal([2]);
    for (const returning of [true, ["*"]]) {
      expect(await ask({ returning })).to.deep.equal([
        2,
        [
          { id: 2, email: x, n: 1 },
          { id: 1, email: x, n: 1 },
        ],
      ]);
    }
    expect(await ask({ returning: ["n"] })).to.deep.equal([2, [{ n: 1 }, { n: 1 }]]);
    expect(await ask({ returning: ["email", "id"], raw: true })).to.deep.equal([
      2,
      [
        { email: x, id: 2 },
        { email: x, id: 1 },
      ],
    ]);
  });

  it("runs hooks once, and says to those of bulk changes what it says without", async () => {
    const names = [
      "beforeBulkUpdate",
      "afterBulkUpdate",
      "beforeBulkDestroy",
      "afterBulkDestroy",
    ] as const;
    const ran: string[] = [];
    const Hooked = Row.scope();
    for (const name of names) Hooked.addHook(name, "count", () => void ran.push(name));
    await create(x, x);
    await sentWith(() => Hooked.update({ n: 1 }, { where }), { 2: () => store(1, x) }, 4);
    await sentWith(() => Hooked.destroy({ where }), { 2: () => store(1, x) }, 4);
    for (const name of names) Row.removeHook(name, "count");
    expect(ran).to.deep.equal(names);
  });

  it("is complete where the row is locked when the statement comes to it", async () => {
    const other = connect(opened.database);
    for (const value of [x, neighbourOf(x)]) {
      await Row.destroy({ truncate: true, restartIdentity: true });
      await create(x, x);
      const transaction = await other.transaction();
      const replacements = { email: encryptValue(Row, "email", value) };
      await other.query('UPDATE "Rows" SET email = :email WHERE id = 1', {
        transaction,
        replacements,
      });
      const changing = Row.increment("n", { where });
      await isBusy();
      await transaction.commit();
      await changing;
      expect(await stored()).to.deep.equal([
        [value, value === x ? 1 : 0],
        [x, 1],
      ]);
    }
    await other.close();
  });

  it("goes on in a transaction, and fails in a repeatable read like a plain column", async () => {
    await create(x, x);
    const run = (
      isolationLevel: Transaction.ISOLATION_LEVELS,
      condition: object,
    ): Promise<unknown> =>
      opened.sequelize.transaction({ isolationLevel }, async (transaction) => {
        await Row.count({ transaction });
        const options = { where: condition as never, transaction };
        return sentWith(() => Row.update({ n: literal("n + 1") }, options), {
          1: () => store(1, x),
        });
      });
    const { READ_COMMITTED, REPEATABLE_READ } = Transaction.ISOLATION_LEVELS;
    expect(await run(READ_COMMITTED, where)).to.deep.equal([2]);
    for (const condition of [where, { id: 1 }]) {
      const error = await run(REPEATABLE_READ, condition).catch((thrown: Error) => thrown);
      expect(error).to.have.nested.property("parent.code", "40001");
    }
    expect(await stored()).to.deep.equal([
      [x, 1],
      [x, 1],
    ]);
  });

  it("knows rows by several keys and by bytes, by columns of other names, for restores and seeds", async () => {
    const Pair = opened.sequelize.define(
      "Pair",
      {
        left: { type: DataTypes.BIGINT, primaryKey: true, field: "l" },
        right: { type: DataTypes.BLOB, primaryKey: true, field: "r" },
        email: EncryptedType({ storage: "binary", blindIndex: { column: "i", bits: 4 } }),
        n: { type: DataTypes.INTEGER, field: "number" },
      },
      { createdAt: false, updatedAt: false, paranoid: true },
    );
    await Pair.sync();
    pg.types.setTypeParser(INT8, BigInt); // as some applications do
    await Pair.bulkCreate(
      [1, 2].map((i) => ({ left: 1, right: Buffer.from([200 + i]), email: x, n: 0 })),
    );
    const anew = (): Promise<unknown> =>
      opened.database.query('UPDATE "Pairs" SET email = $1 WHERE r = $2', [
        encryptValue(Pair, "email", x),
        Buffer.from([201]),
      ]);
    const queryInterface = queryInterfaceOf(opened.sequelize);
    const options = { returning: ["number"] };
    const incremented = await sentWith(
      () => Pair.increment("n", { where, ...options } as never),
      { 2: anew },
      4,
    );
    // Sequelize counts the pair of rows and count.
    expect(incremented).to.deep.equal([[[{ number: 1 }, { number: 1 }], 2], 2]);
    expect(await sentWith(() => Pair.destroy({ where }), { 2: anew }, 4)).to.equal(2);
    await sentWith(() => Pair.restore({ where }), { 2: anew }, 4);
    expect(await Pair.count({ where: { n: 1 } })).to.equal(2);
    const update = (): Promise<unknown> =>
      queryInterface.bulkUpdate("Pairs", { number: 5 }, where, {});
    expect(await sentWith(update, { 2: anew }, 4)).to.equal(2);
    const remove = (): Promise<unknown> => queryInterface.bulkDelete("Pairs", where, {});
    const [, { rowCount }] = (await sentWith(remove, { 2: anew }, 4)) as [
      unknown,
      { rowCount: number },
    ];
    expect(rowCount).to.equal(2);
  });

  it("increments an instance once", async () => {
    const [one] = (await create(x, x)) as [Model, Model];
    const increment = (): Promise<unknown> => one.increment("n", { where } as never);
    await sentWith(increment, { 2: () => store(1, x) }, 4);
    await sentWith(increment, {}, 2);
    expect(await stored()).to.deep.equal([
      [x, 2],
      [x, 0],
    ]);
  });

  it("gives up when a row changes again and again, and says what is done", async () => {
    await create(x, x);
    const anew = (): Promise<unknown> => store(1, x);
    const actions = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [2 * i + 2, anew]));
    const error = (await sentWith(() => Row.increment("n", { where }), actions).catch(
      (thrown: unknown) => thrown,
    )) as Error;
    opened.sequelize.removeHook("beforeQuery", "between");
    expect(error).to.have.property("code", "ERR_QUERY_UNSUPPORTED");
    expect(error.message).to.include("in each of 10 attempts").and.include("1 are changed");
    expect(await stored()).to.deep.equal([
      [x, 0],
      [x, 1],
    ]);
  });
});
