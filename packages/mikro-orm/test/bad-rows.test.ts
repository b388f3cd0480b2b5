// A value that does not open is reported with the row it stands in, however many rows were read.
import type { DecryptError } from "@fieldseal/crypto";
import { expect } from "chai";
import type { EntityManager } from "./database.ts";
import { onBothVersions, person } from "./suite.ts";

onBothVersions("A value that does not open", (suite) => {
  const columns = ["name", "profile", "photo", "code"];
  let ids: number[];

  beforeEach(async () => {
    await suite.database.query("truncate people cascade");
    ids = [];
    for (const name of ["a", "b", "c", "d", "e"]) {
      const values = { name, profile: { name }, photo: Buffer.from(name), code: "AAAA" };
      ids.push((await suite.em().insert(suite.Person, person(values))) as number);
    }
  });

  async function failure(ask: (em: EntityManager) => Promise<unknown>): Promise<DecryptError> {
    const error = await ask(suite.em()).then(
      () => undefined,
      (reason: DecryptError) => reason,
    );
    expect(error?.code).to.equal("ERR_DECRYPT_FAILED");
    return error!;
  }

  for (const column of columns) {
    it(`is reported with its primary key: ${column}`, async () => {
      const [, bad] = ids as [number, number];
      // The value of another column does not open in this one.
      const other = column === "photo" ? "decode(name, 'base64')" : "nickname";
      await suite.em().nativeUpdate(suite.Person, { id: bad }, { nickname: "n" });
      await suite.database.query(`update people set ${column} = ${other} where id = ${bad}`);
      for (let count = 2; count <= ids.length; count++) {
        const where = { id: { $in: ids.slice(0, count) } };
        const error = await failure((em) =>
          em.find(suite.Person, where, { orderBy: { id: "asc" } }),
        );
        expect(error.primaryKey, `${count} rows`).to.deep.equal({ id: bad });
        expect(error).to.include({ table: "people", column });
      }
      const one = await failure((em) => em.findOne(suite.Person, { id: bad }));
      expect(one.primaryKey).to.deep.equal({ id: bad });
    });
  }

  it("is not reported with the row of another question at the same time", async () => {
    const [first, second, third] = ids as [number, number, number];
    await suite.database.query(`update people set profile = name where id in (${first}, ${third})`);
    const asked = [first, second, third].map(async (id) =>
      suite
        .em()
        .findOneOrFail(suite.Person, { id })
        .then(
          () => undefined,
          (error: DecryptError) => error.primaryKey,
        ),
    );
    expect(await Promise.all(asked)).to.deep.equal([{ id: first }, undefined, { id: third }]);
  });
});
