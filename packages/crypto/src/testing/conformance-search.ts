// What can be looked up, during a rotation too, and what is refused.
import { strict as assert } from "node:assert";
import { UnsupportedQueryError } from "../errors.ts";
import { Keyring } from "../keyring.ts";
import { generateRootKey } from "../root-key.ts";
import { fieldsOf, SAMPLE, uniqueName } from "./conformance-samples.ts";
import type { ConformanceHarness, ConformanceModel } from "./conformance-harness.ts";

export function describeSearch(harness: ConformanceHarness): void {
  describeDeterministic(harness);
  describeBlindIndex(harness);
  describeUnsearchable(harness);
}

function describeDeterministic({
  describe,
  it,
  before,
  after,
  openModel,
}: ConformanceHarness): void {
  describe("deterministic columns", () => {
    let keyring = Keyring.fromKey(generateRootKey());
    let model: ConformanceModel;
    let ids: number[];
    before(async () => {
      const fields = fieldsOf({ deterministic: true });
      model = await openModel({ name: uniqueName("exact"), keyring: () => keyring, fields });
      ids = await model.insertMany([
        SAMPLE,
        { ...SAMPLE, label: "ada", thumb: "YWRh" },
        { ...SAMPLE, label: "bob" },
      ]);
    });
    after(() => model.close());

    it("are found by equality and by one of several", async () => {
      assert.deepEqual(await model.find({ label: "ada" }), [ids[1]]);
      assert.deepEqual(await model.find({ label: ["ada", "bob", "eve"] }), [ids[1], ids[2]]);
      assert.deepEqual(await model.find({ label: "ada", thumb: "YWRh" }), [ids[1]]);
      assert.deepEqual(await model.find({ label: "Ada" }), []);
      assert.deepEqual(await model.find({ label: [] }), []);
    });

    it("are found under the previous key as well, while keys rotate", async () => {
      keyring = keyring.add(generateRootKey(), "primary");
      const added = await model.insert({ ...SAMPLE, label: "ada" });
      assert.deepEqual(await model.find({ label: "ada" }), [ids[1], added]);
      assert.deepEqual(await model.find({ label: ["ada", "bob"] }), [ids[1], ids[2], added]);
    });

    it("refuse what equality cannot answer", async () => {
      await assert.rejects(model.findLike("label", "a%"), UnsupportedQueryError);
      await assert.rejects(model.sortBy("label"), UnsupportedQueryError);
    });
  });
}

function describeBlindIndex({
  describe,
  it,
  before,
  after,
  openModel,
  query,
}: ConformanceHarness): void {
  describe("a blind index", () => {
    let keyring = Keyring.fromKey(generateRootKey());
    const name = uniqueName("blind");
    let model: ConformanceModel;
    let ids: number[];
    before(async () => {
      const blindIndex = { column: "label_index", bits: 5, normalize: "email" } as const;
      const fields = { label: { type: "text", options: { blindIndex } } } as const;
      model = await openModel({ name, keyring: () => keyring, fields });
      // 5 bits: about six of 200 values share each token.
      ids = await model.insertMany(
        Array.from({ length: 200 }, (_, i) => ({ label: `person${i}@example.org` })),
      );
    });
    after(() => model.close());

    const tokenOf = async (id: number): Promise<unknown> =>
      (await query(`SELECT label_index FROM "${name}" WHERE id = $1`, [id]))[0]?.label_index;

    it("is filled by every way of writing", async () => {
      const token = await tokenOf(ids[7] as number);
      assert.match(String(token), /^[0-9a-f]{2}$/);
      const inserted = await model.insert({ label: "person7@example.org" });
      assert.equal(await tokenOf(inserted), token);
      await model.change(inserted, (record) => {
        record.label = "elsewhere@example.org";
      });
      assert.deepEqual(await model.find({ label: "elsewhere@example.org" }), [inserted]);
      await model.update(inserted, { label: "person7@example.org" });
      assert.equal(await tokenOf(inserted), token);
      await model.update(inserted, { label: null });
      assert.equal(await tokenOf(inserted), null);
      for (const id of [inserted, 1_000_000]) {
        await model.upsert({ id, label: "person7@example.org" });
        assert.equal(await tokenOf(id), token);
        await model.deleteWhere({ label: "person7@example.org", id });
      }
    });

    it("finds the value and nothing that merely shares its token", async () => {
      assert.deepEqual(await model.find({ label: "person12@example.org" }), [ids[12]]);
      assert.deepEqual(await model.find({ label: " PERSON12@Example.org" }), [ids[12]]);
      assert.deepEqual(
        await model.find({ label: ["person3@example.org", "person4@example.org"] }),
        [ids[3], ids[4]],
      );
      assert.deepEqual(await model.find({ label: "nobody@example.org" }), []);
    });

    it("finds rows of the previous key as well, while keys rotate", async () => {
      keyring = keyring.add(generateRootKey(), "primary");
      const added = await model.insert({ label: "person12@example.org" });
      assert.notEqual(await tokenOf(added), null);
      assert.deepEqual(await model.find({ label: "person12@example.org" }), [ids[12], added]);
    });

    it("refuses what equality cannot answer", async () => {
      await assert.rejects(model.findLike("label", "person%"), UnsupportedQueryError);
      await assert.rejects(model.sortBy("label"), UnsupportedQueryError);
    });
  });
}

function describeUnsearchable({
  describe,
  it,
  before,
  after,
  openModel,
}: ConformanceHarness): void {
  describe("a column without search", () => {
    let model: ConformanceModel;
    before(async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      model = await openModel({ name: uniqueName("unsearchable"), keyring, fields: fieldsOf({}) });
      await model.insert(SAMPLE);
    });
    after(() => model.close());

    it("refuses to be looked for, instead of finding nothing, and shows no value", async () => {
      const searches = [
        () => model.find({ label: SAMPLE.label }),
        () => model.find({ label: [SAMPLE.label] }),
        () => model.find({ thumb: SAMPLE.thumb }),
        () => model.find({ frame: SAMPLE.frame }),
        () => model.findLike("label", `${String(SAMPLE.label)}%`),
        () => model.sortBy("label"),
      ];
      for (const search of searches) {
        await assert.rejects(search(), (error: Error) => {
          assert.ok(error instanceof UnsupportedQueryError, `${error.name}: ${error.message}`);
          assert.ok(!error.message.includes("naïve"), "shows the value");
          return true;
        });
      }
    });
  });
}
