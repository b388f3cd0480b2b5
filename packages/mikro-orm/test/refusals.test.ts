// Shapes that cannot be encrypted, refused at discovery: before a table is made or a value is stored.
import { ConfigError } from "@fieldseal/crypto";
import { expect } from "chai";
import { connect, createTestDatabase, type MikroORM, type TestDatabase } from "./database.ts";
import { versions } from "./versions.ts";

const id = { type: "integer", primary: true, autoincrement: true };

for (const { number, ...version } of versions) {
  const { adapter, core } = version;
  const { EncryptedType, EncryptedBinaryType } = adapter;

  describe(`Refusals at discovery, ${version.name}`, function () {
    this.timeout(20_000);
    let database: TestDatabase;
    const orms: MikroORM[] = [];
    before(async () => {
      database = await createTestDatabase();
    });
    after(async () => {
      await Promise.all(orms.map((orm) => orm.close(true)));
      await database.drop();
    });

    const schema = (definition: object): unknown => new core.EntitySchema(definition as never);

    async function init(...entities: unknown[]): Promise<void> {
      orms.push(await connect({ number, ...version }, database, entities));
    }

    async function refusal(...entities: unknown[]): Promise<Error> {
      const error = await init(...entities).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error, "was accepted").to.be.instanceOf(ConfigError);
      return error!;
    }

    const name = (options: object, type = new EncryptedType()): object => ({
      id,
      name: { type, ...options },
    });

    const refused: Record<string, [object, RegExp]> = {
      "a primary key": [
        { id: { type: new EncryptedType(), primary: true } },
        /Refused\.id asks for an encrypted primary key/,
      ],
      "an array of encrypted values": [
        name({ array: true }),
        /Refused\.name asks for an array.*EncryptedJSONType/,
      ],
      "a default in SQL": [
        name({ default: "plain" }),
        /Refused\.name asks for a default.*onCreate/,
      ],
      "a raw default in SQL": [name({ defaultRaw: "'plain'" }), /Refused\.name asks for a default/],
      "a version property": [
        name({ version: true }),
        /Refused\.name asks for an encrypted version/,
      ],
      "a concurrency check": [
        name({ concurrencyCheck: true }),
        /Refused\.name asks for a concurrency check.*version/,
      ],
      "a generated column": [
        name({ generated: "(lower('plain')) stored" }),
        /Refused\.name asks for a generated column/,
      ],
      "a formula without a context": [
        name({ formula: "lower('plain')" }),
        /Refused\.name asks for a formula.*context/,
      ],
      "a unique property": [
        name({ unique: true }),
        /Refused\.name asks for a unique.*deterministic/,
      ],
      "text in a column of another type": [
        name({ columnType: "jsonb" }),
        /Refused\.name asks for a column of type jsonb.*text/,
      ],
      "text in a column that ignores case": [
        name({ columnType: "citext" }),
        /Refused\.name asks for a column of type citext/,
      ],
      "bytes in a column of text": [
        { id, name: { type: new EncryptedBinaryType(), columnType: "text" } },
        /Refused\.name asks for a column of type text.*bytea.*storage: "text"/,
      ],
    };
    for (const [what, [properties, message]] of Object.entries(refused)) {
      it(`refuses ${what}`, async () => {
        const error = await refusal(schema({ name: "Refused", properties }));
        expect(error.message).to.match(message);
      });
    }

    it("refuses a unique constraint of the entity, on several properties", async () => {
      const entity = schema({
        name: "Refused",
        properties: { ...name({}), tenant: { type: "integer" } },
        uniques: [{ properties: ["tenant", "name"] }],
      });
      expect((await refusal(entity)).message).to.match(/Refused\.name asks for a unique/);
    });

    describe("of an embeddable", () => {
      const inner = (options: object = {}): unknown =>
        schema({
          name: "Inner",
          embeddable: true,
          properties: { pin: { type: new EncryptedType(options), nullable: true } },
        });
      const outer = (embeddable: unknown, options: object, more: object = {}): unknown =>
        schema({
          name: "Refused",
          properties: {
            id,
            at: { kind: "embedded", entity: () => embeddable, nullable: true, ...options },
          },
          ...more,
        });

      for (const options of [{}, { object: true }]) {
        it(`refuses a unique constraint by a path, ${JSON.stringify(options)}`, async () => {
          const uniques = [{ properties: ["at.pin"] }];
          const [random, deterministic] = [inner(), inner({ deterministic: true })];
          const { message } = await refusal(random, outer(random, options, { uniques }));
          expect(message).to.match(/Refused\.at\Wpin|Refused\.at_pin/);
          expect(message).to.include("asks for a unique constraint");
          await init(deterministic, outer(deterministic, options, { uniques }));
        });
      }

      it("refuses a default in SQL, but for none at all", async () => {
        const refused = [
          { object: true, default: '{"pin":"plain"}' },
          { object: true, defaultRaw: `'{"pin":"plain"}'::jsonb` },
          { array: true, default: '[{"pin":"plain"}]' },
        ];
        for (const options of refused) {
          const embeddable = inner();
          const { message } = await refusal(embeddable, outer(embeddable, options));
          expect(message).to.match(/Refused\.at asks for a default in SQL/);
        }
        for (const options of [
          { array: true, default: [] },
          { array: true, default: "[]" },
          { object: true, defaultRaw: "'{}'" },
        ]) {
          const embeddable = inner();
          await init(embeddable, outer(embeddable, options));
        }
      });
    });

    it("accepts columns that fit, unique ones among them", () =>
      init(
        schema({
          name: "Accepted",
          properties: {
            id,
            limited: { type: new EncryptedType(), columnType: "varchar(500)" },
            bytes: { type: new EncryptedType({ storage: "binary" }), columnType: "bytea" },
            serial: { type: new EncryptedType({ deterministic: true }), unique: true },
            again: {
              type: new EncryptedType({ deterministic: true, context: "accepted.serial" }),
              formula: "serial",
            },
          },
          uniques: [{ properties: ["serial"] }],
        }),
      ));

    it("refuses a column that has the name of another property", async () => {
      class Thing {
        declare id: number;
      }
      const secret = { type: new EncryptedType(), fieldName: "note", nullable: true };
      const note = { type: "text", fieldName: "secret", nullable: true };
      const thing = schema({ class: Thing, properties: { id, secret, note } });
      expect((await refusal(thing)).message).to.equal(
        'Thing.secret is stored in column "note", which is the name of another property. Rename one.',
      );
    });

    it("refuses a relation by an encrypted property", async () => {
      class Owner {
        declare id: number;
        declare email: string;
      }
      class Thing {
        declare id: number;
        declare owner: Owner;
      }
      const owner = schema({
        class: Owner,
        properties: {
          id,
          email: { type: new EncryptedType({ deterministic: true }), unique: true },
        },
      });
      const entity = (): unknown => owner;
      const relations = [
        { kind: "m:1", entity, referenceColumnName: "email", joinColumn: "owner_email" },
        ...(number === 7 ? [{ kind: "m:1", entity, targetKey: "email" }] : []),
      ];
      for (const relation of relations) {
        const thing = schema({ class: Thing, properties: { id, owner: relation } });
        const error = await refusal(owner, thing);
        expect(error.message).to.equal(
          "Thing.owner refers to the encrypted property Owner.email. Refer to the primary key.",
        );
      }
    });

    it("refuses unknown and contradictory options", async () => {
      const odd = [
        { blindindex: {} },
        { suite: "A256SIV" },
        { deterministic: true, suite: "A256GCM" },
      ];
      for (const options of odd) {
        await refusal(
          schema({ name: "Odd", properties: name({}, new EncryptedType(options as never)) }),
        );
      }
    });
  });
}
