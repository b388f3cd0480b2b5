// Where MikroORM keeps or passes on values by ways of its own: result cache, Kysely.
import { channels } from "@fieldseal/crypto";
import { expect } from "chai";
import type { Kysely } from "kysely";
import { countOperations } from "@fieldseal/crypto/testing";
import { connect, type EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

onBothVersions("The result cache", (suite) => {
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

  it("holds ciphertext under hidden names, and gives entities back without decrypting columns", async () => {
    const { keyring, adapter, version, database } = {
      ...suite,
      ...suite.version,
      version: suite.version,
    };
    const orm = await connect(version, database, suite.all, {
      keyring,
      resultCache: {
        adapter: adapter.EncryptedCacheAdapter,
        expiration: 60_000,
        options: { adapter: Store, keyring: () => keyring },
      },
    });
    const em = (): EntityManager => orm.em.fork() as EntityManager;
    const photo = Buffer.from([1, 2]);
    await em().insert(suite.Person, person({ email: "ada@example.org", name: "Ada", photo }));
    const ask = () => em().find(suite.Person, { email: "ada@example.org" }, { cache: 50_000 });
    await ask();
    const again = await countOperations(ask);
    expect(again.result[0]!.name).to.equal("Ada");
    expect(Buffer.from(again.result[0]!.photo!)).to.deep.equal(photo);
    expect(again.counts.decryptions, "the entry").to.equal(1);
    expect(Store.entries.size).to.equal(1);
    const [[name, data]] = [...Store.entries] as [[string, string]];
    expect(name).to.match(/^[0-9a-f]{64}$/);
    expect(data).to.match(/^9V6h/);

    Store.entries.set(name, `${data.slice(0, -8)}AAAAAAA=`);
    expect(await ask(), "a damaged entry is a miss").to.have.length(1);
    await em().clearCache("none");
    await orm.config.getResultCacheAdapter().clear();
    expect(Store.entries.size).to.equal(0);
    await orm.close(true);
  });

  it("gives nothing for an entry under the name of another, and reports it", async () => {
    const { EncryptedCacheAdapter } = suite.version.adapter;
    const cache = new EncryptedCacheAdapter({
      adapter: Store as never,
      keyring: () => suite.keyring,
    });
    await cache.set("session:ada", { role: "user" }, "");
    await cache.set("session:admin", { role: "admin" }, "");
    const [ada, admin] = [...Store.entries.keys()] as [string, string];
    const failures: unknown[] = [];
    const listen = (event: unknown): number => failures.push(event);
    channels.failure.subscribe(listen);
    Store.entries.set(ada, Store.entries.get(admin));
    const moved = await cache.get("session:ada");
    channels.failure.unsubscribe(listen);
    expect(moved).to.equal(undefined);
    expect(failures).to.have.length(1);
    expect(failures[0]).to.deep.include({
      operation: "decrypt",
      code: "ERR_DECRYPT_FAILED",
      table: "fieldseal:result-cache",
    });
    expect(await cache.get("session:admin")).to.deep.equal({ role: "admin" });
    await cache.clear();
  });
});

interface Database {
  people: { email: string; name: string; version: number };
}

onBothVersions("Kysely", (suite) => {
  it("encrypts, searches deterministic columns and refuses others, with convertValues", async function () {
    if (suite.version.number === 6) return; // version 6 has no Kysely
    const kysely = (
      suite.em() as unknown as { getKysely(options: object): Kysely<Database> }
    ).getKysely({
      convertValues: true,
      columnNamingStrategy: "property",
      tableNamingStrategy: "table",
    });
    await kysely
      .insertInto("people")
      .values({ email: "ada@example.org", name: "Ada", version: 1 })
      .execute();
    const [row] = await suite.database.query("select * from people");
    expect(row!.name).to.match(/^9V6h/);
    const find =
      (column: string, operator: string, value: unknown) => async (): Promise<unknown[]> =>
        kysely
          .selectFrom("people")
          .selectAll()
          .where(column as never, operator as never, value as never)
          .execute();
    const [found] = (await find("email", "=", "ada@example.org")()) as { name: string }[];
    expect(found!.name).to.equal("Ada");
    expect(await find("email", "in", ["ada@example.org", "x"])()).to.have.length(1);
    expect(await find("email", "!=", "ada@example.org")()).to.have.length(0);
    for (const ask of [
      find("name", "=", "Ada"),
      find("name", "in", ["Ada"]),
      find("email", ">", "a"),
    ]) {
      const error = await ask().then(
        () => undefined,
        (reason: { code?: string }) => reason,
      );
      expect(error?.code).to.equal("ERR_QUERY_UNSUPPORTED");
    }
    await kysely
      .updateTable("people")
      .set({ name: "Bob" })
      .where("email", "=", "ada@example.org")
      .execute();
    const one = await suite.em().findOneOrFail(suite.Person, { email: "ada@example.org" });
    expect(one.name).to.equal("Bob");
  });
});
