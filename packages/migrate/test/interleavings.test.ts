// What the application does between the engine's read and its write, one interleaving at a time, in every way that the
// engine writes. Whatever the application did last is what must be read afterwards.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Client } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { claimChunk, type Chunk } from "../src/chunks.ts";
import type { Direction } from "../src/index.ts";
import { openRun, prepareJournal } from "../src/journal.ts";
import { PLACES_PER_BLOCK, readKeys, readPlaces, type ReadRow } from "../src/read.ts";
import { rewrite } from "../src/rewrite.ts";
import { keepSourcesInStep } from "../src/sources.ts";
import { describeTable, groupByTable, type Table } from "../src/table.ts";
import { writeBatch } from "../src/write.ts";
import { ACCEPT, column } from "./columns.ts";

const keyring = Keyring.fromKey(generateRootKey());
const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
const sealed = (value: string): string => label.cipher.seal(value) as string;

interface Mode {
  readonly direction: Direction;
  readonly sources: Readonly<Record<string, string>>;
  /** Column that the application of today writes. */
  readonly written: "label" | "plain";
  /** How it stores a value. */
  readonly stored: (value: string) => string;
}

const MODES: Readonly<Record<string, Mode>> = {
  "encrypting in place": {
    direction: "encrypt",
    sources: {},
    written: "label",
    stored: (value) => value,
  },
  "encrypting into another column": {
    direction: "encrypt",
    sources: { "t.label": "plain" },
    written: "plain",
    stored: (value) => value,
  },
  "decrypting in place": { direction: "decrypt", sources: {}, written: "label", stored: sealed },
};

/** What the application has committed when the engine writes what it read before: the rows that it may write then. */
const committed: Readonly<
  Record<string, { act: string | readonly string[]; keys: readonly string[]; value: unknown }>
> = {
  "nothing happens": { act: [], keys: ["1", "2"], value: "one" },
  "it commits another value": {
    act: "update t set $ = 'new' where id = 1",
    keys: ["2"],
    value: "new",
  },
  "it commits the same value again": {
    act: "update t set $ = 'one' where id = 1",
    keys: ["2"],
    value: "one",
  },
  "it commits another column": {
    act: "update t set other = 1 where id = 1",
    keys: ["2"],
    value: "one",
  },
  "it sets NULL": { act: "update t set $ = null where id = 1", keys: ["2"], value: null },
  "it deletes the row": { act: "delete from t where id = 1", keys: ["2"], value: undefined },
  "it deletes and inserts the row": {
    act: "delete from t where id = 1; insert into t (id, $) values (1, 'reborn')",
    keys: ["2"],
    value: "reborn",
  },
  "it exchanges two primary keys": {
    act: "update t set id = 9 where id = 1; update t set id = 1 where id = 2; update t set id = 2 where id = 9",
    keys: [],
    value: "two",
  },
  "it changes and changes back, with a vacuum in between that frees the place": {
    act: [
      "update t set $ = 'x' where id = 1",
      "vacuum t",
      "update t set $ = 'y' where id = 1",
      "vacuum t",
      "update t set $ = 'one' where id = 1",
    ],
    keys: ["2"],
    value: "one",
  },
  "it writes the row twice in one transaction": {
    act: "begin; update t set $ = 'x' where id = 1; update t set $ = 'last' where id = 1; commit",
    keys: ["2"],
    value: "last",
  },
  "it writes in a subtransaction": {
    act: "begin; savepoint s; update t set $ = 'sub' where id = 1; release s; commit",
    keys: ["2"],
    value: "sub",
  },
  "it rolls back to a savepoint": {
    act: "begin; savepoint s; update t set $ = 'never' where id = 1; rollback to s; commit",
    keys: ["1", "2"],
    value: "one",
  },
  "it rolls back": {
    act: "begin; update t set $ = 'never' where id = 1; rollback",
    keys: ["1", "2"],
    value: "one",
  },
  "it only locks and lets go": {
    act: "begin; select * from t where id = 1 for update; commit",
    keys: ["1", "2"],
    value: "one",
  },
};

/** What is in flight when the engine writes: row 1 is locked. */
const inFlight: Readonly<Record<string, { act: string; value: unknown; end: string }>> = {
  "another value is in flight": {
    act: "update t set $ = 'in flight' where id = 1",
    value: "in flight",
    end: "commit",
  },
  "another value is in flight that is rolled back": {
    act: "update t set $ = 'never' where id = 1",
    value: "one",
    end: "rollback",
  },
  "the row is being deleted": {
    act: "delete from t where id = 1",
    value: undefined,
    end: "commit",
  },
  "its primary key is being changed": {
    act: "update t set id = 3 where id = 1",
    value: undefined,
    end: "commit",
  },
  "the row is only locked": {
    act: "select * from t where id = 1 for share",
    value: "one",
    end: "commit",
  },
};

