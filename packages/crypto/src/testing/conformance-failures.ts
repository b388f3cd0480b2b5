// Keys that rotate or are missing, values that are damaged or moved, columns that are being migrated.
import { strict as assert } from "node:assert";
import { inspect } from "node:util";
import { ConfigError, DecryptError, KeyError } from "../errors.ts";
import { Keyring } from "../keyring.ts";
import { generateRootKey } from "../root-key.ts";
import { fieldsOf, SAMPLE, uniqueName } from "./conformance-samples.ts";
import type { ConformanceHarness } from "./conformance-harness.ts";

/** Follows `cause`: an ORM may wrap what a hook throws. */
function causes(error: unknown): unknown[] {
  const next = error instanceof Error ? error.cause : undefined;
  return next === undefined ? [error] : [error, ...causes(next)];
}

function rejectsWith<T extends Error>(
  action: Promise<unknown>,
  kind: abstract new (...parameters: never[]) => T,
  check: (error: T) => void = () => {},
): Promise<void> {
  return assert.rejects(action, (error: unknown) => {
    const found = causes(error).find((one): one is T => one instanceof kind);
    assert.ok(found, `expected ${kind.name}, got ${String(error)}`);
    check(found);
    return true;
  });
}

export function describeFailures(harness: ConformanceHarness): void {
  describeKeys(harness);
  describeDamage(harness);
  describeMigrating(harness);
}

function describeKeys({ describe, it, openModel, query }: ConformanceHarness): void {
  describe("keys", () => {
    it("rotate: old and new values in one result, every write under the primary", async () => {
      let keyring = Keyring.fromKey(generateRootKey());
      const name = uniqueName("rotating");
      const model = await openModel({ name, keyring: () => keyring, fields: fieldsOf({}) });
      const old = await model.insert(SAMPLE);
      const prefixes = async (): Promise<unknown[]> =>
        (await query(`SELECT left(label, 12) AS prefix FROM "${name}" ORDER BY id`)).map(
          (row) => row.prefix,
        );
      keyring = keyring.add(generateRootKey(), "primary");
      await model.insert({ ...SAMPLE, label: "new" });
      const labels = (await model.loadAll()).map(({ label }) => label);
      assert.deepEqual(labels, [SAMPLE.label, "new"]);
      const [oldPrefix, newPrefix] = await prefixes();
      assert.notEqual(oldPrefix, newPrefix);
      await model.change(old, (record) => {
        record.label = "rewritten";
      });
      assert.deepEqual(await prefixes(), [newPrefix, newPrefix]);
      await model.close();
    });

    it("that are unknown are an error that names them, and change nothing", async () => {
      let keyring = Keyring.fromKey(generateRootKey());
      const writtenWith = keyring.primary.id;
      const name = uniqueName("unknown_key");
      const model = await openModel({ name, keyring: () => keyring, fields: fieldsOf({}) });
      const id = await model.insert(SAMPLE);
      keyring = Keyring.fromKey(generateRootKey());
      await rejectsWith(model.load(id), KeyError, (error) => {
        assert.equal(error.code, "ERR_KEY_UNKNOWN");
        assert.equal(error.keyId, writtenWith);
      });
      await model.close();
    });

    it("that are missing stop reading and writing, and nothing is stored", async () => {
      let isConfigured = false;
      const real = Keyring.fromKey(generateRootKey());
      const keyring = (): Keyring => {
        if (isConfigured) return real;
        throw new ConfigError("ERR_CONFIG_NO_KEY", "No encryption key is configured.");
      };
      const name = uniqueName("no_key");
      const model = await openModel({ name, keyring, fields: fieldsOf({}) });
      await rejectsWith(model.insert(SAMPLE), ConfigError);
      await rejectsWith(model.insertMany([SAMPLE]), ConfigError);
      assert.deepEqual(await query(`SELECT * FROM "${name}"`), []);
      isConfigured = true;
      const id = await model.insert(SAMPLE);
      isConfigured = false;
      await rejectsWith(model.load(id), ConfigError);
      await rejectsWith(model.update(id, { label: "x" }), ConfigError);
      isConfigured = true;
      assert.equal((await model.load(id)).label, SAMPLE.label);
      await model.close();
    });
  });
}

