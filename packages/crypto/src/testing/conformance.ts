// The behaviours that both adapters promise, as one suite over a harness. Each test of an ORM's ordinary
// behaviour runs twice: on encrypted columns, and on plain ones as control.
import { strict as assert } from "node:assert";
import { Keyring } from "../keyring.ts";
import { generateRootKey } from "../root-key.ts";
import { describeConditions } from "./conformance-conditions.ts";
import { describeFailures } from "./conformance-failures.ts";
import type {
  ConformanceField,
  ConformanceHarness,
  ConformanceModel,
  ConformanceRecord,
} from "./conformance-harness.ts";
import { fieldsOf, SAMPLE, TYPES, uniqueName } from "./conformance-samples.ts";
import { describeSearch } from "./conformance-search.ts";
import { describeStatements } from "./conformance-statements.ts";
import { countOperations } from "./count-operations.ts";

/** Runs the whole suite; call it inside a `describe` of the adapter. */
export function describeConformance(harness: ConformanceHarness): void {
  const closing = closingAll(harness);
  describeStorage(closing);
  describeOrdinaryUse(closing, "encrypted columns", {});
  describeOrdinaryUse(closing, "plain columns (control)", "plain");
  describeSearch(closing);
  describeConditions(closing);
  describeStatements(closing);
  describeFailures(closing);
}

/** A test that fails leaves its model open, and connections keep the process alive: the rest is closed at the end. */
function closingAll(harness: ConformanceHarness): ConformanceHarness {
  const open = new Set<ConformanceModel>();
  harness.after(async () => {
    await Promise.all([...open].map((model) => model.close()));
  });
  return {
    ...harness,
    openModel: async (definition) => {
      const model = await harness.openModel(definition);
      open.add(model);
      const close = model.close.bind(model);
      model.close = async () => {
        if (open.delete(model)) await close();
      };
      return model;
    },
  };
}

function describeStorage(harness: ConformanceHarness): void {
  const { describe, it } = harness;
  const variants = {
    "default options": {},
    "A256CBC-HS512": { suite: "A256CBC-HS512" },
    A256GCM: { suite: "A256GCM" },
    "deterministic columns": { deterministic: true },
    padding: { pad: 64 },
    "text storage": { storage: "text" },
    "binary storage": { storage: "binary" },
  } as const;
  for (const [title, options] of Object.entries(variants)) {
    describe(`stored values with ${title}`, () => {
      it("are envelopes of each type, and read back equal", async () => {
        const keyring = Keyring.fromKey(generateRootKey());
        const name = uniqueName("stored");
        const model = await harness.openModel({ name, keyring, fields: fieldsOf(options) });
        const id = await model.insert(SAMPLE);
        const [row] = await harness.query(`SELECT * FROM "${name}" WHERE id = $1`, [id]);
        for (const field of Object.keys(TYPES)) {
          const isBinary =
            ("storage" in options ? options.storage : undefined) ??
            (field === "frame" ? "binary" : "text");
          const stored = row?.[field];
          if (isBinary === "binary") {
            assert.ok(
              Buffer.isBuffer(stored) && stored.toString("hex").startsWith("f55ea1"),
              field,
            );
          } else {
            assert.match(String(stored), /^9V6h[A-Za-z0-9+/]+={0,2}$/, field);
          }
        }
        assertSame(await model.load(id), SAMPLE);
        await model.close();
      });
    });
  }
}

const EDGE_CASES: readonly ConformanceRecord[] = [
  { label: "", box: {}, frame: Buffer.alloc(0), thumb: "" },
  { label: " ", box: [], frame: Buffer.from([0]), thumb: "AA==" },
  { label: "9V6h", box: [[], {}, ""], frame: Buffer.from("9V6h"), thumb: "9V6h" },
  { label: "\\x00", box: { $eq: 1, "a.b": 2 }, frame: Buffer.from("\\x00"), thumb: "+/+/" },
  {
    label: "x".repeat(100_000),
    box: { long: "y".repeat(50_000) },
    frame: Buffer.alloc(70_000, 7),
    thumb: Buffer.alloc(60_000, 9).toString("base64"),
  },
];

