// 10 000 rows through MikroORM: encrypted columns against plain ones, and against the type that everybody writes
// first (a random IV, encrypted in convertToDatabaseValue), round after round in one run on one PostgreSQL.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { EncryptedType, fieldseal } from "@fieldseal/mikro-orm";
import { EntitySchema, MikroORM, Type, type EntityManager } from "@mikro-orm/postgresql";
import { createTestDatabase, stopPostgres } from "../test/support/postgres.ts";
import { markdownTable } from "./interleaved.ts";

const ROWS = 10_000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 9);

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
  readonly name: string;
  readonly columns: 1 | 4;
  readonly entity: EntitySchema<Row>;
}

function candidate(name: string, columns: 1 | 4, type: object): Candidate {
  const properties = Object.fromEntries(
    Array.from({ length: columns }, (_, i) => [`value${i}`, { ...type }]),
  );
  const entity = new EntitySchema({
    name: `${name.replaceAll("*", "")}${columns}`,
    properties: { id: { type: "integer", primary: true, autoincrement: true }, ...properties },
  } as never) as unknown as EntitySchema<Row>;
  return { name, columns, entity };
}

const candidates = ([1, 4] as const).flatMap((columns) => [
  candidate("plain", columns, { type: "text" }),
  candidate("**fieldseal**", columns, { type: EncryptedType }),
  candidate("naive", columns, { type: NaiveType }),
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

/** Returns what is timed; what comes before is not. */
type Operation = (candidate: Candidate) => Promise<() => Promise<unknown>>;

const loaded = new Map<object, EntityManager>();

/** A short operation needs more rounds to stand out from the noise. */
const MORE_ROUNDS: Readonly<Record<string, number>> = { "untouched flush": 12 };

const operations: Record<string, Operation> = {
  find: async ({ entity }) => {
    const em = newManager();
    return () => em.find(entity, {});
  },
  "untouched flush": async ({ entity }) => {
    // The same managers all through: a flush of nothing changes nothing.
    let em = loaded.get(entity);
    if (em === undefined) {
      loaded.set(entity, (em = newManager()));
      await em.find(entity, {});
    }
    return () => em.flush();
  },
  insertMany: async ({ entity, columns }) => {
    const data = rows(columns);
    return () => rolledBack((em) => em.insertMany(entity, data as never));
  },
  "flush of new entities": async ({ entity, columns }) => {
    const data = rows(columns);
    return () =>
      rolledBack((em) => {
        for (const row of data) em.persist(em.create(entity, row as never));
        return em.flush();
      });
  },
  "update of 1 column, 1000 rows": async ({ entity }) => {
    const em = newManager();
    const found = await em.find(entity, {}, { limit: 1000 });
    for (const row of found) (row as Row).value0 = `${randomBytes(6).toString("hex")}@example.org`;
    return () => em.flush();
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

console.log(
  `node ${process.version}, ${ROWS} rows, ${ROUNDS} rounds; ms, median (least), and ratio to plain of the same width\n`,
);
const table: string[][] = [];
for (const [operation, prepare] of Object.entries(operations)) {
  const times = await measure(prepare, ROUNDS * (MORE_ROUNDS[operation] ?? 1));
  for (const one of candidates) {
    const plain = candidates.find(
      ({ name, columns }) => name === "plain" && columns === one.columns,
    );
    const [own, reference] = [times.get(one)!, times.get(plain!)!];
    table.push([
      operation,
      `${one.name}, ${one.columns} column${one.columns > 1 ? "s" : ""}`,
      `${own.median.toFixed(0)} (${own.least.toFixed(0)})`,
      `${(own.median / reference.median).toFixed(2)} (${(own.least / reference.least).toFixed(2)})`,
    ]);
  }
}
console.log(markdownTable(["", "", "ms", "of plain"], table));
await orm.close(true);
await database.drop();
await stopPostgres();

async function measure(
  prepare: Operation,
  rounds: number,
): Promise<Map<Candidate, { median: number; least: number }>> {
  const samples = new Map<Candidate, number[]>(candidates.map((one) => [one, []]));
  for (let round = -1; round < rounds; round++) {
    for (const one of candidates.toSorted(() => Math.random() - 0.5)) {
      // The naive type rewrites the table at every flush: no need to watch that more often than the rest.
      if (one.name === "naive" && samples.get(one)!.length >= ROUNDS) continue;
      const action = await prepare(one);
      global.gc?.();
      const start = process.hrtime.bigint();
      await action();
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      if (round >= 0) samples.get(one)!.push(ms); // the first round warms up
    }
  }
  return new Map(
    [...samples].map(([one, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      return [one, { median: sorted[sorted.length >> 1]!, least: sorted[0]! }];
    }),
  );
}
