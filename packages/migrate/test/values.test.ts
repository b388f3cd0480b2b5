// Values that a column may hold before it is encrypted, each of them once.
import { generateRootKey, Keyring, type EncryptedColumn } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, verifyColumns } from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

describe("Values", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  const strict = column({ table: "t", column: "label", keyring });
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    await database.query(
      "create collation ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
  });
  beforeEach(() => database.query("create table t (id int primary key, label text, photo bytea)"));
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table t");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function fill(values: readonly unknown[], name = "label"): Promise<void> {
    for (const [id, value] of values.entries()) {
      await database.query(`insert into t (id, ${name}) values ($1, $2)`, [id, value]);
    }
  }

  async function storedIn(name = "label"): Promise<unknown[]> {
    const rows = await database.query(`select ${name} from t order by id`);
    return rows.map((row) => row[name]);
  }

  const open = (one: EncryptedColumn, stored: readonly unknown[]): unknown[] =>
    one.cipher.openMany(stored as string[]);

  it("of text are kept to the byte: empty, long, of all scripts, and what looks like ciphertext", async () => {
    const values = [
      "",
      " ",
      "a",
      "\u0001\t\r\n",
      "🙂 grüße \u{10FFFF} e\u0301",
      "null",
      "she said 9V6h",
      "9v6h",
      "x".repeat(100_000),
      null,
    ];
    await fill(values);
    const [report] = await migrate(pool, [label]);
    expect(report).to.include({ state: "done", rowsWritten: values.length - 1, poisonRows: 0 });
    expect(open(strict, await storedIn())).to.deep.equal(values);
    await migrate(pool, [label], { direction: "decrypt" });
    expect(await storedIn()).to.deep.equal(values);
  });

  it("of bytes are kept to the byte", async () => {
    const photo = column({ table: "t", column: "photo", keyring, type: "binary", options: ACCEPT });
    const values = [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.from("f55ea0", "hex"),
      Buffer.alloc(70_000, 7),
      null,
    ];
    await fill(values, "photo");
    const [report] = await migrate(pool, [photo]);
    expect(report).to.include({ state: "done", rowsWritten: 4, poisonRows: 0 });
    const opener = column({ table: "t", column: "photo", keyring, type: "binary" });
    expect(open(opener, await storedIn("photo"))).to.deep.equal(values);
    await migrate(pool, [photo], { direction: "decrypt" });
    expect(await storedIn("photo")).to.deep.equal(values);
  });

  it("of ten megabytes, stored out of line, go alone", async () => {
    await database.query(
      "insert into t select i, repeat(md5(i::text), 320000) from generate_series(1, 2) i",
    );
    const before = await storedIn();
    const [report] = await migrate(pool, [label]);
    expect(report).to.include({ state: "done", rowsWritten: 2, poisonRows: 0 });
    const after = open(strict, await storedIn());
    expect(after.map((value, i) => value === before[i])).to.deep.equal([true, true]);
  });

  it("of citext and of a collation that ignores case keep their case", async () => {
    await database.query("alter table t alter column label type text collate ignoring_case");
    await fill(["Smith", "SMITH", "smith"]);
    const [report] = await migrate(pool, [label]);
    expect(report).to.include({ state: "done", rowsWritten: 3 });
    expect(open(strict, await storedIn())).to.deep.equal(["Smith", "SMITH", "smith"]);
  });

  const elsewhere = column({ table: "t", column: "other", keyring });
  const stranger = column({
    table: "t",
    column: "label",
    keyring: Keyring.fromKey(generateRootKey()),
  });
  const flip = (stored: string): string =>
    stored.slice(0, 40) + (stored[40] === "A" ? "B" : "A") + stored.slice(41);
  const unreadable: Readonly<Record<string, { stored: string; code: string }>> = {
    "of a key that is not here": {
      stored: stranger.cipher.seal("x") as string,
      code: "ERR_KEY_UNKNOWN",
    },
    "moved from another column": {
      stored: elsewhere.cipher.seal("x") as string,
      code: "ERR_DECRYPT_FAILED",
    },
    "with a damaged byte": {
      stored: flip(strict.cipher.seal("x") as string),
      code: "ERR_DECRYPT_FAILED",
    },
  };

  for (const [what, { stored, code }] of Object.entries(unreadable)) {
    for (const direction of ["encrypt", "decrypt"] as const) {
      it(`that are envelopes ${what} are left and named (${direction})`, async () => {
        const good = direction === "encrypt" ? "good" : strict.cipher.seal("good");
        await fill([good, stored, good]);
        const [report] = await migrate(pool, [label], { direction });
        expect(report).to.include({ state: "partial", rowsWritten: 2, poisonRows: 1 });
        expect(report!.poison).to.deep.equal([{ primaryKey: { id: "1" }, column: "label", code }]);
        expect((await storedIn())[1]).to.equal(stored);
        const [finding] = await verifyColumns(pool, [label]);
        const named = code === "ERR_KEY_UNKNOWN" ? { keyId: stranger.cipher.primaryKeyId } : {};
        expect(finding!.unreadable).to.deep.equal([
          { primaryKey: { id: "1" }, column: "label", code, ...named },
        ]);
      });
    }
  }

  it("that an encrypted column would refuse are left and named: no base64, no JSON, digits that JavaScript drops", async () => {
    const refused = {
      base64: ["AQID", "AQI", "not base64!", "AQID\n"],
      json: ['{"n": 1.50}', "{", '{"n": 12345678901234567890}', '{"n": 1e400}'],
    } as const;
    for (const [type, texts] of Object.entries(refused) as [
      keyof typeof refused,
      readonly string[],
    ][]) {
      await database.query("truncate t; drop schema if exists fieldseal cascade");
      await fill(texts);
      const one = column({ table: "t", column: "label", keyring, type, options: ACCEPT });
      const [report] = await migrate(pool, [one]);
      expect(report, type).to.include({ state: "partial", rowsWritten: 1, poisonRows: 3 });
      expect(report!.poison.map(({ primaryKey: { id } }) => id)).to.deep.equal(["1", "2", "3"]);
      expect((await storedIn()).slice(1)).to.deep.equal(texts.slice(1));
      expect(JSON.stringify(report)).not.to.match(/not base64|12345678901/);
    }
  });

  const begun = (sealed: string): readonly string[] => [
    sealed.slice(0, 80),
    sealed.slice(0, -1),
    `${sealed}\n`,
    `\n${sealed}`,
    `${sealed} `,
    sealed.replace(/=*$/, "===="),
    "9V6h",
    "9V6h, she said",
  ];

  for (const direction of ["encrypt", "decrypt"] as const) {
    it(`that begin as envelopes and are none are left and named (${direction})`, async () => {
      const broken = begun(strict.cipher.seal("precious") as string);
      const good = direction === "encrypt" ? "good" : strict.cipher.seal("good");
      await fill([...broken, good]);
      const [report] = await migrate(pool, [label], { direction });
      expect(report).to.include({
        state: "partial",
        rowsWritten: 1,
        poisonRows: broken.length,
      });
      for (const { code } of report!.poison) expect(code).to.equal("ERR_DECRYPT_FAILED");
      expect((await storedIn()).slice(0, -1)).to.deep.equal(broken);
      const [finding] = await verifyColumns(pool, [label]);
      expect(finding).to.include({ isStrict: false, unreadableRows: broken.length });
      expect(finding!.unreadable.map(({ code }) => code)).to.include("ERR_DECRYPT_FAILED");
    });
  }

  it("that begin as envelopes and are none are text once somebody says so, there and back", async () => {
    const values = begun(strict.cipher.seal("inner") as string);
    await fill(values);
    const plaintextRows = values.map((_, id) => ({
      table: "t",
      column: "label",
      primaryKey: { id: String(id) },
    }));
    const [report] = await migrate(pool, [label], { plaintextRows });
    expect(report).to.include({ state: "done", rowsWritten: values.length, poisonRows: 0 });
    expect(open(strict, await storedIn())).to.deep.equal(values);
    const [kept] = await migrate(pool, [label], { direction: "decrypt" });
    expect(kept).to.include({ state: "partial", rowsWritten: 0, poisonRows: values.length });
    const [back] = await migrate(pool, [label], { direction: "decrypt", plaintextRows });
    expect(back).to.include({ state: "done", rowsWritten: values.length, poisonRows: 0 });
    expect(await storedIn()).to.deep.equal(values);
  });

  it("of bytes that begin as envelopes and are none are left and named", async () => {
    const spec = { table: "t", column: "photo", keyring, type: "binary" } as const;
    const sealed = column(spec).cipher.seal(Buffer.from("x")) as Buffer;
    const broken = [sealed.subarray(0, 40), Buffer.concat([sealed, Buffer.from("\n")])];
    await fill([...broken, Buffer.from("f55ea1", "hex"), Buffer.from("f55ea0", "hex")], "photo");
    const [report] = await migrate(pool, [column({ ...spec, options: ACCEPT })]);
    expect(report).to.include({ state: "partial", rowsWritten: 1, poisonRows: 3 });
    expect((await storedIn("photo")).slice(0, 2)).to.deep.equal(broken);
  });

  it("of a plain column that begin as envelopes and are none are left and named", async () => {
    await database.query("alter table t add column sealed text");
    const sealed = column({ table: "t", column: "sealed", keyring, options: ACCEPT });
    await fill([`${strict.cipher.seal("x") as string}\n`, "plain"]);
    const sources = { "t.sealed": "label" };
    const [report] = await migrate(pool, [sealed], { sources });
    expect(report).to.include({ state: "partial", rowsWritten: 1, poisonRows: 1 });
    const [finding] = await verifyColumns(pool, [sealed], { sources });
    expect(finding).to.include({ isStrict: false });
    expect(await storedIn("sealed")).to.include(null);
  });

  it("that were looked at and found to be plaintext are encrypted when declared so", async () => {
    const stored = stranger.cipher.seal("x") as string; // somebody's text, as it happens
    await fill(["plain", stored]);
    const plaintextRows = [{ table: "t", column: "label", primaryKey: { id: "1" } }];
    const [report] = await migrate(pool, [label], { plaintextRows });
    expect(report).to.include({ state: "done", rowsWritten: 2, poisonRows: 0 });
    expect(open(strict, await storedIn())).to.deep.equal(["plain", stored]);
    const [back] = await migrate(pool, [label], { direction: "decrypt" });
    // Decrypted, it would be taken for an envelope.
    expect(back).to.include({ state: "partial", rowsWritten: 1, poisonRows: 1 });
    for (const wrong of [
      { table: "t", column: "label", primaryKey: {} },
      { table: "t", column: "nothing", primaryKey: { id: "1" } },
    ]) {
      const error = await migrate(pool, [label], { plaintextRows: [wrong] }).catch(
        (reason: unknown) => reason,
      );
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
    }
  });

  it("are sealed anew when the context, the storage or the padding of their column changes", async () => {
    await fill(["one", "two", null]);
    await migrate(pool, [label]);
    const moved = column({
      table: "t",
      column: "label",
      keyring,
      options: { ...ACCEPT, context: "people.label", pad: 64 },
    });
    const previous = { "t.label": label.cipher };
    const [report] = await migrate(pool, [moved], { previous });
    expect(report).to.include({ state: "done", rowsWritten: 2, poisonRows: 0 });
    expect(open(moved, await storedIn())).to.deep.equal(["one", "two", null]);
    const [again] = await migrate(pool, [moved]);
    expect(again).to.include({ state: "done", rowsWritten: 0 });

    await database.query("alter table t add column packed bytea");
    const packed = column({
      table: "t",
      column: "packed",
      keyring,
      options: { ...ACCEPT, context: "people.label", storage: "binary" },
    });
    const [stored] = await migrate(pool, [packed], { sources: { "t.packed": "label" } });
    expect(stored).to.include({ state: "done", rowsWritten: 2 });
    expect(open(packed, await storedIn("packed"))).to.deep.equal(["one", "two", null]);
  });

  it("of the legacy layout become envelopes, in every type", async () => {
    const options = { legacy: "aes-256-cbc", suite: "aes-256-cbc" } as const;
    const types = {
      text: "grüße",
      json: { n: [1, "x"] },
      binary: Buffer.from([1, 2, 3]),
      base64: "AQID",
    } as const;
    for (const [type, value] of Object.entries(types) as [keyof typeof types, unknown][]) {
      const name = type === "binary" ? "photo" : "label";
      const spec = { table: "t", column: name, keyring, type };
      await database.query("truncate t; drop schema if exists fieldseal cascade");
      const old = column({ ...spec, options });
      await fill([old.cipher.seal(value), null], name);
      const [report] = await migrate(pool, [
        column({ ...spec, options: { legacy: "aes-256-cbc" } }),
      ]);
      expect(report, type).to.include({ state: "done", rowsWritten: 1, poisonRows: 0 });
      expect(open(column(spec), await storedIn(name)), type).to.deep.equal([value, null]);
    }
  });
});
