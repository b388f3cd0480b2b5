// 10 000 rows through MikroORM: encrypted columns, and the type that everybody writes first (a random IV, encrypted in
// convertToDatabaseValue), each against plain columns of type `text`, in one run on one PostgreSQL.
//
// A round runs plain and the other one right after each other, in random order, each on a heap just collected. What is
// printed is the median over rounds of the ratio within a round, and its quartiles: half of the rounds lie between, of a
// random IV's three rounds all.
// BENCH_ROUNDS is the number of rounds of every operation in place of its own.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedType, fieldseal } from "@fieldseal/mikro-orm";
import { EntitySchema, MikroORM, Type, type EntityManager } from "@mikro-orm/postgresql";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable, median } from "./interleaved.ts";

const ROWS = 10_000;
const ROUNDS = process.env.BENCH_ROUNDS;

const naiveKey = createSecretKey(randomBytes(32));

/** AES-256-GCM with a random nonce on every conversion. */
class NaiveType extends Type<string, string> {
  override convertToDatabaseValue(value: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", naiveKey, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final()]);
    return Buffer.concat([sealed, cipher.getAuthTag()]).toString("base64");
  }

  override convertToJSValue(value: string): string {
    const bytes = Buffer.from(value, "base64");
    const cipher = createDecipheriv("aes-256-gcm", naiveKey, bytes.subarray(0, 12), {
      authTagLength: 16,
    });
    cipher.setAuthTag(bytes.subarray(-16));
    return cipher.update(bytes.subarray(12, -16), undefined, "utf8") + cipher.final("utf8");
  }

  override getColumnType(): string {
    return "text";
  }
}

type Row = Record<string, string>;

interface Candidate {
  readonly columns: 1 | 4;
  readonly entity: EntitySchema<Row>;
}

function candidate(name: string, columns: 1 | 4, type: object): Candidate {
  const properties = Object.fromEntries(
    Array.from({ length: columns }, (_, i) => [`value${i}`, { ...type }]),
  );
  const entity = new EntitySchema({
    name: `${name}${columns}`,
    properties: { id: { type: "integer", primary: true, autoincrement: true }, ...properties },
  } as never) as unknown as EntitySchema<Row>;
  return { columns, entity };
}

const widths = ([1, 4] as const).map((columns) => ({
  label: `${columns} column${columns > 1 ? "s" : ""}`,
  plain: candidate("Plain", columns, { type: "text" }),
  /** Also plain, but MikroORM does not copy what it takes for an immutable string. */
  asString: candidate("AsString", columns, { type: "string", columnType: "text" }),
  fieldseal: candidate("Fieldseal", columns, { type: EncryptedType }),
  naive: candidate("Naive", columns, { type: NaiveType }),
}));
const candidates = widths.flatMap(({ plain, asString, fieldseal, naive }) => [
  plain,
  asString,
  fieldseal,
  naive,
]);

const database = await createTestDatabase();
const orm = await MikroORM.init(
  fieldseal(
    { clientUrl: database.url, entities: candidates.map(({ entity }) => entity) },
    { keyring: Keyring.fromKey(generateRootKey()) },
  ),
);
await orm.schema.create();
const newManager = (): EntityManager => orm.em.fork();

function rows(columns: number, count = ROWS): Row[] {
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      Array.from({ length: columns }, (_, i) => [
        `value${i}`,
        `${randomBytes(6).toString("hex")}@example-domain.org`,
      ]),
    ),
  );
}

for (const { entity, columns } of candidates) {
  await newManager().insertMany(entity, rows(columns) as never);
}

interface Operation {
  readonly rounds: number;
  /**
   * How often it is timed in a round, after once that is not; 0 times the first. Collecting the heap makes V8 drop
   * code, which a short operation would be charged with. Defaults to 0.
   */
  readonly repeats?: number;
  /** Returns what is timed; what comes before is not. */
  prepare(candidate: Candidate): Promise<() => Promise<unknown>>;
}

/** Of the random IV: its ratios are far from 1. */
const NAIVE_ROUNDS = 3;

const loaded = new Map<object, EntityManager>();

