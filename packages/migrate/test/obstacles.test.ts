// What stands in the way of a write: locks, triggers, constraints, policies. Rows are left and named, or the run stops with
// a reason; nothing is half done, nothing loops, and no message has a value in it.
import {
  generateRootKey,
  Keyring,
  type EncryptedColumn,
  type MigrationError,
} from "@fieldseal/crypto";
import { expect } from "chai";
import { Client, Pool } from "pg";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import {
  dropSources,
  finalizeColumns,
  findUnfitColumns,
  migrate,
  planMigration,
  undoFinalize,
  verifyColumns,
  type Progress,
  type RunOptions,
  type RunReport,
} from "../src/index.ts";
import { ACCEPT, column } from "./columns.ts";

const ROWS = 400;

describe("Obstacles", function () {
  this.timeout(30_000);
  const keyring = Keyring.fromKey(generateRootKey());
  const label = column({ table: "t", column: "label", keyring, options: ACCEPT });
  let database: TestDatabase;
  let pool: Pool;

  before(async () => {
    database = await createTestDatabase();
    pool = new Pool({ connectionString: database.url });
    pool.on("error", () => {});
  });
  beforeEach(async () => {
    await database.query("drop schema if exists fieldseal cascade; drop table if exists t cascade");
    await database.query(
      "create table t (id int primary key, label text, plain text, other int default 0)",
    );
    await database.query("insert into t select i, 'secret ' || i from generate_series(1, $1) i", [
      ROWS,
    ]);
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  async function run(options: RunOptions = {}): Promise<RunReport> {
    const [report] = await migrate(pool, [label], { batchRows: 50, ...options });
    return report!;
  }

  async function refusal(action: () => Promise<unknown> = run): Promise<MigrationError> {
    const error = await action().then(
      () => undefined,
      (reason: unknown) => reason as MigrationError,
    );
    expect(error, "refused").to.be.an("error");
    const { stack, cause, ...properties } = error!;
    expect([error!.message, stack, String(cause), JSON.stringify(properties)].join()).not.to.match(
      /secret \d/,
    );
    return error!;
  }

  const plaintextLeft = async (): Promise<number> => {
    const [row] = await database.query<{ n: number }>(
      "select count(*)::int as n from t where label not like '9V6h%'",
    );
    return row!.n;
  };

  const trigger = (
    body: string,
    { when = "before update", condition = "true", deferral = "" } = {},
  ): Promise<unknown> =>
    database.query(
      `create or replace function meddle() returns trigger language plpgsql as $$begin ${body} end$$;
       create ${deferral && "constraint"} trigger meddle ${when} on t ${deferral} for each row when (${condition}) execute function meddle()`,
    );

  it("rows that the application locks for a while are skipped, and met again", async () => {
    const app = new Client({ connectionString: database.url });
    await app.connect();
    await app.query("begin; select * from t where id in (7, 8) for update");
    const running = run();
    // Everything else is done meanwhile.
    while ((await plaintextLeft().catch(() => ROWS)) > 2)
      await new Promise((wake) => setTimeout(wake, 20));
    await app.query("update t set label = 'last' where id = 7; commit");
    await app.end();
    const report = await running;
    expect(report).to.include({ state: "done", rowsSkipped: 0, rowsWritten: ROWS });
    expect(report.conflicts).to.be.greaterThan(1);
    const [row] = await database.query<{ label: string }>("select label from t where id = 7");
    expect(label.cipher.open(row!.label)).to.equal("last");
  });

  it("rows that stay locked end the run as partial; the next one takes them", async () => {
    const app = new Client({ connectionString: database.url });
    await app.connect();
    await app.query("begin; select * from t where id = 7 for update");
    const report = await run();
    expect(report).to.include({
      state: "partial",
      rowsSkipped: 1,
      rowsWritten: ROWS - 1,
      poisonRows: 0,
    });
    await app.query("rollback");
    await app.end();
    expect(await run()).to.include({ state: "done", rowsWritten: 1 });
  });

  it("a trigger that keeps a row as it is: reported, not tried for ever", async () => {
    await trigger("if old.id = 9 then return null; end if; return new;");
    const report = await run();
    expect(report).to.include({ state: "partial", rowsSkipped: 1, rowsWritten: ROWS - 1 });
  });

  it("a trigger that changes ciphertext stops the run before anything is destroyed", async () => {
    await trigger("new.label := upper(new.label); return new;");
    const error = await refusal();
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE", table: "t" });
    expect(error.message).to.match(/a trigger changes what is written/);
    const rows = await database.query<{ label: string }>(
      "select label from t where label !~ '^secret'",
    );
    expect(rows).to.deep.equal([]);
  });

  for (const [role, deferral] of [
    ["a role that may make temporary functions", ""],
    ["one that may not", ""],
    ["one that may not", "deferrable initially deferred"],
  ] as const) {
    it(`a trigger that writes the row once more afterwards stops the run as well, of ${role}; ${deferral || "at once"}`, async () => {
      await trigger("update t set label = upper(label) where id = new.id; return null;", {
        when: "after update of label",
        condition: "pg_trigger_depth() = 0",
        deferral,
      });
      const isOwner = role === "one that may not";
      const other = `${database.name}_plain`;
      const url = new URL(database.url);
      if (isOwner) {
        await database.query(
          `revoke temporary on database ${database.name} from public; create role ${other} login password 'x';
           grant create on database ${database.name} to ${other}; grant all on schema public to ${other}; alter table t owner to ${other}`,
        );
        [url.username, url.password] = [other, "x"];
      }
      const own = new Pool({ connectionString: url.href });
      own.on("error", () => {});
      try {
        const error = await refusal(() => migrate(own, [label], { batchRows: 50, leaseMs: 1000 }));
        expect(error).to.include({ code: "ERR_MIGRATE_DATABASE", table: "t" });
        expect(error.message).to.match(/a trigger changes what is written/);
        expect(await plaintextLeft()).to.equal(ROWS);
        await database.query("alter table t disable trigger meddle");
        const [report] = await migrate(own, [label], { batchRows: 50, leaseMs: 1000 });
        expect(report).to.include({ state: "done", rowsWritten: ROWS });
      } finally {
        await own.end();
        if (isOwner) {
          await database.query(
            `drop schema if exists fieldseal cascade; drop table t; drop owned by ${other}; drop role ${other};
             grant temporary on database ${database.name} to public`,
          );
        }
      }
    });
  }

  it("a trigger that is made while the run is at work, and writes the row once more, stops it: no row is destroyed", async () => {
    let made: Promise<unknown> | undefined;
    const onProgress = ({ rowsWritten }: Progress): void => {
      if (rowsWritten === 0 || made !== undefined) return;
      made = trigger("update t set label = upper(label) where id = new.id; return null;", {
        when: "after update of label",
        condition: "pg_trigger_depth() = 0",
      });
    };
    // A quarter of the rows is written at once, the others in a second and a half.
    const options = { batchRows: 20, workers: 1, chunks: 1, maxRowsPerSecond: 200, progressMs: 0 };
    const error = await refusal(() => run({ ...options, onProgress }));
    expect(error.message).to.match(/a trigger changes what is written/);
    await made;
    expect(await plaintextLeft()).to.be.within(1, ROWS - 1);
    const written = await database.query<{ id: number; label: string }>(
      "select id, label from t where label not like 'secret%'",
    );
    for (const row of written) expect(label.cipher.open(row.label)).to.equal(`secret ${row.id}`);
  });

  for (const [what, options] of [
    ["the database's", {}],
    [
      "the caller's own",
      {
        onProgress: ({ rowsWritten }: Progress) => {
          if (rowsWritten > 0) throw new Error("full disk");
        },
        progressMs: 0,
      },
    ],
  ] as const) {
    it(`a run that ends by an error, ${what}, leaves its chunks to whoever comes next`, async () => {
      if (what.startsWith("the database"))
        await database.query("alter table t add constraint no_sealed check (label like 'secret%')");
      await refusal(() => run({ chunks: 4, ...options }));
      const leases = await database.query(
        "select 1 from fieldseal.chunk where owner is not null or lease_until is not null",
      );
      expect(leases).to.deep.equal([]);
      await database.query("alter table t drop constraint if exists no_sealed");
      const waits: unknown[] = [];
      const onProgress = ({ waitingFor }: Progress): unknown =>
        waitingFor && waits.push(waitingFor);
      expect(await run({ onProgress, progressMs: 0 })).to.include({
        state: "done",
        rowsWritten: ROWS,
      });
      expect(waits).to.deep.equal([]);
    });
  }

  it("a trigger that notes changes elsewhere afterwards is welcome", async () => {
    await database.query("drop table if exists noted; create table noted (id int)");
    await trigger("insert into noted values (new.id); return null;", { when: "after update" });
    expect(await run()).to.include({ state: "done", rowsWritten: ROWS });
    const [row] = await database.query<{ n: number }>("select count(*)::int as n from noted");
    expect(row!.n).to.equal(ROWS);
  });

  it("a trigger that only touches another column is welcome", async () => {
    await trigger("new.other := new.other + 1; return new;");
    expect(await run()).to.include({ state: "done", rowsWritten: ROWS });
  });

  it("a constraint that refuses all ciphertext stops the run, and is named", async () => {
    await database.query("alter table t add constraint no_sealed check (label like 'secret%')");
    const error = await refusal();
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE", table: "t" });
    expect(error.message).to.match(
      /23514 \(constraint "no_sealed"\): a CHECK constraint refuses the new values/,
    );
    expect(await plaintextLeft()).to.equal(ROWS);
  });

  it("a constraint that refuses some rows leaves these, by name, and writes the others", async () => {
    await database.query(
      "alter table t add constraint picky check (id not in (60, 61, 399) or label like 'secret%')",
    );
    const report = await run();
    expect(report).to.include({ state: "partial", rowsWritten: ROWS - 3, poisonRows: 3 });
    expect(report.poison.map(({ primaryKey: { id } }) => id)).to.have.members(["60", "61", "399"]);
    expect(report.poison[0]).to.deep.include({
      column: "label",
      code: "ERR_MIGRATE_DATABASE",
      reason: '23514, constraint "picky"',
    });
    expect(JSON.stringify(report)).not.to.match(/secret \d/);
    expect(await plaintextLeft()).to.equal(3);
    await database.query("alter table t drop constraint picky");
    expect(await run()).to.include({ state: "done", rowsWritten: 3 });
  });

  it("more rows than maxPoisonRows that a constraint refuses stop the run", async () => {
    await database.query(
      "alter table t add constraint picky check (id < 100 or label like 'secret%')",
    );
    const error = await refusal(() => run({ maxPoisonRows: 20, workers: 1 }));
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE" });
    expect(error.message).to.match(/"picky"/);
  });

  it("a generated column on top, and a foreign key from elsewhere, are no obstacles", async () => {
    await database.query("alter table t add length int generated always as (length(label)) stored");
    await database.query(
      "create table child (t_id int references t); insert into child select id from t limit 10",
    );
    expect(await run()).to.include({ state: "done", rowsWritten: ROWS });
    await database.query("drop table child");
  });

  it("a unique constraint holds for deterministic values", async () => {
    await database.query("alter table t add constraint one_each unique (label)");
    const options = { ...ACCEPT, deterministic: true };
    const siv = column({ table: "t", column: "label", keyring, options });
    const [report] = await migrate(pool, [siv]);
    expect(report).to.include({ state: "done", rowsWritten: ROWS });
    const twice = await refusal(() =>
      database.query("insert into t (id, label) values (1000, $1)", [siv.cipher.seal("secret 5")]),
    );
    expect(twice).to.include({ code: "23505" });
  });

  it("row-level security that would hide rows is refused, not overlooked", async () => {
    await database.query(
      `drop role if exists narrow; create role narrow login password 'narrow'; grant all on t to narrow;
       grant create on database "${database.name}" to narrow;
       alter table t enable row level security; create policy low on t using (id < 10)`,
    );
    const url = new URL(database.url);
    [url.username, url.password] = ["narrow", "narrow"];
    const narrow = new Pool({ connectionString: url.href });
    narrow.on("error", () => {});
    const error = await refusal(() => migrate(narrow, [label]));
    await narrow.end();
    expect(error).to.include({ code: "ERR_MIGRATE_DATABASE" });
    expect(error.message).to.match(/42501.*row-level security hides rows/);
    expect(await plaintextLeft()).to.equal(ROWS);
    await database.query(
      `drop schema if exists fieldseal cascade; drop owned by narrow; drop role narrow`,
    );
  });

  it("a view is refused, with the reason", async () => {
    await database.query("create view v as select * from t");
    const view = column({ table: "v", column: "label", keyring, options: ACCEPT });
    const error = await refusal(() => migrate(pool, [view]));
    expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
    expect(error.message).to.match(/is a view or a foreign table.*Migrate the table behind it/);
    await database.query("drop view v");
  });

  it("a server that restarts, or connections that are cut, only cost time", async () => {
    let cuts = 0;
    const report = await run({
      batchRows: 20,
      progressMs: 0,
      onProgress: () => {
        if (++cuts % 4 !== 0 || cuts > 20) return;
        void database.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fieldseal'",
        );
      },
    });
    expect(cuts).to.be.greaterThan(4);
    expect(report).to.include({ state: "done", poisonRows: 0 });
    expect(await plaintextLeft()).to.equal(0);
  });

  it("a row that was locked is not forgotten where the connection is cut before it is tried again", async () => {
    await database.query("delete from t where id > 1");
    const app = new Client({ connectionString: database.url });
    await app.connect();
    await app.query("begin; select from t for update");
    const own = new Pool({ connectionString: database.url });
    own.on("error", () => {});
    let isCut = false;
    own.on("connect", (client) => {
      const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
      client.query = (async (statement: { readonly text?: string }, ...values: unknown[]) => {
        const isSecondTry = /^SELECT .* JOIN unnest/.test(statement.text ?? "");
        if (isSecondTry && !isCut) {
          isCut = true;
          await database.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fieldseal'",
          );
          await app.query("commit");
        }
        return query(statement, ...values);
      }) as typeof client.query;
    });
    const [report] = await migrate(own, [label]);
    await own.end();
    await app.end();
    expect(isCut).to.equal(true);
    expect(report).to.include({ state: "done", rowsWritten: 1 });
    expect(await plaintextLeft()).to.equal(0);
  });

  it("a connection that ends between two statements is heard, whoever has it: else it would end the process", async () => {
    const own = new Pool({ connectionString: database.url });
    const listeners: number[] = [];
    own.on("acquire", (client) => {
      setImmediate(() => listeners.push(client.listenerCount("error")));
    });
    try {
      const steps = {
        plan: () => planMigration(own, [label]),
        unfit: () => findUnfitColumns(own, [label]),
        run: () => migrate(own, [label]),
        verify: () => verifyColumns(own, [label]),
        finalize: () => finalizeColumns(own, [label]),
        undo: () => undoFinalize(own, [label]),
      };
      for (const [step, act] of Object.entries(steps)) {
        listeners.length = 0;
        await act();
        expect(listeners, step).to.not.be.empty.and.not.to.include(0);
      }
    } finally {
      await own.end();
    }
  });

  it("an option that names an unknown column is refused", async () => {
    for (const options of [
      { sources: { "t.nothing": "plain" } },
      { previous: { label: label.cipher } },
    ]) {
      const error = await refusal(() => migrate(pool, [label], options));
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      expect(error.message).to.match(
        /names "(t.nothing|label)", which is no column of this run.*t\.label/,
      );
    }
  });

  it("a column that two models describe is refused, whatever the spelling of its table", async () => {
    const described = (spec: Partial<Parameters<typeof column>[0]> = {}): EncryptedColumn => ({
      ...column({ table: "t", column: "label", keyring, options: ACCEPT, ...spec }),
      model: "Other",
    });
    const index = { options: { ...ACCEPT, blindIndex: { column: "plain" } } };
    const pairs: (readonly [string, EncryptedColumn, EncryptedColumn])[] = [
      ["label", label, described()],
      ["label", label, described({ schema: "public" })],
      [
        "plain",
        column({ table: "t", column: "label", keyring, ...index }),
        described({ column: "plain" }),
      ],
    ];
    const sources = { "t.label": "plain", "t.other": "plain" };
    pairs.push(["plain", label, described({ column: "other" })]);
    for (const [name, ...columns] of pairs) {
      for (const action of [migrate, planMigration]) {
        const options = columns[1].column === "other" ? { sources } : {};
        const error = await refusal(() => action(pool, columns, options));
        expect(error).to.include({ code: "ERR_MIGRATE_TARGET", table: "t" });
        expect(error.message)
          .to.include(
            `Column "${name}" of table "t" is described twice, by t.label and by Other.${columns[1].field}`,
          )
          .and.include('.filter(({ model }) => model !== "Other")');
      }
    }
    expect(await plaintextLeft()).to.equal(ROWS);
    const [journal] = await database.query("select to_regnamespace('fieldseal') as schema");
    expect(journal).to.deep.equal({ schema: null });
  });

  it("decrypting what the application could not read is refused", async () => {
    const strict = column({ table: "t", column: "label", keyring });
    const error = await refusal(() => migrate(pool, [strict], { direction: "decrypt" }));
    expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
    expect(error.message).to.match(/would not read the plaintext.*plaintext: "accept"/);
    const legacy = column({
      table: "t",
      column: "label",
      keyring,
      options: { legacy: "aes-256-cbc" },
    });
    const other = await refusal(() => migrate(pool, [legacy], { direction: "decrypt" }));
    expect(other.message).to.match(/declared legacy.*Encrypt it first/);
  });

  it("decrypting what plaintext cannot hold leaves the row, and names it", async () => {
    await database.query("truncate t");
    const values = ["fine", "with a \0", "9V6h".padEnd(8)];
    const inner = label.cipher.seal("an envelope as text") as string;
    for (const [id, value] of [...values, inner].entries()) {
      await database.query("insert into t (id, label) values ($1, $2)", [
        id,
        label.cipher.seal(value),
      ]);
    }
    const report = await run({ direction: "decrypt" });
    expect(report).to.include({ state: "partial", rowsWritten: 1, poisonRows: 3 });
    expect(report.poison.map(({ primaryKey: { id }, code }) => [id, code])).to.deep.equal([
      ["1", "ERR_VALUE_ENCODING"],
      ["2", "ERR_VALUE_ENCODING"],
      ["3", "ERR_VALUE_ENCODING"],
    ]);
  });

  describe("to dropping a source", () => {
    const sources = { "t.label": "plain" };
    beforeEach(() => database.query("update t set plain = label, label = null"));

    it("are rows that hold a plain value only: nothing is dropped", async () => {
      const error = await refusal(() => dropSources(pool, [label], sources));
      expect(error).to.include({ code: "ERR_MIGRATE_STATE", table: "t" });
      expect(error.message).to.match(/holds values that are not encrypted yet/);
      const constraints = await database.query(
        "select 1 from pg_constraint where conrelid = 't'::regclass and contype = 'c'",
      );
      expect(constraints).to.deep.equal([]);
      expect(await run({ sources })).to.include({ state: "done", rowsWritten: ROWS });
      await dropSources(pool, [label], sources);
      const names = await database.query<{ name: string }>(
        "select attname as name from pg_attribute where attrelid = 't'::regclass and attnum > 0 and not attisdropped",
      );
      expect(names.map(({ name }) => name)).to.deep.equal(["id", "label", "other"]);
      const triggers = await database.query(
        "select 1 from pg_trigger where tgrelid = 't'::regclass and not tgisinternal",
      );
      expect(triggers).to.deep.equal([]);
    });

    it("is a source that is not there", async () => {
      const error = await refusal(() => dropSources(pool, [label], { "t.label": "nothing" }));
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      expect(error.message).to.match(/no column "nothing"/);
    });
  });
});
