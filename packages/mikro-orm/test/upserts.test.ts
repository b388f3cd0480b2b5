// ON CONFLICT in all its forms: values and tokens stay in step, and what MikroORM asks afterwards is no plaintext.
import { expect } from "chai";
import type { Person } from "./entities.ts";
import { onBothVersions, person } from "./suite.ts";

interface Known {
  id: number;
  email: string;
}

onBothVersions("Upserts", (suite) => {
  before(async () => {
    await suite.database.query("create unique index on people (nickname_index)");
  });

  async function known(values: object): Promise<Known> {
    const { email } = person() as Known;
    const id = (await suite.em().insert(suite.Person, person({ email, ...values }))) as number;
    suite.statements();
    return { id, email };
  }

  async function expectIndexed(id: number, nickname: string, other: string): Promise<void> {
    expect(suite.statements().join("\n")).not.to.match(/@example\.org|'(old|new)/);
    const one = (await suite.em().findOneOrFail(suite.Person, { id })) as Person;
    expect(one.nickname).to.equal(nickname);
    expect(await suite.em().count(suite.Person, { id, nickname })).to.equal(1);
    expect(await suite.em().count(suite.Person, { id, nickname: other })).to.equal(0);
  }

  const keeping: Record<string, object> = {
    "excluding the value": { onConflictExcludeFields: ["nickname"] },
    "merging another": { onConflictMergeFields: ["age"] },
    ignoring: { onConflictAction: "ignore" },
  };
  for (const [i, [name, options]] of Object.entries(keeping).entries()) {
    it(`keep value and token when ${name}`, async () => {
      const { id, email } = await known({ nickname: `old ${i}` });
      const data = person({ email, nickname: `new ${i}`, age: 5 });
      const conflict = { onConflictFields: ["email"], ...options } as never;
      const one = await suite.em().upsert(suite.Person, data, conflict);
      expect(one.id).to.equal(id);
      await expectIndexed(id, `old ${i}`, `new ${i}`);
      const [same] = await suite.em().upsertMany(suite.Person, [data], conflict);
      expect(same!.id).to.equal(id);
      await expectIndexed(id, `old ${i}`, `new ${i}`);
      const em = suite.em();
      const entity = em.create(suite.Person, data);
      expect((await em.upsert(suite.Person, entity, conflict)).id).to.equal(id);
      await expectIndexed(id, `old ${i}`, `new ${i}`);
    });
  }

  it("change value and token when merging it, also beside others", async () => {
    const first = await known({ nickname: "old a" });
    const second = await known({ nickname: "old b" });
    const conflict = { onConflictFields: ["email"], onConflictMergeFields: ["nickname"] } as never;
    await suite
      .em()
      .upsert(suite.Person, person({ email: first.email, nickname: "new a" }), conflict);
    await expectIndexed(first.id, "new a", "old a");
    await suite
      .em()
      .upsertMany(
        suite.Person,
        [
          person({ email: first.email, nickname: "newer a" }),
          person({ email: second.email, nickname: "new b" }),
        ],
        conflict,
      );
    await expectIndexed(first.id, "newer a", "new a");
    await expectIndexed(second.id, "new b", "old b");
  });

  it("find their row by a deterministic value among several", async () => {
    const rows = [
      await known({ nickname: "old c" }),
      await known({ nickname: "old d" }),
      await known({ nickname: "old e" }),
      await known({ nickname: "old f" }),
      await known({ nickname: "old g" }),
    ];
    const conflict = { onConflictFields: ["email"], onConflictAction: "ignore" } as never;
    const data = rows.toReversed().map(({ email }) => person({ email, age: 1 }));
    const found = await suite.em().upsertMany(suite.Person, data, conflict);
    expect(found.map(({ id }) => id)).to.deep.equal(rows.toReversed().map(({ id }) => id));
    expect(suite.statements().join("\n")).not.to.include("@example.org");
  });

  it("give entities values and no ciphertext, where some rows are new and some are kept", async () => {
    const { id, email } = await known({ name: "old", profile: { a: 1 } });
    const data = [person({ email, name: "new" }), person({ name: "first" })];
    const em = suite.em();
    const options = { onConflictFields: ["email"], onConflictAction: "ignore" } as never;
    const [kept, added] = await em.upsertMany(suite.Person, data, options);
    expect([kept!.id, kept!.email, kept!.name]).to.deep.equal([id, email, "old"]);
    expect(kept!.profile).to.deep.equal({ a: 1 });
    expect(added!.name).to.equal("first");
    suite.statements();
    await em.flush();
    expect(suite.statements()).to.deep.equal([]);
  });

  it("find their row by a unique blind index, whatever they do with it", async () => {
    const { id, email } = await known({ nickname: "Countess" });
    for (const onConflictAction of ["merge", "ignore"] as const) {
      const options = { onConflictFields: ["nicknameIndex"], onConflictAction } as never;
      const data = person({ email, nickname: "COUNTESS", age: 7 });
      expect((await suite.em().upsert(suite.Person, data, options)).id).to.equal(id);
      const [one] = await suite.em().upsertMany(suite.Person, [data], options);
      expect(one!.id).to.equal(id);
    }
  });

  it("leave no phantom change behind", async () => {
    const { email } = await known({ nickname: "still" });
    const em = suite.em();
    const one = await em.upsert(suite.Person, person({ email, nickname: "calm", profile: "text" }));
    await em.upsertMany(suite.Person, [person({ email, name: "x", profile: { a: 1 } })]);
    expect(one.profile).to.deep.equal({ a: 1 });
    suite.statements();
    await em.flush();
    expect(suite.statements()).to.deep.equal([]);
  });

  it("merge all of a query builder's values with their tokens", async () => {
    const { id, email } = await known({ nickname: "old m" });
    const insert = (values: object) =>
      suite
        .em()
        .createQueryBuilder(suite.Person)
        .insert({ email, version: 1, ...values } as never)
        .onConflict("email");
    await insert({ nickname: "new m" }).merge().execute();
    await expectIndexed(id, "new m", "old m");
    await insert({ nickname: "new n" })
      .merge(["nickname"] as never)
      .execute();
    await expectIndexed(id, "new n", "new m");
  });

  it("clone rows with new values and tokens, in version 7", async function () {
    if (suite.version.number === 6) return;
    const { id } = await known({ nickname: "original", name: "kept" });
    const em = suite.em() as unknown as {
      clone(name: unknown, where: unknown, values: object): Promise<Person>;
    };
    const values = { email: "clone@example.org", nickname: "copy", card: { pin: "1", note: null } };
    const original = await suite.em().findOneOrFail(suite.Person, { id });
    const copy = await em.clone(suite.Person, { id: original.id }, values);
    expect([copy.name, copy.card?.pin]).to.deep.equal(["kept", "1"]);
    await expectIndexed(copy.id, "copy", "original");
  });
});
