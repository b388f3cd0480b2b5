// No plaintext in SQL, whatever the operation: the statements that were sent are searched for what the values leave
// in them. Plain columns are the control, which shows that the harness gives all statements with their parameters.
import { strict as assert } from "node:assert";
import { UnsupportedQueryError } from "../errors.ts";
import { Keyring } from "../keyring.ts";
import { generateRootKey } from "../root-key.ts";
import {
  Not,
  type ConformanceField,
  type ConformanceHarness,
  type ConformanceModel,
} from "./conformance-harness.ts";
import { fieldsOf, SAMPLE, uniqueName } from "./conformance-samples.ts";

/** By field, what its value in SAMPLE looks like in SQL, in JSON, and as bytes. Too long to stand in ciphertext by chance. */
const TRACES: Readonly<Record<string, readonly string[]>> = {
  label: ["naïve", "🦭", "quoted", ...encodings(Buffer.from(SAMPLE.label as string))],
  box: ["corners", "2.5,-3", ...encodings(Buffer.from(JSON.stringify(SAMPLE.box)))],
  frame: ["0,255,1,254", ...encodings(SAMPLE.frame as Buffer)],
  thumb: [
    "a small picture",
    ...encodings(Buffer.from("a small picture")),
    ...encodings(Buffer.from(SAMPLE.thumb as string)),
  ],
};

/** Hex and base64 without the end that depends on what follows. */
function encodings(bytes: Buffer): string[] {
  return [bytes.toString("hex"), bytes.toString("base64").slice(0, 8)];
}

const VARIANTS: Readonly<Record<string, Readonly<Record<string, ConformanceField>>>> = {
  "encrypted columns": fieldsOf({}),
  "deterministic columns": fieldsOf({ deterministic: true }),
  "a short blind index": {
    ...fieldsOf({}),
    label: { type: "text", options: { blindIndex: { column: "label_index", bits: 4 } } },
  },
};

export function describeStatements({ describe, it, openModel }: ConformanceHarness): void {
  const statementsOf = async (fields: (typeof VARIANTS)[string]): Promise<readonly string[]> => {
    const keyring = Keyring.fromKey(generateRootKey());
    const model = await openModel({ name: uniqueName("statements"), keyring, fields });
    await useEverything(model);
    const statements = [...model.statements()];
    await model.close();
    return statements;
  };

  describe("statements", () => {
    for (const [title, fields] of Object.entries(VARIANTS)) {
      it(`show no plaintext of ${title}`, async () => {
        for (const statement of await statementsOf(fields)) {
          for (const [field, traces] of Object.entries(TRACES)) {
            const trace = traces.find((one) => statement.includes(one));
            assert.equal(trace, undefined, `${field} in: ${statement}`);
          }
        }
      });
    }

    it("show that of plain columns (control)", async () => {
      const all = (await statementsOf(fieldsOf("plain"))).join("\n");
      for (const [field, traces] of Object.entries(TRACES)) {
        assert.ok(
          traces.some((trace) => all.includes(trace)),
          `${field} is nowhere: parameters are missing`,
        );
      }
      for (const verb of ["INSERT", "UPDATE", "DELETE", "SELECT"])
        assert.match(all, new RegExp(`\\b${verb}\\b`, "i"));
    });
  });
}

/** All that a model can do, with the values of SAMPLE where there is a value to hand over. */
async function useEverything(model: ConformanceModel): Promise<void> {
  const other = { label: "other", box: null, frame: Buffer.from("other"), thumb: "b3RoZXI=" };
  const [first] = (await model.insertMany([SAMPLE, SAMPLE])) as [number];
  const id = await model.insert(other);
  await model.change(id, (record) => void Object.assign(record, SAMPLE));
  await model.update(first, { ...SAMPLE });
  await model.load(id);
  await model.loadAll();
  for (let branch = 0; branch < 2; branch++) await model.upsert({ id: 1_000_000, ...SAMPLE });
  const { label } = SAMPLE;
  const questions = [
    () => model.find({ label }),
    () => model.find({ label: [label, "other"] }),
    () => model.find({ label: new Not(label) }),
    () => model.count({ label }),
    () => model.count({ label: new Not([label]) }),
    () => model.updateWhere({ label }, { ...SAMPLE }),
    () => model.findLike("label", `${String(label)}%`),
    () => model.sortBy("label"),
    () => model.deleteWhere({ label: new Not(label) }),
    () => model.deleteWhere({ label }),
  ];
  for (const ask of questions) {
    await ask().catch((error: unknown) => {
      if (!(error instanceof UnsupportedQueryError)) throw error;
    });
  }
}