const operations: Record<string, Operation> = {
  find: {
    rounds: 15,
    prepare: async ({ entity }) => {
      const em = newManager();
      return () => em.find(entity, {});
    },
  },
  "untouched flush": {
    rounds: 25,
    repeats: 10,
    prepare: async ({ entity }) => {
      // The same managers all through: a flush of nothing changes nothing.
      let em = loaded.get(entity);
      if (em === undefined) {
        loaded.set(entity, (em = newManager()));
        await em.find(entity, {});
      }
      return () => em.flush();
    },
  },
  insertMany: {
    rounds: 9,
    prepare: async ({ entity, columns }) => {
      const data = rows(columns);
      return () => rolledBack((em) => em.insertMany(entity, data as never));
    },
  },
  "flush of new entities": {
    rounds: 7,
    prepare: async ({ entity, columns }) => {
      const data = rows(columns);
      return () =>
        rolledBack((em) => {
          for (const row of data) em.persist(em.create(entity, row as never));
          return em.flush();
        });
    },
  },
  "update of 1 column, 1000 rows": {
    rounds: 9,
    prepare: async ({ entity }) => {
      const em = newManager();
      const found = await em.find(entity, {}, { limit: 1000 });
      for (const row of found)
        (row as Row).value0 = `${randomBytes(6).toString("hex")}@example.org`;
      return () => em.flush();
    },
  },
};

/** What a round writes is taken back, so that every round reads and writes the same table. */
async function rolledBack(action: (em: EntityManager) => Promise<unknown>): Promise<void> {
  const back = new Error("back");
  await newManager()
    .transactional(async (em) => {
      await action(em as EntityManager);
      throw back;
    })
    .catch((error: unknown) => {
      if (error !== back) throw error;
    });
}

/** Milliseconds of one candidate's turn in a round. */
async function timeOf({ prepare, repeats = 0 }: Operation, candidate: Candidate): Promise<number> {
  const action = await prepare(candidate);
  global.gc?.();
  if (repeats > 0) await action();
  const start = process.hrtime.bigint();
  for (let i = 0; i < Math.max(1, repeats); i++) await action();
  return Number(process.hrtime.bigint() - start) / 1e6 / Math.max(1, repeats);
}

interface Pair {
  readonly plainMs: number;
  readonly otherMs: number;
}

async function compare(operation: Operation, plain: Candidate, other: Candidate): Promise<Pair[]> {
  const { rounds } = operation;
  const pairs: Pair[] = [];
  const warmUp = rounds > NAIVE_ROUNDS ? 2 : 1;
  for (let round = -warmUp; round < Number(ROUNDS ?? rounds); round++) {
    const isPlainFirst = Math.random() < 0.5;
    const first = await timeOf(operation, isPlainFirst ? plain : other);
    const second = await timeOf(operation, isPlainFirst ? other : plain);
    const [plainMs, otherMs] = isPlainFirst ? [first, second] : [second, first];
    if (round >= 0) pairs.push({ plainMs, otherMs });
  }
  loaded.clear(); // nobody else's collections shall walk over them
  return pairs;
}

const table: string[][] = [];
function report(first: readonly [string, string], name: string, pairs: readonly Pair[]): void {
  const ratios = pairs.map(({ plainMs, otherMs }) => otherMs / plainMs).toSorted((a, b) => a - b);
  const at = (index: number): string => (ratios[index] ?? Number.NaN).toFixed(2);
  const quarter = Math.floor((ratios.length - 1) / 4);
  const ms = (one: (pair: Pair) => number): string => median(pairs.map(one)).toFixed(1);
  table.push([
    ...first,
    name,
    ms(({ plainMs }) => plainMs),
    ms(({ otherMs }) => otherMs),
    median(ratios).toFixed(2),
    `${at(quarter)}-${at(ratios.length - 1 - quarter)}`,
  ]);
  console.error(table.at(-1)?.join(", "));
}

for (const [name, operation] of Object.entries(operations)) {
  for (const { label, plain, asString, fieldseal, naive } of widths) {
    report([name, label], "**fieldseal**", await compare(operation, plain, fieldseal));
    if (operation === operations["untouched flush"]) {
      report([name, label], "plain `string`", await compare(operation, plain, asString));
    }
    const briefly = { ...operation, rounds: NAIVE_ROUNDS, repeats: 0 };
    report([name, label], "random IV", await compare(briefly, plain, naive));
  }
}
console.log(
  `node ${process.version}, ${ROWS} rows; ms are medians; "of plain" is the median of the ratios of all rounds, with quartiles\n`,
);
console.log(markdownTable(["", "", "", "plain ms", "ms", "of plain", "quartiles"], table));
await orm.close(true);
await database.drop();
await stopPostgres();
