// Every way to write and read, with a marker in each value; then the marker is looked for wherever a thief, an
// operator or a log collector could look.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";
import type { Kysely } from "kysely";
import {
  findIn,
  findInServer,
  logEverything,
  skipUnlessSearchable,
} from "../../../test/support/leak-search.ts";
import { connect, type EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

const MARKER = `marker${randomBytes(12).toString("hex")}`;
const CONTROL = `control${randomBytes(12).toString("hex")}`;
const log: string[] = [];
const printed: string[] = [];

/** Where the result cache keeps its entries, as Redis would. */
class Store {
  static readonly entries = new Map<string, unknown>();
  get(name: string): unknown {
    return Store.entries.get(name);
  }
  set(name: string, data: unknown): void {
    Store.entries.set(name, data);
  }
  remove(name: string): void {
    Store.entries.delete(name);
  }
  clear(): void {
    Store.entries.clear();
  }
}

onBothVersions(
  "Plaintext",
  (suite) => {
    const errors: unknown[] = [];
    const snapshots: string[] = [];
    const values = (): object => ({
      name: `name-${MARKER}`,
      profile: { city: MARKER },
      photo: Buffer.from(`photo-${MARKER}`),
      code: Buffer.from(MARKER).toString("base64"),
      nickname: `nick-${MARKER}`,
      city: `city-${MARKER}`,
      address: { street: `street-${MARKER}`, zip: `zip-${MARKER}` },
      card: { pin: `pin-${MARKER}`, note: "n" },
      cards: [{ pin: `pins-${MARKER}` }],
    });

    async function attempt(action: (em: EntityManager) => unknown): Promise<void> {
      await Promise.resolve()
        .then(() => action(suite.em()))
        .catch((error: unknown) => errors.push(error));
    }

    before(async function () {
      this.timeout(60_000);
      await logEverything(suite.database);
      await suite.orm.reconnect(); // the settings are those of new connections
      const { Person, Pet } = suite;
      // MikroORM prints what went wrong in compiled functions; that goes to somebody's log as well.
      const { error: print } = console;
      console.error = (...parts: unknown[]) => void printed.push(inspect(parts, { depth: 20 }));
      const em = suite.em();
      const email = `ada-${MARKER}@example.org`;
      const one = em.create(Person, person({ ...values(), email }));
      await em.persist(one).flush();
      one.name = `changed-${MARKER}`;
      (one.profile as { city: string }).city = `moved-${MARKER}`;
      em.getUnitOfWork().computeChangeSets();
      const [changeSet] = em.getUnitOfWork().getChangeSets();
      snapshots.push(
        inspect(changeSet!.payload, { depth: 20 }),
        JSON.stringify(changeSet!.payload),
      );
      snapshots.push(inspect(changeSet!.originalEntity, { depth: 20 }));
      await em.flush();
      const rows = Array.from({ length: 100 }, (_, i) =>
        person({ ...values(), email: `${i}-${email}` }),
      );
      await attempt((m) => m.insertMany(Person, rows)); // MikroORM takes no inline embeddable here
      const flat = rows.map((row) => {
        const { address, ...others } = row as { address?: unknown };
        expect(address).to.be.an("object");
        return others as never;
      });
      await suite.em().insertMany(Person, flat);
      await suite.em().upsert(Person, { ...values(), email } as never);
      await suite.em().nativeUpdate(Person, { email }, { name: MARKER });
      await suite.em().insert(Pet, { secret: `secret-${MARKER}` } as never);
      await suite.em().find(Person, { email });
      await suite.em().find(Person, { nickname: [`nick-${MARKER}`] });
      await suite.em().find(Person, { city: `city-${MARKER}` });
      await suite.em().find(Person, { address: { zip: `zip-${MARKER}` } });
      await suite.em().count(Person, { $not: { email } });
      const builder = suite
        .em()
        .createQueryBuilder(Person)
        .insert({ email, version: 1 } as never);
      const { name, nickname } = values() as Record<string, unknown>;
      await builder
        .onConflict("email")
        .merge({ name, nickname } as never)
        .execute();

      await driveOtherWays(email);

      await attempt((m) => m.find(Person, { name: MARKER }));
      await attempt((m) => m.find(Person, { email: { $like: `%${MARKER}%` } }));
      await attempt((m) => m.find(Person, { card: { pin: MARKER } } as never));
      await attempt((m) => m.insert(Person, person({ name: [MARKER] })));
      await attempt((m) => m.insert(Person, person({ profile: { bad: [MARKER, Number.NaN] } })));
      await attempt((m) => m.insert(Person, person({ email })));
      await attempt((m) => m.persist(m.create(Person, person({ email }))).flush());
      await attempt((m) => m.persist(m.create(Person, person({ name: { MARKER } }))).flush());
      await attempt((m) => m.nativeUpdate(Person, { email }, { age: "no number" as never }));
      await attempt((m) =>
        m.createQueryBuilder(Person).select("*").where({ name: MARKER }).getResult(),
      );
      await attempt((m) => m.nativeUpdate(Person, { email }, { address_street: MARKER } as never));
      await attempt((m) => m.find(Person, { "people.email": MARKER } as never));
      await attempt((m) =>
        m.find(Person, {}, {
          populate: ["pets"],
          populateWhere: { pets: { secret: MARKER } },
        } as never),
      );
      await attempt((m) => m.findOneOrFail(Person, { email: `nobody-${MARKER}` }));
      await attempt((m) => m.persist(m.create(Person, { name: MARKER } as never)).flush());
      await suite.database.query("ANALYZE");
      console.error = print;
      expect(errors.length).to.equal(15); // the column's name is the property's
    });

    async function driveOtherWays(email: string): Promise<void> {
      const { Person, Pet, version } = suite;
      const { nickname } = values() as { nickname: string };
      const cached = await connect(version, suite.database, suite.all, {
        keyring: suite.keyring,
        debug: true,
        logger: (line: string) => log.push(line),
        resultCache: {
          adapter: version.adapter.EncryptedCacheAdapter,
          options: { adapter: Store, keyring: () => suite.keyring },
        },
      });
      for (const _ of [1, 2]) {
        const em = cached.em.fork() as EntityManager;
        expect(await em.find(Person, { email }, { cache: 10_000 })).to.have.length(1);
      }
      await cached.close(true);
      const owner = { email, nickname, city: `city-${MARKER}`, address: { zip: `zip-${MARKER}` } };
      await suite.em().find(Pet, { owner } as never, { populate: ["owner"] as never });
      for (const strategy of ["joined", "select-in"]) {
        await suite.em().find(Pet, {}, {
          populate: ["owner"],
          populateWhere: { owner: { email, nickname } },
          strategy,
        } as never);
      }
      const row = person({ ...values(), email });
      await suite.em().upsertMany(Person, [row], { onConflictFields: ["email"] } as never);
      await suite.em().nativeDelete(Person, { email: `0-${email}` });
      const { encryptValue } = version.adapter;
      const name = encryptValue(suite.em() as never, { entity: Person, property: "name" }, MARKER);
      const sql = "update people set name = ? where age is null";
      await suite.em().getConnection().execute(sql, [name]);
      if (version.number === 6) return;
      const em = suite.em() as unknown as {
        stream(entity: unknown, options: object): AsyncIterable<unknown>;
        getKysely(options: object): Kysely<{ people: { email: string; name: string } }>;
      };
      for await (const _ of em.stream(Person, { where: { email } })) continue;
      const naming = { columnNamingStrategy: "property", tableNamingStrategy: "table" };
      await em
        .getKysely({ convertValues: true, ...naming })
        .updateTable("people")
        .set({ name: MARKER })
        .where("email", "=", email)
        .execute();
    }

    it("is in no statement that was logged, with its parameters", () => {
      expect(log.length).to.be.greaterThan(20);
      expect(findIn("the log", Buffer.from(log.join("\n")), MARKER)).to.deep.equal([]);
    });

    it("is in no error, and in nothing that MikroORM printed", () => {
      for (const error of errors) {
        // The values of a failed statement in version 6 are ciphertext, a hundred rows of it.
        const { message, stack, cause } = error as Error;
        const text = [inspect(error, { depth: 20 }), JSON.stringify(error), stack, String(cause)];
        expect(findIn(message.slice(0, 200), Buffer.from(text.join("\n")), MARKER)).to.deep.equal(
          [],
        );
      }
      expect(findIn("console", Buffer.from(printed.join("\n")), MARKER)).to.deep.equal([]);
    });

    it("is in no change set or snapshot that is printed", () => {
      expect(findIn("change sets", Buffer.from(snapshots.join("\n")), MARKER)).to.deep.equal([]);
    });

    it("is in no entry or name of the result cache", () => {
      expect(Store.entries.size).to.be.greaterThan(0);
      const content = JSON.stringify([...Store.entries]);
      expect(findIn("the cache", Buffer.from(content), MARKER)).to.deep.equal([]);
    });

    it("is nowhere in the server: its log, statistics, data files and write-ahead log", async function () {
      skipUnlessSearchable(this, suite.database);
      this.timeout(120_000);
      expect(await findInServer(suite.database, MARKER)).to.deep.equal([]);
    });

    it("would be found there, if it were (control)", async function () {
      skipUnlessSearchable(this, suite.database);
      this.timeout(120_000);
      const run = (sql: string): Promise<unknown> => suite.em().getConnection().execute(sql);
      const many = "generate_series(1, 100)";
      await run(`CREATE TABLE control AS SELECT '${CONTROL}'::text AS a FROM ${many}`);
      await run(`SELECT '${Buffer.from(`..${CONTROL}`).toString("base64")}'`);
      await suite.database.query("ANALYZE control");
      const places = (await findInServer(suite.database, CONTROL)).join("\n");
      expect(places).to.include("statistics");
      expect(findIn("the log", Buffer.from(log.join("\n")), CONTROL)).not.to.deep.equal([]);
      expect(places).to.include("the server's log (UTF-8)");
      expect(places).to.include("the server's log (base64 at 2)");
      expect(places).to.include("pg_wal");
      expect(places).to.match(/\/base\/\d+\/\d+ \(UTF-8\)/);
    });
  },
  { logger: (line: string) => log.push(line) },
);
