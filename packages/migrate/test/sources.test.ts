// Columns of other types, into encrypted ones and back: what comes back is the same to the byte.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import {
  dropSources,
  migrate,
  planMigration,
  verifyColumns,
  type RunReport,
} from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

/** Literals of each type; NULL is added to all. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  smallint: ["-32768", "0", "32767"],
  integer: ["-2147483648", "0", "2147483647"],
  bigint: ["-9223372036854775808", "9223372036854775807", "9007199254740993"],
  numeric: [
    "NaN",
    "Infinity",
    "-Infinity",
    "1.0",
    "1.00",
    "-0.000000000000000001",
    "1e100",
    "12345678901234567890.5",
  ],
  "numeric(12,4)": ["1.5", "NaN", "99999999.9999"],
  real: ["0.1", "NaN", "-Infinity", "1e-45", "-0"],
  "double precision": ["0.1", "NaN", "Infinity", "5e-324", "-0", "1.7976931348623157e308"],
  boolean: ["true", "false"],
  date: ["infinity", "-infinity", "0044-03-15 BC", "2026-02-28", "5874897-12-31"],
  time: ["00:00:00", "24:00:00", "12:34:56.789012"],
  timestamp: ["infinity", "-infinity", "2026-11-27 01:02:03.456789", "0001-01-01 00:00:00 BC"],
  timestamptz: [
    "infinity",
    "-infinity",
    "2026-11-27 01:02:03.456789+05:30",
    "2026-03-29 02:30:00+01",
  ],
  interval: ["1 year 2 mons -3 days 04:05:06.789", "-178000000 years", "0"],
  uuid: ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  json: ['{"b": 1,  "a": [1.0, 2], "b": 3}', '"text"', "12345678901234567890", "[]"],
  jsonb: [
    '{"b": 1.00, "a": [null, true]}',
    '"\\u00e9\\"\\\\"',
    "1.0",
    "{}",
    "12345678901234567890.10",
  ],
  "character varying(12)": ["", "  padded  ", "9v6hAAAA", "grüße"],
  "character(5)": ["ab", ""],
  text: ["", "two\nlines", "🙂"],
  inet: ["192.168.0.1/24", "::1"],
  bytea: ["\\x", "\\x00ff00", "\\xf55ea001"],
  "text[]": ["{}", '{NULL,"NULL","",a,"b,c","d\\"e","f\\\\g"," h "}', "{🙂}"],
  "integer[]": ["{}", "{1,NULL,-2147483648}"],
  "numeric[]": ["{NaN,1.00,NULL,Infinity}"],
  "timestamptz[]": ['{infinity,NULL,"2026-11-27 01:02:03.456789+00"}'],
  "bytea[]": ['{"\\\\x00ff",NULL,"\\\\x"}'],
  "jsonb[]": ['{"{\\"a\\": 1.00}",NULL,"[1, 2]"}'],
};

describe("Columns of other types", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    // Not what the engine sets: its own settings must not depend on the database's.
    await database.query(
      `alter database "${database.name}" set datestyle = 'SQL, DMY'; alter database "${database.name}" set timezone = 'Asia/Kolkata';
       alter database "${database.name}" set intervalstyle = 'postgres_verbose'; alter database "${database.name}" set bytea_output = 'escape';
       alter database "${database.name}" set extra_float_digits = 0;
       alter database "${database.name}" set standard_conforming_strings = off`,
    );
    pool = new Pool({ connectionString: database.url });
  });
  afterEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table if exists t");
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  it("become envelopes and come back, the same to the byte, in one pass over all", async () => {
    const types = Object.entries(TYPES).map(([type, literals], i) => {
      const isBytes = type === "bytea";
      return {
        type,
        literals,
        plain: `plain${i}`,
        original: `original${i}`,
        sealedType: isBytes ? "bytea" : "text",
        one: column({
          table: "t",
          column: `sealed${i}`,
          keyring,
          type: isBytes ? "binary" : "text",
          options: ACCEPT,
        }),
      };
    });
    const columns = types.map(({ one }) => one);
    const sources = Object.fromEntries(types.map(({ one, plain }) => [`t.${one.column}`, plain]));
    const definitions = types.map(
      ({ type, plain, original, sealedType, one }) =>
        `${plain} ${type}, ${original} ${type}, ${one.column} ${sealedType}`,
    );
    await database.query(`create table t (id int primary key, ${definitions.join(", ")})`);
    const rows = Math.max(...types.map(({ literals }) => literals.length)) + 1; // and one of NULLs
    for (let id = 0; id < rows; id++) await database.query("insert into t (id) values ($1)", [id]);
    for (const { type, literals, plain, original } of types) {
      for (const [id, literal] of literals.entries()) {
        const set = `${plain} = $2::${type}, ${original} = $2::${type}`;
        await database.query(`update t set ${set} where id = $1`, [id, literal]);
      }
    }
    const [up] = await migrate(pool, columns, { sources });
    expect(up).to.deep.include({ state: "done", rowsWritten: rows - 1, poison: [] });
    const [again] = await migrate(pool, columns, { sources });
    expect(again).to.include({ state: "done", rowsWritten: 0 });
    for (const [i, finding] of (await verifyColumns(pool, columns, { sources })).entries()) {
      const nulls = rows - types[i]!.literals.length;
      expect(finding, types[i]!.type).to.include({ isStrict: true, nulls, plaintext: 0 });
    }
    await dropSources(pool, columns, sources);
    const added = types.map(({ plain, type }) => `add column ${plain} ${type}`);
    await database.query(`alter table t ${added.join(", ")}`);
    const [down] = await migrate(pool, columns, { sources, direction: "decrypt" });
    expect(down).to.deep.include({ state: "done", rowsWritten: rows - 1, poison: [] });
    for (const { type, plain, original } of types) {
      const changed = await database.query(
        `select id, ${plain}::text as back, ${original}::text as original from t
         where ${plain}::text collate "C" is distinct from ${original}::text collate "C"`,
      );
      expect(changed, type).to.deep.equal([]);
    }
  });

  async function migrateJson(type: string, literals: readonly string[]): Promise<RunReport> {
    await database.query(`create table t (id int primary key, plain ${type}, sealed text)`);
    for (const [id, literal] of literals.entries()) {
      await database.query(`insert into t values ($1, $2::${type}, null)`, [id, literal]);
    }
    const one = column({ table: "t", column: "sealed", keyring, type: "json", options: ACCEPT });
    const [report] = await migrate(pool, [one], { sources: { "t.sealed": "plain" } });
    return report!;
  }

  async function openedJson(): Promise<unknown[]> {
    const { cipher } = column({ table: "t", column: "sealed", keyring, type: "json" });
    const rows = await database.query<{ sealed: string | null }>(
      "select sealed from t order by id",
    );
    return rows.map(({ sealed }) => sealed && cipher.open(sealed));
  }

  it("take no value that is too long for them: nothing is cut off", async () => {
    const one = column({ table: "t", column: "sealed", keyring, options: ACCEPT });
    const types = {
      "character varying(3)": ["abc", "abcd"],
      "character(3)": ["abc", "abcd"],
      "character varying(3)[]": ['["abc"]', '["abc","abcd"]'],
      "character(3)[]": ['["abc"]', '["abcd"]'],
    };
    for (const [type, values] of Object.entries(types)) {
      await database.query(
        `drop schema if exists fieldseal cascade; drop table if exists t; create table t (id int primary key, plain ${type}, sealed text)`,
      );
      for (const [id, value] of values.entries()) {
        const sealed = one.cipher.seal(value);
        await database.query("insert into t (id, sealed) values ($1, $2)", [id, sealed]);
      }
      const options = { sources: { "t.sealed": "plain" }, direction: "decrypt" } as const;
      const [report] = await migrate(pool, [one], options);
      expect(report, type).to.include({ state: "partial", rowsWritten: 1, poisonRows: 1 });
      expect(report!.poison[0], type).to.include({ code: "ERR_MIGRATE_DATABASE", reason: "22001" });
      const rows = await database.query("select plain::text from t order by id");
      expect(rows[1], type).to.deep.equal({ plain: null });
    }
  });

  it("are never rounded or cut on the way back: such a row is left, and named", async () => {
    const types: Readonly<Record<string, { exact: readonly string[]; lossy: readonly string[] }>> =
      {
        "numeric(6,2)": { exact: ["1.5", "15e-1", "001.500"], lossy: ["1.005", "1.501"] },
        cents: { exact: ["1.5"], lossy: ["1.005"] },
        "numeric(6,2)[]": { exact: ['["1.5",null]'], lossy: ['["1.5","1.005"]'] },
        real: { exact: ["0.10", "1e3"], lossy: ["0.123456789"] },
        "double precision": {
          exact: ["1.50"],
          lossy: ["0.12345678901234567890", "9007199254740993"],
        },
        money: { exact: ["1.5"], lossy: ["1.005"] },
        date: {
          exact: ["2026-11-27T00:00:00.000Z"],
          lossy: ["2026-11-27T10:00:00Z", "2026-11-27 00:00:00+02"],
        },
        "timestamp(0)": {
          exact: ["2026-11-27T10:00:00.000Z"],
          lossy: ["2026-11-27T10:00:00.500Z"],
        },
        timestamp: {
          exact: ["2026-11-27T10:00:00.123456Z"],
          lossy: ["2026-11-27T10:00:00+02:00", "2026-11-27T10:00:00.1234567Z"],
        },
        "timestamptz(3)": {
          exact: ["2026-11-27T12:00:00.123+02:00"],
          lossy: ["2026-11-27T10:00:00.1234Z"],
        },
        "time(0)": { exact: ["10:00"], lossy: ["10:00:00.5", "10:00+02"] },
        "interval(0)": { exact: ["90 minutes"], lossy: ["1.5 seconds"] },
        "bit(3)": { exact: ["101"], lossy: ["10101"] },
        name: { exact: ["short"], lossy: ["n".repeat(70)] },
        "character varying(3)": { exact: ["ab "], lossy: ["abc  "] },
      };
    await database.query("create domain cents as numeric(6,2)");
    const one = column({ table: "t", column: "sealed", keyring, options: ACCEPT });
    for (const [type, { exact, lossy }] of Object.entries(types)) {
      await database.query(
        `drop schema if exists fieldseal cascade; drop table if exists t; create table t (id int primary key, plain ${type}, sealed text)`,
      );
      for (const [id, value] of [...exact, ...lossy].entries()) {
        await database.query("insert into t values ($1, null, $2)", [id, one.cipher.seal(value)]);
      }
      const options = { sources: { "t.sealed": "plain" }, direction: "decrypt" } as const;
      const [report] = await migrate(pool, [one], options);
      expect(report, type).to.include({ state: "partial", rowsWritten: exact.length });
      const ids = lossy.map((_, i) => String(exact.length + i));
      expect(
        report!.poison.map(({ primaryKey: { id } }) => id),
        type,
      ).to.have.members(ids);
      for (const { column: name, code, reason } of report!.poison) {
        expect({ name, code }).to.deep.equal({ name: "sealed", code: "ERR_MIGRATE_DATABASE" });
        expect(reason, type).to.equal("22011: the plain column would not hold the value exactly");
      }
      const plan = await planMigration(pool, [one], { ...options, trial: true });
      const trial = plan.tables[0]!.findings.filter(({ kind }) => kind === "trial");
      expect(trial.map(({ message }) => message).join(), type).to.include(
        "would not hold a value exactly",
      );
      await database.query("delete from t where plain is null");
      const [done] = (await planMigration(pool, [one], { ...options, trial: true })).tables;
      expect(
        done!.findings.filter(({ kind }) => kind === "trial"),
        type,
      ).to.deep.equal([]);
    }
    await database.query("drop table t; drop domain cents");
  });

  it("become JSON values where the column is JSON", async () => {
    expect(await migrateJson("integer", ["42"])).to.include({ state: "done" });
    expect(await openedJson()).to.deep.equal([42]);
    await database.query("drop table t");
    await migrateJson("boolean", ["true", "false"]);
    expect(await openedJson()).to.deep.equal([true, false]);
    await database.query("drop table t");
    await migrateJson("text[]", ['{a,NULL,"b c"}', "{}"]);
    expect(await openedJson()).to.deep.equal([["a", null, "b c"], []]);
    await database.query("drop table t");
    await migrateJson("jsonb", ['{"x": [1, 2.50]}', "null"]);
    expect(await openedJson()).to.deep.equal([{ x: [1, 2.5] }, null]);
  });

  it("are left and named where JavaScript's JSON would lose digits, or has no such value", async () => {
    const report = await migrateJson("numeric", ["1.5", "12345678901234567890", "NaN"]);
    expect(report).to.include({ state: "partial", rowsWritten: 1, poisonRows: 2 });
    expect(report.poison.map(({ primaryKey: { id }, code }) => [id, code])).to.deep.equal([
      ["1", "ERR_VALUE_ENCODING"],
      ["2", "ERR_DECRYPT_CONTENT"],
    ]);
    expect(JSON.stringify(report)).not.to.include("1234567890123");
  });

  it("are left and named where an array has a form that JSON does not keep", async () => {
    const report = await migrateJson("integer[]", ["{1,2}", "{{1,2},{3,4}}", "[0:1]={5,6}"]);
    expect(report).to.include({ state: "partial", rowsWritten: 2, poisonRows: 1 });
    expect(report.poison[0]).to.deep.include({
      primaryKey: { id: "2" },
      code: "ERR_VALUE_ENCODING",
    });
    expect(await openedJson()).to.deep.equal([
      [1, 2],
      [
        [1, 2],
        [3, 4],
      ],
      null,
    ]);
    await database.query(
      "begin; set local fieldseal.engine = 'on'; update t set plain = null; commit",
    );
    const one = column({ table: "t", column: "sealed", keyring, type: "json", options: ACCEPT });
    const back = { sources: { "t.sealed": "plain" }, direction: "decrypt" } as const;
    const [down] = await migrate(pool, [one], back);
    expect(down, "of two dimensions there is no way back").to.include({
      state: "partial",
      poisonRows: 1,
    });
    const plain = await database.query("select plain::text as plain from t order by id");
    expect(plain.map((row) => row.plain)).to.deep.equal(["{1,2}", null, null]);
    await database.query("drop table t");
    const json = await migrateJson("jsonb[]", ['{"[1]",NULL}', '{"null"}']);
    expect(json).to.include({ state: "partial", rowsWritten: 1, poisonRows: 1 });
  });

  describe("while both columns exist", () => {
    const one = column({ table: "t", column: "sealed", keyring, options: ACCEPT });
    const sources = { "t.sealed": "plain" };

    async function start(type: string, literal: string): Promise<void> {
      await database.query(
        `create table t (id int primary key, plain ${type}, sealed text, other int)`,
      );
      await database.query(`insert into t values (1, $1::${type}, null, 0)`, [literal]);
      await migrate(pool, [one], { sources });
    }
    const open = async (): Promise<unknown> => {
      const [row] = await database.query<{ sealed: string | null }>("select sealed from t");
      return row!.sealed && one.cipher.open(row!.sealed);
    };

    const equalButNotSame: readonly [string, string, string][] = [
      ["numeric", "1.0", "1.00"],
      ["jsonb", '{"a": 1.0}', '{"a": 1.00}'],
      ["interval", "24:00:00", "1 day"],
      ["double precision", "0", "-0"],
    ];
    for (const [type, first, second] of equalButNotSame) {
      it(`a value of ${type} that is equal but not the same is not missed`, async () => {
        await start(type, first);
        await database.query(`update t set plain = $1::${type}`, [second]);
        expect(await open(), "forgotten by the trigger").to.equal(null);
        await migrate(pool, [one], { sources });
        const [row] = await database.query("select plain::text as plain from t");
        const session =
          type === "interval" ? { "24:00:00": "PT24H", "1 day": "P1D" }[second] : row!.plain;
        expect(await open()).to.equal(session);
      });
    }

    it("a text of a collation that ignores case is not missed", async () => {
      await database.query(
        `create collation if not exists ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      );
      await start("varchar(20) collate ignoring_case", "Smith");
      await database.query("update t set plain = 'SMITH'");
      await migrate(pool, [one], { sources });
      expect(await open()).to.equal("SMITH");
    });

    it("whatever the application writes last counts, in either column", async () => {
      await start("integer", "1");
      await database.query("update t set other = 1");
      expect(await open(), "another column").to.equal("1");
      await database.query("update t set sealed = $1", [one.cipher.seal("2")]);
      expect((await database.query("select plain from t"))[0]!.plain, "new version wrote").to.equal(
        null,
      );
      expect(await open()).to.equal("2");
      await database.query("update t set plain = 3");
      expect(await open(), "old version wrote").to.equal(null);
      await migrate(pool, [one], { sources });
      expect(await open()).to.equal("3");
      await database.query("update t set plain = null");
      await migrate(pool, [one], { sources });
      expect(await open(), "old version deleted the value").to.equal(null);
    });
  });
});