function describeDamage({ describe, it, openModel, query }: ConformanceHarness): void {
  describe("damaged and moved values", () => {
    it("are an error that names table and column, and shows nothing", async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      const name = uniqueName("damaged");
      const fields = {
        label: { type: "text", options: {} },
        note: { type: "text", options: {} },
      } as const;
      const model = await openModel({ name, keyring, fields });
      const damages: Record<string, string> = {
        "a flipped character":
          "overlay(label placing CASE substr(label, 60, 1) WHEN 'A' THEN 'B' ELSE 'A' END from 60)",
        "the value of another column": "note",
        plaintext: "'plaintext-marker'",
        "a truncated value": "left(label, length(label) - 4)",
      };
      for (const [title, sql] of Object.entries(damages)) {
        const id = await model.insert({ label: "secret-label", note: "secret-note" });
        await query(`UPDATE "${name}" SET label = ${sql} WHERE id = $1`, [id]);
        const [row] = await query(`SELECT label FROM "${name}" WHERE id = $1`, [id]);
        await rejectsWith(model.load(id), DecryptError, (error) => {
          assert.equal(error.table, name, title);
          assert.equal(error.column, "label", title);
          const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
          for (const secret of [
            "secret-label",
            "secret-note",
            "plaintext-marker",
            String(row?.label).slice(0, 40),
          ]) {
            assert.ok(!shown.includes(secret), `${title} shows ${secret}`);
          }
        });
        await query(`DELETE FROM "${name}" WHERE id = $1`, [id]);
      }
      await model.close();
    });

    it("of the wrong type are refused before anything is stored", async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      const name = uniqueName("wrong_type");
      const model = await openModel({ name, keyring, fields: fieldsOf({}) });
      const wrong = [
        { label: 5 },
        { label: ["a"] },
        { box: { n: Number.NaN } },
        { thumb: "not base64!" },
        { frame: 5 },
      ];
      for (const values of wrong) {
        await assert.rejects(model.insert({ ...SAMPLE, ...values }), JSON.stringify(values));
      }
      assert.deepEqual(await query(`SELECT * FROM "${name}"`), []);
      await model.close();
    });
  });
}

function describeMigrating({ describe, it, openModel, query }: ConformanceHarness): void {
  describe("columns that are being migrated", () => {
    it('read plaintext beside envelopes with plaintext: "accept", and write envelopes', async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      const name = uniqueName("accepting");
      const model = await openModel({ name, keyring, fields: fieldsOf({ plaintext: "accept" }) });
      const id = await model.insert(SAMPLE);
      const plain = [SAMPLE.label, JSON.stringify(SAMPLE.box), SAMPLE.frame, SAMPLE.thumb];
      await query(
        `INSERT INTO "${name}" (label, box, frame, thumb) VALUES ($1, $2, $3, $4)`,
        plain,
      );
      const [sealed, unsealed] = await model.loadAll();
      assert.deepEqual({ ...unsealed, id }, { ...sealed });
      await model.change(unsealed?.id as number, (record) => {
        record.label = "now sealed";
      });
      const [row] = await query(`SELECT label FROM "${name}" WHERE id <> $1`, [id]);
      assert.match(String(row?.label), /^9V6h/);
      await model.close();
    });

    it("read and write the legacy layout where they say so", async () => {
      const keyring = Keyring.fromKey(generateRootKey());
      const name = uniqueName("legacy");
      const fields = fieldsOf({ legacy: "aes-256-cbc", suite: "aes-256-cbc" });
      const writing = await openModel({ name, keyring, fields });
      const id = await writing.insert(SAMPLE);
      const [row] = await query(`SELECT * FROM "${name}" WHERE id = $1`, [id]);
      assert.doesNotMatch(String(row?.label), /^9V6h/);
      assert.equal((await writing.load(id)).label, SAMPLE.label);
      assert.deepEqual((await writing.load(id)).box, SAMPLE.box);
      assert.equal((await writing.load(id)).thumb, SAMPLE.thumb);
      await writing.close();
    });
  });
}
