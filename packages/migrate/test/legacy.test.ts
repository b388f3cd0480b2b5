// The legacy layout under a key that did not write it.
import { generateRootKey, Keyring, type EncryptionOptions } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { migrate, planMigration, type RunOptions } from "../src/index.ts";
import { column } from "./columns.ts";

describe("Values of the legacy layout", function () {
  this.timeout(30_000);
  const [first, second] = [generateRootKey(), generateRootKey()].map((key) => Keyring.fromKey(key));
  const both = new Keyring([
    ...first!.keys,
    ...second!.keys.map((key) => key.withStatus("decrypt-only")),
  ]);
  const oldForm = (keyring: Keyring) =>
    column({
      table: "t",
      column: "photo",
      keyring,
      type: "binary",
      options: { legacy: "aes-256-cbc", suite: "aes-256-cbc" },
    });
  const readAs = (keyring: Keyring) => {
    const options: EncryptionOptions = {
      legacy: { suite: "aes-256-cbc", keyId: keyring.primary.id },
    };
    return column({ table: "t", column: "photo", keyring: both, type: "binary", options });
  };
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
  });
  beforeEach(() => database.query("create table t (id int primary key, photo bytea)"));
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table t");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function fill(ids: readonly number[], keyring: Keyring): Promise<void> {
    const { cipher } = oldForm(keyring);
    const other = readAs(keyring === first ? second! : first!).cipher;
    const opensAsGarbage = (sealed: Buffer): boolean => {
      try {
        other.open(sealed);
        return true;
      } catch {
        return false;
      }
    };
    // One in 256 would by chance; here every 45th does.
    const photos = ids.map((id) => {
      for (;;) {
        const sealed = cipher.seal(Buffer.from(`photo ${id}`)) as Buffer;
        if (opensAsGarbage(sealed) === (id % 45 === 44)) return sealed;
      }
    });
    await database.query("insert into t select * from unnest($1::int[], $2::bytea[])", [
      ids,
      photos,
    ]);
  }

  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  const stored = (): Promise<unknown[]> => database.query("select id, photo from t order by id");
  const refusal = (keyring: Keyring, options: RunOptions = {}): Promise<unknown> =>
    migrate(pool, [readAs(keyring)], options).catch((error: unknown) => error);

  for (const batchRows of [undefined, 3]) {
    it(`are not touched by a run that has another key for them (${batchRows ?? "usual"} rows a batch)`, async () => {
      await fill(range(0, 900), first!);
      const before = await stored();
      const error = await refusal(second!, batchRows === undefined ? {} : { batchRows });
      expect(error).to.include({ code: "ERR_MIGRATE_POISON", table: "t" });
      expect((error as Error).message).to.match(/"photo".*do not open.*keyId/);
      expect(await stored()).to.deep.equal(before);
      const plan = await planMigration(pool, [readAs(second!)]);
      expect(plan.isPossible).to.equal(false);
      const found = plan.tables[0]!.findings.find(({ severity }) => severity === "refusal");
      expect(found).to.include({ kind: "key", column: "photo" });
      const [report] = await migrate(pool, [readAs(first!)]);
      expect(report).to.include({ state: "done", rowsWritten: 900 });
    });
  }

  it("are not touched either where the option previous reads them, with another key", async () => {
    await fill(range(0, 900), first!);
    const before = await stored();
    const strict = column({ table: "t", column: "photo", keyring: both, type: "binary" });
    const previous = { "t.photo": readAs(second!).cipher };
    const error = await migrate(pool, [strict], { previous }).catch((reason: unknown) => reason);
    expect(error).to.include({ code: "ERR_MIGRATE_POISON", table: "t" });
    expect(await stored()).to.deep.equal(before);
    const options = { previous: { "t.photo": readAs(first!).cipher } };
    const [report] = await migrate(pool, [strict], options);
    expect(report).to.include({ state: "done", rowsWritten: 900, poisonRows: 0 });
    const [again] = await migrate(pool, [strict], options);
    expect(again).to.include({ state: "done", rowsWritten: 0 });
  });

  it("stop the run where those of another key begin", async () => {
    await fill(range(0, 1000), first!);
    await fill(range(1000, 2000), second!);
    const before = (await stored()).slice(1000);
    const error = await refusal(first!, { batchRows: 50 });
    expect(error).to.include({ code: "ERR_MIGRATE_POISON" });
    expect((await stored()).slice(1025)).to.deep.equal(before.slice(25));
  });

  it("of which some are damaged are encrypted, and those are named", async () => {
    await fill(range(0, 100), first!);
    await database.query("update t set photo = substr(photo, 2) where id < 20");
    const plan = await planMigration(pool, [readAs(first!)]);
    expect(plan.isPossible).to.equal(true);
    const [report] = await migrate(pool, [readAs(first!)]);
    expect(report).to.include({ state: "partial", rowsWritten: 80, poisonRows: 20 });
  });
});
