// 10 000 rows through Sequelize: encrypted columns against plain ones, and against the packages that exist for it,
// round after round in one run on one PostgreSQL. Models are as Sequelize makes them by default (id, createdAt,
// updatedAt); "bare" ones have an id and the value alone, which is the least work that encryption can add to.
//
// What is computed: each round runs every candidate once, those of one width one after another (both orders shuffled),
// after a full garbage collection and a pause in which what the collector and the server still do can end. So
// no candidate pays for another's garbage, but each pays for all the collecting that happens while it runs. A round gives
// one ratio per candidate, to the plain columns of the same round; the table has their median and, in brackets, their
// quartiles. No round is left out but the first, which warms up.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedType, fieldseal } from "@fieldseal/sequelize";
import { DataTypes, type Model, type ModelOptions, type ModelStatic, Sequelize } from "sequelize";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable, median, quantile } from "./interleaved.ts";
import { keyringModel, sequelizeEncryptedModel } from "./sequelize-others.ts";

const ROWS = 10_000;
/** Of reading; the slower operations, whose ratios scatter less, have a third of it. */
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 24);
/** For the collector's threads and the server to come to rest, in ms. */
const PAUSE_MS = 10;

const database = await createTestDatabase();
const connect = (): Sequelize =>
  new Sequelize(database.url, { dialect: "postgres", logging: false, pool: { max: 1 } });
const sequelize = fieldseal(connect(), { keyring: Keyring.fromKey(generateRootKey()) });

function define(
  name: string,
  columns: number,
  type: unknown,
  options: ModelOptions = {},
): ModelStatic<Model> {
  const attributes = Object.fromEntries(columnNames(columns).map((column) => [column, type]));
  return sequelize.define(name, attributes as never, options);
}

function columnNames(columns: number): string[] {
  return Array.from({ length: columns }, (_, i) => `value${i}`);
}

/** Rows of short personal values: names and addresses of 15 to 40 characters. */
function rowsOf(columns: number): Record<string, string>[] {
  return Array.from({ length: ROWS }, () =>
    Object.fromEntries(
      columnNames(columns).map((column) => [
        column,
        `${randomBytes(6).toString("hex")}@example-domain.org`,
      ]),
    ),
  );
}

interface Candidate {
  readonly model: ModelStatic<Model>;
  readonly columns: number;
  /** Name of the candidate that its times are divided by. */
  readonly reference: string;
  /** Whether this package can do it at all; see the notes below the table. */
  readonly canBulk: boolean;
  readonly canRaw: boolean;
}

const other = createRequire(import.meta.url);
const bare = { timestamps: false };
const candidates: Record<string, Candidate> = {
  "plain, 1 column": {
    model: define("Plain1", 1, DataTypes.TEXT),
    columns: 1,
    reference: "plain, 1 column",
    canBulk: true,
    canRaw: true,
  },
  "**fieldseal**, 1 column": {
    model: define("Sealed1", 1, EncryptedType),
    columns: 1,
    reference: "plain, 1 column",
    canBulk: true,
    canRaw: true,
  },
  "sequelize-encrypted, 1 column": {
    model: sequelizeEncryptedModel(other, sequelize),
    columns: 1,
    reference: "plain, 1 column",
    canBulk: true,
    canRaw: false,
  },
  "@fnando/keyring, 1 column": {
    model: keyringModel(other, sequelize),
    columns: 1,
    reference: "plain, 1 column",
    canBulk: false,
    canRaw: false,
  },
  "plain, 4 columns": {
    model: define("Plain4", 4, DataTypes.TEXT),
    columns: 4,
    reference: "plain, 4 columns",
    canBulk: true,
    canRaw: true,
  },
  "**fieldseal**, 4 columns": {
    model: define("Sealed4", 4, EncryptedType),
    columns: 4,
    reference: "plain, 4 columns",
    canBulk: true,
    canRaw: true,
  },
  "plain, 1 column, bare": {
    model: define("PlainBare", 1, DataTypes.TEXT, bare),
    columns: 1,
    reference: "plain, 1 column, bare",
    canBulk: true,
    canRaw: true,
  },
  "**fieldseal**, 1 column, bare": {
    model: define("SealedBare", 1, EncryptedType, bare),
    columns: 1,
    reference: "plain, 1 column, bare",
    canBulk: true,
    canRaw: true,
  },
};