for (const [name, mode] of Object.entries(MODES)) {
  describe(`A write of the application between read and write, ${name}`, () => {
    const { direction, written, stored } = mode;
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
      await engine.query("set fieldseal.engine = 'on'");
      await database.query(
        "create table t (id int primary key, label text, plain text, other int default 0)",
      );
      await database.query(
        "create table child (t_id int references t on delete cascade on update cascade)",
      );
      const [target] = groupByTable([label]);
      table = await describeTable(engine, target!, mode);
    });
    beforeEach(async () => {
      await database.query("truncate t, child; drop schema if exists fieldseal cascade");
      await prepareJournal(engine);
      await keepSourcesInStep(engine, table);
      await write("insert into t (id, $) values (1, 'one'), (2, 'two')");
      const spec = { table, direction, fingerprint: "f", chunks: 1 } as const;
      ({ id: runId } = await openRun(engine, spec));
      chunk = (await claimChunk(engine, { runId, owner, leaseMs: 30_000 }))!;
    });
    after(async () => {
      await engine.end();
      await app.end();
      await database.drop();
    });

    /** The application's SQL: $ is the column that it writes, values in quotes are stored its way. */
    async function write(sql: string): Promise<void> {
      await app.query(
        sql
          .replaceAll("$", written)
          .replaceAll(/'(.*?)'/g, (_, value: string) => `'${stored(value)}'`),
      );
    }

    /** The engine's half; keys of the rows that it wrote, undefined when it had lost its lease. */
    async function writeRows(rows: readonly ReadRow[]): Promise<string[] | undefined> {
      const cells = rows.map((row) => row.cells);
      const { rows: next } = rewrite(table, cells, { direction });
      const changed = rows.flatMap((row, i) => (next[i] ? [{ row, cells: next[i] }] : []));
      const missed = await writeBatch(engine, table, changed, {
        runId,
        chunk,
        owner,
        leaseMs: 30_000,
        cursor: 1,
        seen: rows.length,
        isLast: true,
      });
      if (missed === undefined) return undefined;
      const left = new Set(missed.map(({ row }) => row));
      return changed
        .filter(({ row }) => !left.has(row))
        .map(({ row }) => row.key[0]!)
        .toSorted();
    }

    const read = (): Promise<ReadRow[]> =>
      readPlaces(engine, table, { leaf: table.leaves[0]!, from: 0, to: 9 * PLACES_PER_BLOCK });
    const readAgain = (): Promise<ReadRow[]> =>
      readKeys(engine, table, { leaf: table.leaves[0]!, keys: [["1"], ["2"], ["3"]] });

    /** Value of a row as an application that accepts both forms reads it. */
    async function valueOf(id: number): Promise<unknown> {
      const [row] = await database.query<Record<"label" | "plain", string | null>>(
        "select label, plain from t where id = $1",
        [id],
      );
      if (!row) return undefined;
      return row.label === null ? row.plain : label.cipher.open(row.label);
    }

    async function expectFinished(): Promise<void> {
      expect(await writeRows(await read()), "nothing left to write").to.deep.equal([]);
      for (const row of await database.query<Record<"label" | "plain", string | null>>(
        "select label, plain from t",
      )) {
        if (direction === "decrypt") expect(row.label ?? "").not.to.match(/^9V6h/);
        else if (row.label !== null) expect(row.label).to.match(/^9V6h/);
        else expect(row.plain).to.equal(null);
      }
    }

    for (const [what, { act, keys, value }] of Object.entries(committed)) {
      it(`is kept when ${what}`, async () => {
        const rows = await read();
        if (typeof act === "string") await write(act);
        else for (const sql of act) await write(sql);
        expect(await writeRows(rows)).to.deep.equal(keys);
        expect(await valueOf(1)).to.equal(value);
        // Read again, what was missed is written; then nothing is left to do.
        await writeRows(await readAgain());
        expect(await valueOf(1)).to.equal(value);
        await expectFinished();
      });
    }

    it("is kept when it commits an encrypted value", async () => {
      const rows = await read();
      await app.query("update t set label = $1 where id = 1", [sealed("sealed")]);
      expect(await writeRows(rows)).to.deep.equal(["2"]);
      await writeRows(await readAgain());
      expect(await valueOf(1)).to.equal("sealed");
      await expectFinished();
    });

    for (const [what, { act, value, end }] of Object.entries(inFlight)) {
      it(`is not waited for while ${what}, and kept`, async () => {
        const rows = await read();
        await write(`begin; ${act}`);
        const start = performance.now();
        expect(await writeRows(rows)).to.deep.equal(["2"]);
        expect(performance.now() - start).to.be.lessThan(2000);
        await app.query(end);
        expect(await valueOf(1)).to.equal(value);
        await writeRows(await readAgain());
        expect(await valueOf(1)).to.equal(value);
        await expectFinished();
      });
    }

    it("does not stop it while a foreign key is checked", async () => {
      const rows = await read();
      await app.query("begin; insert into child values (1)");
      expect(await writeRows(rows)).to.deep.equal(["1", "2"]);
      await app.query("commit");
      expect(await valueOf(1)).to.equal("one");
      await expectFinished();
    });

    it("is not blocked by a worker whose lease was taken over: that one writes nothing", async () => {
      const rows = await read();
      const before = await database.query("select * from t order by id");
      await database.query("update fieldseal.chunk set owner = gen_random_uuid()");
      expect(await writeRows(rows)).to.equal(undefined);
      expect(await database.query("select * from t order by id")).to.deep.equal(before);
    });
  });
}
