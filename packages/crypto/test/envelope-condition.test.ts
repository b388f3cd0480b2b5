import { expect } from "chai";
import {
  encryptBytes,
  encryptString,
  envelopeCondition,
  generateRootKey,
  Keyring,
} from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";

describe("envelopeCondition", () => {
  let database: TestDatabase;
  const options = { keyring: Keyring.fromKey(generateRootKey()), context: "t.c" };

  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.drop());

  async function holds(
    storage: "text" | "binary",
    value: string | Buffer | null,
    type = storage === "text" ? "text" : "bytea",
  ): Promise<unknown> {
    const condition = envelopeCondition('"Odd ""name"', storage);
    const sql = `select ${condition} as holds from (select $1::${type} as "Odd ""name") t`;
    const [row] = await database.query(sql, [value]);
    return row!.holds;
  }

  it("is true of envelopes, false of plaintext, null of NULL", async () => {
    expect(await holds("text", encryptString("", options))).to.equal(true);
    expect(await holds("text", encryptString("x".repeat(5000), options))).to.equal(true);
    for (const plain of [
      "",
      "plain",
      "9V6h",
      "9V6h is how it starts",
      `x${encryptString("", options)}`,
    ]) {
      expect(await holds("text", plain), plain).to.equal(false);
    }
    expect(await holds("text", null)).to.equal(null);
    expect(await holds("binary", encryptBytes(Buffer.alloc(3), options))).to.equal(true);
    expect(await holds("binary", Buffer.from("plain"))).to.equal(false);
    expect(await holds("binary", Buffer.alloc(0))).to.equal(false);
    expect(await holds("binary", null)).to.equal(null);
  });

  it("works on columns whose collation takes different texts for equal", async () => {
    await database.query(
      "create collation blind (provider = icu, locale = 'und', deterministic = false)",
    );
    const type = 'text collate "blind"';
    expect(await holds("text", encryptString("x", options), type)).to.equal(true);
    expect(await holds("text", "plain", type)).to.equal(false);
  });
});