await sequelize.sync();
const rows = new Map([1, 4].map((columns) => [columns, rowsOf(columns)]));
for (const { model, columns, canBulk } of Object.values(candidates)) {
  const values = rows.get(columns) ?? [];
  if (canBulk) await model.bulkCreate(values, { returning: false });
  else
    await inChunks(values, 500, (chunk) => Promise.all(chunk.map((value) => model.create(value))));
}

const operations: Record<string, (candidate: Candidate) => (() => Promise<unknown>) | undefined> = {
  findAll:
    ({ model }) =>
    () =>
      model.findAll(),
  "findAll raw": ({ model, canRaw }) => (canRaw ? () => model.findAll({ raw: true }) : undefined),
  bulkCreate: ({ model, columns, canBulk }) =>
    canBulk
      ? async () => {
          const values = rows.get(columns) ?? [];
          await sequelize
            .transaction(async (transaction) => {
              await model.bulkCreate(values, { transaction });
              // What this round wrote is taken back, so that every round reads and writes the same table.
              await transaction.rollback();
            })
            .catch(() => {});
        }
      : undefined,
  "update of 1 column, 500 rows":
    ({ model }) =>
    async () => {
      const instances = await model.findAll({ limit: 500 });
      for (const instance of instances) {
        await instance.update({ value0: `${randomBytes(6).toString("hex")}@example-domain.org` });
      }
    },
};

console.log(
  `node ${process.version}, ${ROWS} rows, ${ROUNDS} rounds of reading and ${roundsOf("")} of the others; ms: median (least); ` +
    "ratio to plain of the same width and round: median (quartiles)\n",
);
const table: string[][] = [];
for (const [name, prepare] of Object.entries(operations)) {
  const times = await measure(prepare, roundsOf(name));
  for (const [candidate, { reference }] of Object.entries(candidates)) {
    const own = times.get(candidate);
    const plain = times.get(reference);
    if (!own || !plain) {
      table.push([name, candidate, "cannot", ""]);
      continue;
    }
    const ratios = own.map((ms, round) => ms / (plain[round] as number));
    table.push([
      name,
      candidate,
      `${median(own).toFixed(0)} (${quantile(own, 0).toFixed(0)})`,
      candidate === reference
        ? "1"
        : `${median(ratios).toFixed(2)} (${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)})`,
    ]);
  }
}
console.log(markdownTable(["", "", "ms", "of plain"], table));
console.log(
  "\n@fnando/keyring stores NULL from bulkCreate, and both packages give no plaintext with raw: true; sequelize-encrypted is not authenticated.",
);
await sequelize.close();
await database.drop();
await stopPostgres();

function roundsOf(operation: string): number {
  return operation.startsWith("findAll") ? ROUNDS : Math.ceil(ROUNDS / 3);
}

/** Times in ms by candidate, one per round. */
async function measure(
  prepare: (candidate: Candidate) => (() => Promise<unknown>) | undefined,
  rounds: number,
): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const [name, candidate] of inRandomOrder()) {
      const action = prepare(candidate);
      if (!action) continue;
      global.gc?.();
      await delay(PAUSE_MS);
      const start = process.hrtime.bigint();
      await action();
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), ms]); // the first round warms up
    }
  }
  return samples;
}

/** Those that are compared stay together: less of what else the machine does comes between them. */
function inRandomOrder(): [string, Candidate][] {
  const groups = Map.groupBy(Object.entries(candidates), ([, { reference }]) => reference);
  return shuffled([...groups.values()]).flatMap((group) => shuffled(group));
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

async function inChunks<T>(
  items: readonly T[],
  size: number,
  act: (chunk: readonly T[]) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < items.length; from += size) await act(items.slice(from, from + size));
}
