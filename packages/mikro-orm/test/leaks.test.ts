// Every way to write and read, with a marker in each value; then the marker is looked for wherever a thief, an
// operator or a log collector could look.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";
import {
  findIn,
  findInServer,
  logEverything,
  skipUnlessSearchable,
} from "../../../test/support/leak-search.ts";
import type { EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

const MARKER = `marker${randomBytes(12).toString("hex")}`;
const log: string[] = [];
const printed: string[] = [];

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
      await suite.database.query("ANALYZE");
      console.error = print;
      expect(errors.length).to.equal(11);
    });

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

    it("is nowhere in the server: its log, statistics, data files and write-ahead log", async function () {
      skipUnlessSearchable(this, suite.database);
      this.timeout(120_000);
      expect(await findInServer(suite.database, MARKER)).to.deep.equal([]);
    });
  },
  { logger: (line: string) => log.push(line) },
);
