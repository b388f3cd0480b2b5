import { expect } from "chai";
import fc from "fast-check";
import { Client } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { byteaArray, reusedRoom, textArray, xidArray } from "../src/binary-array.ts";

describe("Binary arrays", () => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await createTestDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
  });
  after(async () => {
    await client.end();
    await database.drop();
  });

  async function roundTrip(type: string, array: Buffer): Promise<unknown[]> {
    const { rows } = await client.query(`select v from unnest($1::${type}[]) v`, [array]);
    return rows.map(({ v }) => v as unknown);
  }

  it("arrive as they were, whatever they hold (property)", async () => {
    const text = fc
      .string({ unit: "binary" })
      .map((value) => value.replaceAll("\0", "").toWellFormed());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(text)),
        fc.array(fc.option(fc.uint8Array())),
        async (texts, bytes) => {
          expect(await roundTrip("text", textArray(texts))).to.deep.equal(texts);
          const expected = bytes.map((value) => value && Buffer.from(value));
          expect(await roundTrip("bytea", byteaArray(bytes))).to.deep.equal(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("arrive whole where others have been made before, longer or shorter", async () => {
    const room = reusedRoom();
    for (const count of [3, 300, 0, 2, 900, 1]) {
      const texts = Array.from({ length: count }, (_, i) => (i % 7 === 1 ? null : `text ${i}`));
      expect(await roundTrip("text", textArray(texts, room))).to.deep.equal(texts);
      const bytes = Array.from({ length: count }, (_, i) => Buffer.alloc(i % 40, i));
      expect(await roundTrip("bytea", byteaArray(bytes, room))).to.deep.equal(bytes);
    }
  });

  it("hold transaction ids up to the largest", async () => {
    const ids = ["0", "3", "2147483648", "4294967295"];
    expect(await roundTrip("xid", xidArray(ids))).to.deep.equal(ids);
  });
});
