// What the application does between the engine's read and its write, one interleaving at a time. Whatever it did last
// is what must be read afterwards.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { claimChunk, type Chunk } from "../src/chunks.ts";
import { openRun, prepareJournal } from "../src/journal.ts";
import { PLACES_PER_BLOCK, readKeys, readPlaces, type ReadRow } from "../src/read.ts";
import { rewrite } from "../src/rewrite.ts";
import { describeTable, groupByTable, type Table } from "../src/table.ts";
import { writeBatch } from "../src/write.ts";
import { ACCEPT, column } from "./columns.ts";

describe("A write of the application between read and write", () => {
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  let database: TestDatabase;
  let engine: Client;
  let app: Client;
  let table: Table;
  let runId: string;
  let chunk: Chunk;
  const owner = "00000000-0000-4000-8000-000000000001";

  before(async () => {
    database = await createTestDatabase();
    [engine, app] = [1, 2].map(() => new Client({ connectionString: database.url })) as [
      Client,
      Client,
    ];
    await Promise.all([engine.connect(), app.connect()]);
    await database.query("create table t (id int primary key, label text, other int default 0)");
    const [target] = groupByTable([label]);
    table = await describeTable(engine, target!);
  });
  beforeEach(async () => {
    await database.query("truncate t; drop schema if exists fieldseal cascade");
    await database.query("insert into t values (1, 'one'), (2, 'two')");
    await prepareJournal(engine);
    const spec = { table, direction: "encrypt", fingerprint: "f", chunks: 1 } as const;
    ({ id: runId } = await openRun(engine, spec));
    chunk = (await claimChunk(engine, { runId, owner, leaseMs: 30_000 }))!;
  });
  after(async () => {
    await engine.end();
    await app.end();
    await database.drop();
  });

  async function write(
    rows: readonly ReadRow[],
    as: string = owner,
  ): Promise<Set<string> | undefined> {
    const { rows: next } = rewrite(
      table,
      rows.map(({ cells }) => cells),
      { direction: "encrypt" },
    );
    const changed = rows.flatMap((row, i) => (next[i] ? [{ row, cells: next[i] }] : []));
    const missed = await writeBatch(engine, table, changed, {
      runId,
      chunk,
      owner: as,
      leaseMs: 30_000,
      cursor: 1,
      seen: rows.length,
      isLast: true,
    });
    if (missed === undefined) return undefined;
    const left = new Set(missed.map(({ row }) => row));
    return new Set(changed.filter(({ row }) => !left.has(row)).map(({ row }) => row.key[0]!));
  }

  const read = (): Promise<ReadRow[]> =>
    readPlaces(engine, table, { leaf: table.leaves[0]!, from: 0, to: 9 * PLACES_PER_BLOCK });

  /** Value of a row as the application reads it, and whether it is encrypted. */
  async function valueOf(id: number): Promise<string | null | undefined> {
    const [row] = await database.query("select label from t where id = $1", [id]);
    if (!row) return undefined;
    return row.label === null ? null : (label.cipher.open(row.label as string) as string);
  }

  const cases: Record<string, { act: () => Promise<unknown>; keys: string[]; value: unknown }> = {
    "nothing happens": { act: async () => {}, keys: ["1", "2"], value: "one" },
    "it commits another value": {
      act: () => app.query("update t set label = 'new' where id = 1"),
      keys: ["2"],
      value: "new",
    },
    "it commits the same value again": {
      act: () => app.query("update t set label = 'one' where id = 1"),
      keys: ["2"],
      value: "one",
    },
    "it commits an encrypted value": {
      act: () => app.query("update t set label = $1 where id = 1", [label.cipher.seal("sealed")]),
      keys: ["2"],
      value: "sealed",
    },
    "it commits another column": {
      act: () => app.query("update t set other = 1 where id = 1"),
      keys: ["2"],
      value: "one",
    },
    "it sets NULL": {
      act: () => app.query("update t set label = null where id = 1"),
      keys: ["2"],
      value: null,
    },
    "it deletes the row": {
      act: () => app.query("delete from t where id = 1"),
      keys: ["2"],
      value: undefined,
    },
    "it deletes and inserts the row": {
      act: () => app.query("delete from t where id = 1; insert into t values (1, 'reborn')"),
      keys: ["2"],
      value: "reborn",
    },
    "it exchanges two primary keys": {
      act: () =>
        app.query(
          "update t set id = 9 where id = 1; update t set id = 1 where id = 2; update t set id = 2 where id = 9",
        ),
      keys: [],
      value: "two",
    },
    "it changes and changes back, with a vacuum in between": {
      act: async () => {
        await app.query("update t set label = 'x' where id = 1");
        await app.query("vacuum t");
        await app.query("update t set label = 'one' where id = 1");
      },
      keys: ["2"],
      value: "one",
    },
    "it rolls back": {
      act: () => app.query("begin; update t set label = 'never' where id = 1; rollback"),
      keys: ["1", "2"],
      value: "one",
    },
    "it only locks and lets go": {
      act: () => app.query("begin; select * from t where id = 1 for update; commit"),
      keys: ["1", "2"],
      value: "one",
    },
  };

  for (const [name, { act, keys, value }] of Object.entries(cases)) {
    it(`is kept when ${name}`, async () => {
      const rows = await read();
      await act();
      const written = await write(rows);
      expect([...written!].toSorted()).to.deep.equal(keys);
      expect(await valueOf(1)).to.equal(value);
      // Read again, what was missed is written; then nothing is left to do.
      await write(await readKeys(engine, table, { leaf: table.leaves[0]!, keys: [["1"], ["2"]] }));
      expect(await valueOf(1)).to.equal(value);
      const last = await write(await read());
      expect(last!.size).to.equal(0);
      for (const row of await database.query("select label from t where label is not null")) {
        expect(row.label).to.match(/^9V6h/);
      }
    });
  }

  it("is not waited for while it is in flight, and kept when it commits", async () => {
    const rows = await read();
    await app.query("begin; update t set label = 'in flight' where id = 1");
    const start = performance.now();
    const written = await write(rows);
    expect(performance.now() - start).to.be.lessThan(2000);
    expect([...written!]).to.deep.equal(["2"]);
    await app.query("commit");
    expect(await valueOf(1)).to.equal("in flight");
  });

  it("is not blocked by a worker whose lease was taken over: that one writes nothing", async () => {
    const rows = await read();
    await database.query("update fieldseal.chunk set owner = gen_random_uuid()");
    expect(await write(rows)).to.equal(undefined);
    expect((await database.query("select label from t where id = 1"))[0]!.label).to.equal("one");
  });
});
