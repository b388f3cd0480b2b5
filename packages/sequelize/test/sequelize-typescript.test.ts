// sequelize-typescript's decorators, applied by hand: Node strips types, but runs no decorator syntax.
import "reflect-metadata";
import { generateRootKey, Keyring } from "@fieldseal/crypto";
import { expect } from "chai";
import { Column, Model, Sequelize, Table } from "sequelize-typescript";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { EncryptedJSONType, EncryptedType, fieldseal } from "../src/index.ts";

describe("the types in sequelize-typescript", () => {
  it("serve @Column(Type) and @Column({ type })", async function () {
    this.timeout(60_000);
    class Person extends Model {
      declare email: string;
      declare profile: { city: string };
    }
    (Column as (type: unknown) => PropertyDecorator)(EncryptedType)(Person.prototype, "email");
    (Column as (options: object) => PropertyDecorator)({
      type: EncryptedJSONType({ pad: 32 }),
      field: "profile_data",
    })(Person.prototype, "profile");
    Table({ tableName: "people", timestamps: false })(Person);

    const database = await createTestDatabase();
    const sequelize = new Sequelize(database.url, {
      dialect: "postgres",
      logging: false,
      models: [Person],
    });
    fieldseal(sequelize, { keyring: Keyring.fromKey(generateRootKey()) });
    await sequelize.sync();
    await Person.create({ email: "ada@example.org", profile: { city: "London" } });
    const person = await Person.findOne({ rejectOnEmpty: true });
    expect(person.email).to.equal("ada@example.org");
    expect(person.profile).to.deep.equal({ city: "London" });
    const [row] = await database.query("SELECT email, profile_data FROM people");
    expect(row?.email).to.match(/^9V6h/);
    expect(row?.profile_data).to.match(/^9V6h/);
    await sequelize.close();
    await database.drop();
  });
});