function describeOrdinaryUse(
  harness: ConformanceHarness,
  title: string,
  options: ConformanceField["options"],
): void {
  const { describe, it, before, after } = harness;
  const isEncrypted = options !== "plain";
  describe(title, () => {
    const name = uniqueName("ordinary");
    let model: ConformanceModel;
    before(async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      model = await harness.openModel({ name, keyring, fields: fieldsOf(options) });
    });
    after(() => model.close());

    /** The version of the row that PostgreSQL holds: another one means that it was written. */
    const rowVersion = async (id: number): Promise<unknown> =>
      (await harness.query(`SELECT xmin::text, ctid::text FROM "${name}" WHERE id = $1`, [id]))[0];
    const storedRow = async (id: number): Promise<Record<string, unknown>> =>
      (await harness.query(`SELECT * FROM "${name}" WHERE id = $1`, [id]))[0] ?? {};
    const expectEncryptions = (counted: number, expected: number): void => {
      assert.equal(counted, isEncrypted ? expected : 0);
    };

    it("keep edge cases, one by one and in bulk", async () => {
      const ids = await model.insertMany(EDGE_CASES);
      for (const [i, values] of EDGE_CASES.entries()) {
        assertSame(await model.load(ids[i] as number), values);
        assertSame(await model.load(await model.insert(values)), values);
      }
    });

    it("keep null as NULL", async () => {
      const nothing = { label: null, box: null, frame: null, thumb: null };
      const [one, [two]] = [await model.insert(nothing), await model.insertMany([nothing])];
      for (const id of [one, two as number]) {
        assertSame(await model.load(id), nothing);
        assertSame(await storedRow(id), nothing);
        assert.ok((await model.find({ label: null })).includes(id));
      }
      await model.update(one, SAMPLE);
      await model.update(one, nothing);
      assertSame(await storedRow(one), nothing);
    });

    it("read many rows in one query, decrypting each value once", async () => {
      const ids = await model.insertMany(
        Array.from({ length: 100 }, (_, i) => ({ ...SAMPLE, label: `row ${i}` })),
      );
      const { result, counts } = await countOperations(() => model.loadAll());
      const labels = result
        .filter(({ id }) => ids.includes(id as number))
        .map(({ label }) => label);
      assert.deepEqual(
        labels,
        Array.from({ length: 100 }, (_, i) => `row ${i}`),
      );
      expectEncryptions(counts.encryptions, 0);
      const values = result.flatMap((row) => Object.keys(TYPES).map((field) => row[field]));
      expectEncryptions(counts.decryptions, values.filter((value) => value !== null).length);
    });

    it("write nothing and encrypt nothing when an instance is saved unchanged", async () => {
      const id = await model.insert(SAMPLE);
      const version = await rowVersion(id);
      const { counts } = await countOperations(() => model.change(id, () => {}));
      expectEncryptions(counts.encryptions, 0);
      assert.deepEqual(await rowVersion(id), version);
    });

    it("write nothing when properties are set to equal values", async () => {
      const id = await model.insert(SAMPLE);
      const version = await rowVersion(id);
      await model.change(id, (record) => {
        record.label = copyOf(SAMPLE.label as string);
        record.thumb = copyOf(SAMPLE.thumb as string);
      });
      assert.deepEqual(await rowVersion(id), version);
    });

    it("encrypt and write only the property that changed", async () => {
      const id = await model.insert(SAMPLE);
      const before_ = await storedRow(id);
      const { counts } = await countOperations(() =>
        model.change(id, (record) => {
          record.label = "changed";
        }),
      );
      expectEncryptions(counts.encryptions, 1);
      const after_ = await storedRow(id);
      assert.notDeepEqual(after_.label, before_.label);
      for (const field of ["box", "frame", "thumb"])
        assert.deepEqual(after_[field], before_[field], field);
      assertSame(await model.load(id), { ...SAMPLE, label: "changed" });
    });

    it("take a new object for JSON and a new Buffer for bytes", async () => {
      const id = await model.insert(SAMPLE);
      await model.change(id, (record) => {
        record.box = { other: [true] };
        record.frame = Buffer.from("other");
      });
      assertSame(await model.load(id), {
        ...SAMPLE,
        box: { other: [true] },
        frame: Buffer.from("other"),
      });
    });

    it("set and clear values", async () => {
      const id = await model.insert(SAMPLE);
      await model.change(id, (record) => {
        record.label = null;
        record.box = null;
      });
      assertSame(await model.load(id), { ...SAMPLE, label: null, box: null });
      await model.change(id, (record) => {
        record.label = "again";
      });
      assertSame(await model.load(id), { ...SAMPLE, label: "again", box: null });
    });

    it("are updated without loading", async () => {
      const id = await model.insert(SAMPLE);
      const values = { ...EDGE_CASES[1], label: "updated" };
      await model.update(id, values);
      assertSame(await model.load(id), values);
    });

    it("are inserted and updated by upserts", async () => {
      const id = 1_000_000; // far from those that the database gives
      await model.upsert({ id, ...SAMPLE });
      assertSame(await model.load(id), SAMPLE);
      const inserted = await storedRow(id);
      const other = EDGE_CASES[3] as ConformanceRecord;
      await model.upsert({ id, ...other });
      assertSame(await model.load(id), other);
      if (!isEncrypted) return;
      const updated = await storedRow(id);
      for (const field of Object.keys(TYPES)) {
        assert.ok(isEnvelope(inserted[field]), `${field}, inserted`);
        assert.ok(isEnvelope(updated[field]), `${field}, updated`);
      }
    });

    it("are written by twenty sessions at once without mixing", async () => {
      const values = Array.from({ length: 20 }, (_, i) => ({ ...SAMPLE, label: `parallel ${i}` }));
      const ids = await Promise.all(values.map((value) => model.insert(value)));
      const loaded = await Promise.all(ids.map((id) => model.load(id)));
      assert.deepEqual(
        loaded.map(({ label }) => label),
        values.map(({ label }) => label),
      );
    });
  });
}

function isEnvelope(stored: unknown): boolean {
  const start = Buffer.isBuffer(stored) ? stored.toString("base64") : String(stored);
  return start.startsWith("9V6h");
}

/** Compares the four fields; a driver's Uint8Array counts as the Buffer of its bytes. */
function assertSame(actual: ConformanceRecord, expected: ConformanceRecord): void {
  for (const field of Object.keys(TYPES)) {
    const value = actual[field];
    const plain = value instanceof Uint8Array ? Buffer.from(value) : value;
    assert.deepEqual(plain, expected[field], field);
  }
}

/** An equal string that is another object. */
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
