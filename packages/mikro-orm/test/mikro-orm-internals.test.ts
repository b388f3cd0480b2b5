// What we rely on in MikroORM and what it does not promise: one test per habit, on both versions.
import { expect } from "chai";
import { onBothVersions, person } from "./suite.ts";

onBothVersions("MikroORM's internals", (suite) => {
  it("write parameters into the SQL text, through toPrimitive in version 7 and toSqlString in version 6", () => {
    const calls: string[] = [];
    class Cell {
      [Symbol.toPrimitive](hint: string): string {
        calls.push(`toPrimitive ${hint}`);
        return "'literal'";
      }
      toSqlString(): string {
        calls.push("toSqlString");
        return "'literal'";
      }
    }
    const platform = suite.orm.em.getPlatform() as unknown as {
      formatQuery(sql: string, parameters: unknown[]): string;
    };
    expect(platform.formatQuery("select ?", [new Cell()])).to.equal("select 'literal'");
    expect(calls).to.deep.equal(
      suite.version.number === 7 ? ["toPrimitive default"] : ["toSqlString"],
    );
  });

  it("have the static methods that conditions pass", () => {
    const core = suite.version.core as unknown as Record<
      string,
      Record<string, unknown> & { prototype: Record<string, unknown> }
    >;
    const { ChangeSetComputer, QueryHelper, EntityManager, MetadataStorage, ObjectHydrator } = core;
    expect(QueryHelper!.processWhere).to.be.a("function");
    expect(QueryHelper!.findProperty).to.be.a("function");
    expect(MetadataStorage!.prototype.decorate).to.be.a("function");
    expect(ObjectHydrator!.prototype.hydrate).to.be.a("function");
    expect(ChangeSetComputer!.prototype.computePayload).to.be.a("function");
    for (const name of [
      "processWhere",
      "nativeUpdate",
      "nativeDelete",
      "findOneOrFail",
      "upsert",
      "upsertMany",
    ]) {
      expect(EntityManager!.prototype[name], name).to.be.a("function");
    }
  });

  it("have the driver methods that rows pass, and builders of a driver", () => {
    const driver = suite.orm.em.getDriver() as unknown as Record<string, unknown>;
    for (const name of ["nativeInsert", "nativeInsertMany", "nativeUpdate", "nativeUpdateMany"]) {
      expect(driver[name], name).to.be.a("function");
    }
    const builder = suite.em().createQueryBuilder(suite.Person) as unknown as {
      mainAlias: { meta?: unknown; metadata?: unknown };
    } & Record<string, unknown>;
    expect(builder.mainAlias.meta ?? builder.mainAlias.metadata).to.be.an("object");
    const patched = [
      "merge",
      "joinReference",
      "having",
      "groupBy",
      "distinctOn",
      "select",
      "count",
      "returning",
    ];
    for (const name of [...patched, "getAliasMap"]) {
      expect(builder[name], name).to.be.a("function");
    }
    expect(builder.metadata).to.be.an("object");
  });

  it("give a copied type its own property", () => {
    const { properties } = suite.orm.getMetadata().get(suite.Person as never) as unknown as {
      properties: Record<string, { customType: { prop: { name: string } } }>;
    };
    for (const name of ["email", "name", "nickname", "address_street"]) {
      expect(properties[name]!.customType.prop.name).to.equal(name);
    }
  });

  it("run user hooks before values are sealed", async () => {
    const em = suite.em();
    const hooks = {
      getSubscribedEntities: () => [suite.Person],
      beforeCreate: ({ entity }: { entity: { name: string } }) => {
        entity.name = `${entity.name} by hook`;
      },
    };
    em.getEventManager().registerSubscriber(hooks as never);
    const one = em.create(suite.Person, person({ name: "named" }));
    await em.persist(one).flush();
    const loaded = await suite.em().findOneOrFail(suite.Person, { id: one.id });
    expect(loaded.name).to.equal("named by hook");
  });
});
