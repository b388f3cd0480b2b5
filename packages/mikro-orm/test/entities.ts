// The entities of the tests, made anew for a version of MikroORM; tables and columns are the same on both.
import type { EntitySchema } from "@mikro-orm/postgresql";
import type { Version } from "./versions.ts";

export interface Address {
  street: string | null;
  zip: string | null;
}

export interface Person {
  id: number;
  email: string;
  name: string | null;
  profile: unknown;
  settings: unknown;
  photo: Uint8Array | null;
  code: string | null;
  nickname: string | null;
  nicknameIndex?: string | null;
  city: string | null;
  cityIndex?: string | null;
  age: number | null;
  address: Address;
  card: { pin: string | null; note: string | null } | null;
  cards: { pin: string | null }[] | null;
  pets: { add(...pets: unknown[]): void; getItems(): Pet[] };
  version: number;
}

export interface Pet {
  id: number;
  owner: Person | null;
  secret: string | null;
}

export interface Entities {
  readonly Person: EntitySchema<Person>;
  readonly Pet: EntitySchema<Pet>;
  readonly all: readonly unknown[];
}

const id = { type: "integer", primary: true, autoincrement: true };

export function entitiesFor({ adapter, core }: Version): Entities {
  const { EncryptedType, EncryptedJSONType, EncryptedBinaryType, EncryptedBase64Type } = adapter;
  const { EntitySchema } = core;
  const text = (options?: object): object => ({ type: new EncryptedType(options), nullable: true });
  const index = (fieldName: string): object => ({
    type: adapter.BlindIndexType,
    fieldName,
    nullable: true,
    hidden: true,
  });
  const Address = new EntitySchema({
    name: "Address",
    embeddable: true,
    properties: { street: text(), zip: text({ deterministic: true }) },
  } as never);
  const Card = new EntitySchema({
    name: "Card",
    embeddable: true,
    properties: { pin: text(), note: { type: "string", nullable: true } },
  } as never);
  const Person = new EntitySchema({
    name: "Person",
    tableName: "people",
    properties: {
      id,
      email: { type: new EncryptedType({ deterministic: true }), unique: true },
      name: text(),
      profile: { type: new EncryptedJSONType(), nullable: true },
      settings: { type: new EncryptedJSONType({ deterministic: true }), nullable: true },
      photo: { type: new EncryptedBinaryType(), nullable: true },
      code: { type: new EncryptedBase64Type(), nullable: true },
      nickname: text({ blindIndex: { column: "nickname_index", normalize: "case-insensitive" } }),
      nicknameIndex: index("nickname_index"),
      city: text({ blindIndex: { column: "city_index", bits: 4 } }),
      cityIndex: index("city_index"),
      age: { type: "integer", nullable: true },
      address: { kind: "embedded", entity: () => Address, nullable: true },
      card: { kind: "embedded", entity: () => Card, object: true, nullable: true },
      cards: { kind: "embedded", entity: () => Card, array: true, nullable: true },
      pets: { kind: "1:m", entity: () => Pet, mappedBy: "owner" },
      version: { type: "integer", version: true },
    },
  } as never) as unknown as EntitySchema<Person>;
  const Pet = new EntitySchema({
    name: "Pet",
    tableName: "pets",
    properties: {
      id,
      owner: { kind: "m:1", entity: () => Person, nullable: true },
      secret: text(),
    },
  } as never) as unknown as EntitySchema<Pet>;
  return { Person, Pet, all: [Address, Card, Person, Pet] };
}
