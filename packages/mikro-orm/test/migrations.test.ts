// Schema and migrations as MikroORM's command makes them, in an environment that has no key.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure } from "@fieldseal/crypto";
import { expect } from "chai";
import { connect, createTestDatabase, type MikroORM, type TestDatabase } from "./database.ts";
import { entitiesFor } from "./entities.ts";
import { versions } from "./versions.ts";

type Create = () => Promise<{ readonly fileName: string }>;

for (const version of versions) {
  describe(`Migrations, ${version.name}`, () => {
    let database: TestDatabase;
    let folder: string;
    let orm: MikroORM;
    const keyInEnvironment = process.env.ENCRYPTION_KEY;

    before(async function () {
      this.timeout(20_000);
      configure({ keyring: undefined });
      delete process.env.ENCRYPTION_KEY;
      folder = await mkdtemp(join(tmpdir(), "fieldseal-migrations-"));
      database = await createTestDatabase();
      orm = await connect(version, database, entitiesFor(version).all, {
        extensions: [version.Migrator],
        migrations: { path: folder, pathTs: folder, emit: "ts", snapshot: true },
      });
    });
    after(async () => {
      if (keyInEnvironment !== undefined) process.env.ENCRYPTION_KEY = keyInEnvironment;
      await orm?.close(true);
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    });

    /** Named differently by the versions. */
    const create: Create = async () => {
      const { migrator } = orm as unknown as {
        migrator: Record<"create" | "createMigration", Create>;
      };
      return (version.number === 7 ? migrator.create : migrator.createMigration).call(migrator);
    };

    it("are made without a key, once, and name types that hold every value", async () => {
      const { fileName } = await create();
      const [sql] = (await readFile(join(folder, fileName), "utf8")).match(
        /create table "people"[^;]*/,
      )!;
      const columns = Object.fromEntries(
        [...sql.matchAll(/"(\w+)" (\w+)/g)].map(([, name, type]) => [name, type]),
      );
      expect(columns).to.include({
        email: "text",
        name: "text",
        profile: "text",
        photo: "bytea",
        code: "text",
        nickname: "text",
        nickname_index: "text",
        address_street: "text",
        card: "jsonb",
      });
      const before = await readdir(folder);
      expect((await create()).fileName).not.to.be.ok;
      expect(await readdir(folder)).to.deep.equal(before);
    });
  });
}
