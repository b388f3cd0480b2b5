// Runs a suite on both versions of MikroORM, each on a database with the tables of entities.ts.
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import {
  connect,
  createSchema,
  createTestDatabase,
  type EntityManager,
  type MikroORM,
  type OrmOptions,
  type TestDatabase,
} from "./database.ts";
import { entitiesFor, type Entities } from "./entities.ts";
import { versions, type Version } from "./versions.ts";

export interface Suite extends Entities {
  readonly version: Version;
  readonly database: TestDatabase;
  readonly orm: MikroORM;
  readonly keyring: Keyring;
  /** A new entity manager, as a new request has. */
  em(): EntityManager;
  /** Statements since the last call, without those of transactions. */
  statements(): string[];
}

export function onBothVersions(
  title: string,
  define: (suite: Suite) => void,
  options: OrmOptions = {},
): void {
  for (const version of versions) {
    describe(`${title}, ${version.name}`, () => {
      const suite = { version } as { -readonly [Name in keyof Suite]: Suite[Name] };
      let log: string[] = [];

      before(async function () {
        this.timeout(60_000);
        suite.keyring = Keyring.fromKey(generateRootKey());
        Object.assign(suite, entitiesFor(version));
        suite.database = await createTestDatabase();
        suite.orm = await connect(version, suite.database, suite.all, {
          keyring: suite.keyring,
          debug: ["query", "query-params"],
          colors: false,
          logger: (line: string) => log.push(line),
          ...options,
        });
        await createSchema(suite.orm);
        suite.em = () => suite.orm.em.fork() as EntityManager;
        suite.statements = () => {
          const lines = log.filter((line) => !/(begin|commit|rollback|savepoint)/.test(line));
          log = [];
          return lines;
        };
      });
      beforeEach(() => suite.statements());
      after(async () => {
        await suite.orm?.close(true);
        await suite.database?.drop();
      });

      define(suite);
    });
  }
}

let people = 0;

/** Values of a person whom nobody else is. */
export function person(values: object = {}): never {
  return { email: `p${++people}@example.org`, ...values } as never;
}
