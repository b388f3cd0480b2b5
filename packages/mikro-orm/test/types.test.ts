// What TypeScript infers of entities with encrypted properties. The compiler checks this file; running it only shows
// that the definitions are accepted.
import {
  defineEntity,
  EntitySchema,
  p,
  type FilterQuery,
  type InferEntity,
  type ScalarReference,
} from "@mikro-orm/core";
import type { EntityManager, MikroORM } from "@mikro-orm/postgresql";
import { expect } from "chai";
import {
  BlindIndexType,
  EncryptedBase64Type,
  EncryptedBinaryType,
  EncryptedJSONType,
  EncryptedType,
  encryptedColumns,
  searchValues,
} from "../src/index.ts";

interface Preferences {
  theme: "dark" | "light";
}

const Account = defineEntity({
  name: "Account",
  properties: {
    id: p.integer().primary(),
    email: p.type(EncryptedType),
    phone: p.type(new EncryptedType({ deterministic: true })).nullable(),
    preferences: p.type(new EncryptedJSONType<Preferences>()),
    photo: p.type(EncryptedBinaryType).nullable(),
    token: p.type(EncryptedBase64Type),
    notes: p.type(EncryptedType).lazy().ref(),
    history: p.type(EncryptedJSONType<readonly Preferences[]>).nullable(),
    draft: p.type(new EncryptedJSONType<Preferences>()).lazy().ref(),
    emailIndex: p.type(BlindIndexType).nullable().hidden(),
  },
});
type Account = InferEntity<typeof Account>;

/** Names a type that both must be; the compiler refuses the line otherwise. */
type Is<A extends B, B extends C, C = A> = [A, B, C];

describe("Types of encrypted properties", () => {
  it("are inferred: text, JSON, bytes, base64, nullable and lazy ones", () => {
    type Inferred = [
      Is<Account["email"], string>,
      Is<Account["phone"], string | null | undefined>,
      Is<Account["preferences"], Preferences>,
      Is<Account["photo"], Uint8Array | null | undefined>,
      Is<Account["token"], string>,
      Is<Account["notes"], ScalarReference<string>>,
      Is<Account["history"], readonly Preferences[] | null | undefined>,
      Is<Account["draft"], ScalarReference<Preferences>>,
    ];
    const inferred: Inferred["length"] = 8;
    expect(inferred).to.equal(8);
    expect(Account).to.be.an("object");
  });

  it("refuse values of another type", () => {
    const accept = (_account: Partial<Account>): boolean => true;
    // @ts-expect-error a number is no text
    expect(accept({ email: 1 })).to.equal(true);
    // @ts-expect-error null only where nullable
    expect(accept({ email: null })).to.equal(true);
    // @ts-expect-error a theme that does not exist
    expect(accept({ preferences: { theme: "blue" } })).to.equal(true);
    // @ts-expect-error text is no bytes
    expect(accept({ photo: "text" })).to.equal(true);
  });

  it("hold in conditions, and in classes", () => {
    const accept = (_where: FilterQuery<Account>): boolean => true;
    expect(accept({ email: "x", phone: { $in: ["1", null] }, photo: null })).to.equal(true);
    expect(accept({ preferences: { $eq: { theme: "dark" } } })).to.equal(true);
    // @ts-expect-error a number is no text
    expect(accept({ email: 1 })).to.equal(true);
    // @ts-expect-error a theme that does not exist
    expect(accept({ preferences: { $eq: { theme: "blue" } } })).to.equal(true);
    class Person {
      declare id: number;
      declare email: string;
      declare choice: Preferences | null;
    }
    const properties = {
      id: { type: "integer", primary: true },
      email: { type: EncryptedType },
      choice: { type: new EncryptedJSONType<Preferences>(), nullable: true },
    } as const;
    expect(new EntitySchema<Person>({ class: Person, properties })).to.be.an("object");
  });

  it("let functions take any instance and its managers", () => {
    type Orm = MikroORM | MikroORM<EntityManager, (typeof Account)[]>;
    const use = (orm: Orm): unknown => [
      encryptedColumns(orm),
      searchValues(orm.em, { entity: Account, property: "email" }, "x"),
    ];
    expect(use).to.be.a("function");
  });

  it("refuse unknown and misspelt options", () => {
    // @ts-expect-error the option is called blindIndex
    expect(new EncryptedType({ blindindex: {} })).to.be.an("object");
    // @ts-expect-error no such suite
    expect(new EncryptedType({ suite: "AES" })).to.be.an("object");
  });
});
