// Conditions in statements that load nothing: what is counted, updated and deleted is what the values say. A short
// blind index is the hard case, because neighbours share its tokens; plain columns are the control.
import { strict as assert } from "node:assert";
import { Keyring } from "../keyring.ts";
import { generateRootKey } from "../root-key.ts";
import {
  Not,
  type ConformanceCondition,
  type ConformanceField,
  type ConformanceHarness,
  type ConformanceModel,
} from "./conformance-harness.ts";
import { uniqueName } from "./conformance-samples.ts";

const INDEX = "label_index";
const VARIANTS: Readonly<Record<string, ConformanceField["options"]>> = {
  "deterministic columns": { deterministic: true },
  "a blind index": { blindIndex: { column: INDEX } },
  "a short blind index": { blindIndex: { column: INDEX, bits: 4 } },
  "plain columns (control)": "plain",
};

const PEOPLE: readonly string[] = Array.from({ length: 40 }, (_, i) => `person${i}`);
/** So many that some of them have the 4-bit token of somebody. */
const NOBODIES: readonly string[] = Array.from({ length: 16 }, (_, i) => `nobody${i}`);

export function describeConditions(harness: ConformanceHarness): void {
  for (const [title, options] of Object.entries(VARIANTS)) {
    harness.describe(`conditions on ${title}`, () => describeVariant(harness, options));
  }
}

function describeVariant(harness: ConformanceHarness, options: ConformanceField["options"]): void {
  const { it, before, after } = harness;
  const name = uniqueName("conditions");
  let model: ConformanceModel;
  before(async () => {
    const keyring = Keyring.fromKey(generateRootKey());
    const note = { type: "text", options: options === "plain" ? "plain" : {} } as const;
    const fields = { label: { type: "text", options }, note } as const;
    model = await harness.openModel({ name, keyring, fields });
    const values = [...PEOPLE, PEOPLE[0], null].map((label) => ({ label, note: "untouched" }));
    await model.insertMany(values);
  });
  after(() => model.close());

  /** What a condition means, by values that were loaded: the truth that SQL must agree with. */
  const meant = async ({ label: wanted }: ConformanceCondition): Promise<number[]> =>
    (await model.loadAll())
      .filter(({ label }) => isMeant(label, wanted))
      .map(({ id }) => id as number);
  /** The versions of all rows, by id: another version, or none, is a row that was touched. */
  const versions = async (): Promise<Map<unknown, string>> => {
    const rows = await harness.query(
      `SELECT id, xmin::text || ctid::text AS version FROM "${name}"`,
    );
    return new Map(rows.map(({ id, version }) => [id, String(version)]));
  };
  const touchedBy = async (action: () => Promise<void>): Promise<number[]> => {
    const earlier = await versions();
    await action();
    const later = await versions();
    return [...earlier.keys()]
      .filter((id) => earlier.get(id) !== later.get(id))
      .map(Number)
      .toSorted((a, b) => a - b);
  };
  /** A person who shares the token with somebody else, where there are tokens to share. */
  const pickPerson = async (): Promise<string> => {
    const rows = await model.loadAll();
    const hasShortIndex = options !== "plain" && options.blindIndex?.bits !== undefined;
    const tokens = hasShortIndex
      ? await harness.query(
          `SELECT id, ${INDEX} AS token FROM "${name}" WHERE ${INDEX} IS NOT NULL`,
        )
      : [];
    const shared = (id: unknown): boolean => {
      const own = tokens.find((row) => row.id === id);
      return tokens.some((row) => row.token === own?.token && labelOf(row.id) !== labelOf(id));
    };
    const labelOf = (id: unknown): unknown => rows.find((row) => row.id === id)?.label;
    const found = rows.find(
      ({ id, label }) =>
        PEOPLE.slice(1).includes(label as string) && (!hasShortIndex || shared(id)),
    );
    assert.ok(found, "40 people, 16 tokens: somebody has a neighbour");
    return found.label as string;
  };

  it("find and count the rows that hold a value, or do not", async () => {
    const [first] = PEOPLE as [string];
    const person = await pickPerson();
    const conditions: unknown[] = [
      person,
      first,
      [person, first, "nobody"],
      null,
      new Not(person),
      new Not([person, first, "nobody"]),
      new Not(null),
      ...NOBODIES.flatMap((nobody) => [nobody, new Not(nobody)]),
    ];
    for (const label of conditions) {
      const expected = await meant({ label });
      const shown = JSON.stringify(label);
      assert.deepEqual(await model.find({ label }), expected, shown);
      assert.equal(await model.count({ label }), expected.length, shown);
    }
  });

  it("update the rows that hold a value, and no neighbour", async () => {
    const person = await pickPerson();
    for (const label of [person, PEOPLE[0], NOBODIES, new Not([...PEOPLE.slice(3), person])]) {
      const expected = await meant({ label });
      const touched = await touchedBy(() => model.updateWhere({ label }, { note: "touched" }));
      assert.deepEqual(touched, expected, JSON.stringify(label));
      const notes = new Map((await model.loadAll()).map(({ id, note }) => [id, note]));
      for (const id of expected) assert.equal(notes.get(id), "touched");
    }
    await model.updateWhere({ label: person }, { label: "somebody else" });
    assert.equal(await model.count({ label: person }), 0);
    assert.equal(await model.count({ label: "somebody else" }), 1);
  });

  it("delete the rows that hold a value, and no neighbour", async () => {
    const person = await pickPerson();
    const rest = new Not([...PEOPLE.slice(20), "somebody else"]);
    for (const label of [person, NOBODIES, PEOPLE[0], rest]) {
      const expected = await meant({ label });
      const touched = await touchedBy(() => model.deleteWhere({ label }));
      assert.deepEqual(touched, expected, JSON.stringify(label));
    }
    assert.equal(await model.count({ label: null }), 1);
  });
}

function isMeant(label: unknown, wanted: unknown): boolean {
  if (wanted instanceof Not) {
    return wanted.value === null ? label !== null : label !== null && !isMeant(label, wanted.value);
  }
  return Array.isArray(wanted) ? wanted.includes(label) : label === wanted;
}
