// Migrations as people write them, run by the tools that people use: umzug over Sequelize, and MikroORM's own migrator.
import { createRequire } from "node:module";
import { configure, generateRootKey, Keyring, type MigrationError } from "@fieldseal/crypto";
import { MikroORM } from "@mikro-orm/postgresql";
import { Migration, Migrator } from "@mikro-orm/migrations";
import { expect } from "chai";
import pg, { Pool } from "pg";
import { Sequelize, type QueryInterface, type Transaction } from "sequelize";
import { SequelizeStorage, Umzug, type MigrationParams } from "umzug";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import {
  decryptColumns,
  encryptColumns,
  type ColumnDeclaration,
  type MigrationHost,
} from "../src/index.ts";
import { column } from "./columns.ts";

const ROWS = 300;
const key = generateRootKey();
const keyring = Keyring.fromKey(key);
const columns: readonly ColumnDeclaration[] = [
  {
    table: "people",
    column: "email",
    type: "text",
    keyring,
    blindIndex: { column: "email_index" },
  },
  { table: "people", column: "profile", type: "json", keyring },
];

interface Person {
  readonly id: number;
  readonly email: string;
  readonly profile: string;
  readonly email_index: string | null;
}

describe("encryptColumns and decryptColumns", function () {
  this.timeout(30_000);
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase();
  });
  beforeEach(async () => {
    await database.query(
      "drop schema if exists fieldseal cascade; drop table if exists people, umzug",
    );
    await database.query("drop table if exists mikro_orm_migrations");
    await database.query(
      "create table people (id int primary key, email text, profile text, email_index text)",
    );
    await database.query(
      `insert into people select i, 'p' || i || '@example.org', '{"n":' || i || '}' from generate_series(1, $1) i`,
      [ROWS],
    );
  });
  after(() => database.drop());

  const strict = {
    email: column({ table: "people", column: "email", keyring }).cipher,
    profile: column({ table: "people", column: "profile", keyring, type: "json" }).cipher,
  };

  async function expectEncrypted(): Promise<void> {
    const rows = await database.query<Person>("select * from people");
    expect(rows).to.have.length(ROWS);
    for (const { id, email, profile, email_index: token } of rows) {
      expect(strict.email.open(email)).to.equal(`p${id}@example.org`);
      expect(strict.profile.open(profile)).to.deep.equal({ n: id });
      expect(token).to.be.a("string");
    }
  }

  async function expectPlain(): Promise<void> {
    const rows = await database.query<Person>("select * from people");
    expect(rows).to.have.length(ROWS);
    for (const { id, email, profile, email_index: token } of rows) {
      expect({ email, profile, token }).to.deep.equal({
        email: `p${id}@example.org`,
        profile: `{"n":${id}}`,
        token: null,
      });
    }
  }

  async function failureOf(action: () => Promise<unknown>): Promise<MigrationError> {
    let error: unknown;
    await action().catch((reason: unknown) => (error = reason));
    // Migrators wrap what a migration throws.
    const cause = (error as { cause?: unknown } | undefined)?.cause;
    return (
      (error as { code?: unknown })?.code === undefined ? (cause ?? error) : error
    ) as MigrationError;
  }

  const openTransactions = (): Promise<object[]> =>
    database.query(
      "select pid from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
    );

  describe("in umzug, over Sequelize", () => {
    let sequelize: Sequelize;
    beforeEach(() => {
      // One connection, in use by whoever has it: the engine must not need a second one of this pool.
      sequelize = new Sequelize(database.url, { logging: false, pool: { max: 1 } });
    });
    afterEach(() => sequelize.close());

    function umzug(
      up: (queryInterface: QueryInterface) => Promise<unknown>,
      down: (queryInterface: QueryInterface) => Promise<unknown> = async () => {},
    ): Umzug<QueryInterface> {
      const step =
        (action: typeof up) =>
        async ({ context }: MigrationParams<QueryInterface>): Promise<void> => {
          await action(context);
        };
      return new Umzug({
        context: sequelize.getQueryInterface(),
        storage: new SequelizeStorage({ sequelize, tableName: "umzug" }),
        migrations: [{ name: "encrypt-people", up: step(up), down: step(down) }],
        logger: undefined,
      });
    }

    it("encrypts on the way up and decrypts on the way down", async () => {
      let transactions: object[] | undefined;
      const migrator = umzug(
        (queryInterface) =>
          encryptColumns(queryInterface, columns, {
            batchRows: 50,
            progressMs: 0,
            onProgress: () => void openTransactions().then((open) => (transactions ??= open)),
          }),
        (queryInterface) => decryptColumns(queryInterface, columns),
      );
      await migrator.up();
      await expectEncrypted();
      expect(transactions, "held open while batches are written").to.deep.equal([]);
      expect((await migrator.executed()).map(({ name }) => name)).to.deep.equal(["encrypt-people"]);
      await migrator.down();
      await expectPlain();
      expect(await migrator.executed()).to.deep.equal([]);
    });

    it("installs the guards when told, and takes them away on the way down", async () => {
      const migrator = umzug(
        (queryInterface) => encryptColumns(queryInterface, columns, { finalize: true }),
        (queryInterface) => decryptColumns(queryInterface, columns),
      );
      await migrator.up();
      const plain = await failureOf(() =>
        database.query("update people set email = 'x' where id = 1"),
      );
      expect(plain).to.include({ code: "23514" });
      await migrator.down();
      await expectPlain();
    });

    it("reads the password that the application's hook gives", async () => {
      const url = new URL(database.url);
      const password = url.password;
      url.password = "outdated";
      const rotating = new Sequelize(url.href, { logging: false });
      rotating.addHook("beforeConnect", (config: { password?: string | null }) => {
        config.password = password;
      });
      await encryptColumns(rotating.getQueryInterface(), columns);
      await rotating.close();
      await expectEncrypted();
    });

    it("does not count as done while rows are left, and goes on when it is run again", async () => {
      const stranger = column({
        table: "people",
        column: "email",
        keyring: Keyring.fromKey(generateRootKey()),
      });
      await database.query("update people set email = $1 where id = 7", [
        stranger.cipher.seal("x"),
      ]);
      const migrator = umzug((queryInterface) => encryptColumns(queryInterface, columns));
      const error = await failureOf(() => migrator.up());
      expect(error).to.include({ code: "ERR_MIGRATE_INCOMPLETE", table: "people" });
      expect(error.message)
        .to.match(/1 rows cannot be read/)
        .and.not.include("example.org");
      expect(await migrator.executed()).to.deep.equal([]);
      await database.query("update people set email = 'p7@example.org' where id = 7");
      await migrator.up();
      await expectEncrypted();
    });

    it("refuses at once inside a transaction that has altered the table", async () => {
      const large = new Sequelize(database.url, { logging: false });
      const error = await failureOf(() =>
        large.transaction(async (transaction: Transaction) => {
          await large.query("alter table people add column later int", { transaction });
          await encryptColumns(large.getQueryInterface(), columns, { transaction });
        }),
      );
      await large.close();
      expect(error).to.include({ code: "ERR_MIGRATE_TRANSACTION", table: "people" });
      expect(error.message).to.match(/own transaction holds a AccessExclusiveLock/);
      await expectPlain();
    });

    it("refuses a transaction that it was not told of, when that one keeps the table locked", async () => {
      const large = new Sequelize(database.url, { logging: false });
      const start = performance.now();
      const error = await failureOf(() =>
        large.transaction(async (transaction: Transaction) => {
          await large.query("alter table people add column later int", { transaction });
          await encryptColumns(large.getQueryInterface(), columns);
        }),
      );
      await large.close();
      expect(error).to.include({ code: "ERR_MIGRATE_TRANSACTION", table: "people" });
      expect(error.message).to.match(/process \d+.*idle in a transaction for \d+ s, holds a/);
      expect(performance.now() - start).to.be.lessThan(8000);
    });

    it("waits for a stranger's transaction that ends soon", async () => {
      const stranger = new pg.Client({ connectionString: database.url });
      await stranger.connect();
      await stranger.query("begin; lock table people in share mode");
      const end = setTimeout(() => void stranger.query("commit"), 500);
      await encryptColumns(sequelize.getQueryInterface(), columns);
      clearTimeout(end);
      await stranger.end();
      await expectEncrypted();
    });

    it("refuses a transaction that has written elsewhere: VACUUM would stand still as long", async () => {
      const large = new Sequelize(database.url, { logging: false });
      await database.query("create table if not exists other (n int)");
      const error = await failureOf(() =>
        large.transaction(async (transaction: Transaction) => {
          await large.query("insert into other values (1)", { transaction });
          await encryptColumns(large.getQueryInterface(), columns, { transaction });
        }),
      );
      await large.close();
      expect(error).to.include({ code: "ERR_MIGRATE_TRANSACTION" });
      expect(error.message).to.match(/has written already/);
    });

    it("refuses other databases", async () => {
      const host = { sequelize: { getDialect: () => "mysql", config: {} } };
      const error = await failureOf(() => encryptColumns(host, columns));
      expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      expect(error.message).to.match(/works on PostgreSQL.*mysql/);
    });
  });

  // Version 6 is CommonJS, and stands in a workspace of its own.
  const six = createRequire(new URL("../../../test/mikro-orm-6/package.json", import.meta.url));
  const versions = {
    "MikroORM 7": { MikroORM, Migration, Migrator },
    "MikroORM 6": {
      ...(six("@mikro-orm/postgresql") as { MikroORM: typeof MikroORM }),
      ...(six("@mikro-orm/migrations") as {
        Migration: typeof Migration;
        Migrator: typeof Migrator;
      }),
    },
  };

  for (const [name, version] of Object.entries(versions)) {
    describe(`in a Migration of ${name}`, () => {
      abstract class People extends version.Migration {
        override async up(): Promise<void> {
          await encryptColumns(this, columns, { batchRows: 50 });
        }
        override async down(): Promise<void> {
          await decryptColumns(this, columns);
        }
      }

      class Outside extends People {
        override isTransactional(): boolean {
          return false;
        }
      }
      class Inside extends People {}
      class Altering extends People {
        override async up(): Promise<void> {
          await this.execute("alter table people add column later int");
          await super.up();
        }
      }
      class Writing extends version.Migration {
        override up(): void {
          this.addSql("insert into people (id) select 1000 where false");
          this.addSql("create table if not exists written (n int)");
        }
      }

      async function withMigrator<T>(
        migrations: readonly (new (...parameters: never[]) => Migration)[],
        action: (migrator: { up(): Promise<unknown>; down(): Promise<unknown> }) => Promise<T>,
        options: object = {},
      ): Promise<T> {
        const orm = await version.MikroORM.init({
          clientUrl: database.url,
          entities: [],
          discovery: { warnWhenNoEntities: false },
          extensions: [version.Migrator],
          debug: false,
          pool: { min: 0, max: 2 },
          migrations: {
            snapshot: false,
            silent: true,
            migrationsList: migrations.map((one) => ({ name: one.name, class: one })),
            ...options,
          },
        } as never);
        try {
          const { migrator } = orm as unknown as { migrator?: unknown };
          const current = migrator ?? (orm as unknown as { getMigrator(): unknown }).getMigrator();
          return await action(current as never);
        } finally {
          await orm.close(true);
        }
      }

      it("encrypts on the way up and decrypts on the way down, without a transaction", async () => {
        await withMigrator(
          [Outside],
          async (migrator) => {
            await migrator.up();
            await expectEncrypted();
            await migrator.down();
            await expectPlain();
          },
          { allOrNothing: false },
        );
      });

      it("works within the migrator's transaction while that one has touched nothing", async () => {
        await withMigrator([Inside], async (migrator) => {
          await migrator.up();
          await expectEncrypted();
          await migrator.down();
          await expectPlain();
        });
      });

      it("refuses at once inside a transaction that has altered the table", async () => {
        const error = await withMigrator([Altering], (migrator) => failureOf(() => migrator.up()));
        expect(error).to.include({ code: "ERR_MIGRATE_TRANSACTION", table: "people" });
        expect(error.message).to.match(
          /own transaction holds a AccessExclusiveLock.*isTransactional/,
        );
        await expectPlain();
      });

      it("refuses in one transaction with migrations that wrote, and follows them when each has its own", async () => {
        const error = await withMigrator([Writing, Inside], (migrator) =>
          failureOf(() => migrator.up()),
        );
        expect(error).to.include({ code: "ERR_MIGRATE_TRANSACTION" });
        await withMigrator([Writing, Inside], (migrator) => migrator.up(), { allOrNothing: false });
        await expectEncrypted();
      });
    });
  }

  describe("over a pool", () => {
    let pool: Pool;
    before(() => {
      pool = new Pool({ connectionString: database.url, max: 4 });
    });
    after(async () => {
      configure({ keyring: undefined });
      await pool.end();
    });

    it("takes columns with the process's keyring, columns of an adapter, and leaves the pool open", async () => {
      configure({ keyring });
      const byProcess = columns.map((one) => ({ ...one, keyring: undefined }));
      await encryptColumns(pool, byProcess);
      await expectEncrypted();
      const described = ["email", "profile"].map((name) =>
        column({
          table: "people",
          column: name,
          keyring,
          type: name === "email" ? "text" : "json",
          options: { plaintext: "accept" },
        }),
      );
      await decryptColumns(pool, described);
      expect((await pool.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
      const [row] = await database.query("select email from people where id = 3");
      expect(row!.email).to.equal("p3@example.org");
    });

    it("does not count as done when it was stopped", async () => {
      const controller = new AbortController();
      const error = await failureOf(() =>
        encryptColumns(pool, columns, {
          batchRows: 20,
          progressMs: 0,
          signal: controller.signal,
          onProgress: () => controller.abort(),
        }),
      );
      expect(error).to.include({ code: "ERR_MIGRATE_INCOMPLETE" });
      expect(error.message).to.match(/ended paused/);
      await encryptColumns(pool, columns);
      await expectEncrypted();
    });

    it("does not count as done when plaintext came in before the fence", async () => {
      const error = await failureOf(() =>
        encryptColumns(pool, columns, {
          finalize: true,
          onProgress: ({ state }) => {
            if (state === "done")
              void database.query("update people set email = 'late' where id = 1");
          },
        }),
      );
      expect(error).to.include({ code: "ERR_MIGRATE_INCOMPLETE", table: "people" });
      expect(error.message)
        .to.match(/1 plaintext values came in meanwhile/)
        .and.not.match(/late/);
      await encryptColumns(pool, columns, { finalize: true });
      const [row] = await database.query<Person>("select email from people where id = 1");
      expect(strict.email.open(row!.email)).to.equal("late");
    });

    it("refuses what is no host", async () => {
      for (const host of [{}, undefined, { sequelize: {} }]) {
        const error = await failureOf(() => encryptColumns(host as MigrationHost, columns));
        expect(error).to.include({ code: "ERR_MIGRATE_TARGET" });
      }
    });
  });
});
