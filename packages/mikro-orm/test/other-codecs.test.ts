// A type that is none of the four, over a codec of its own whose content is text as well.
import { generateRootKey, Keyring, textCodec, type ValueCodec } from "@fieldseal/crypto";
import { EntitySchema, MikroORM } from "@mikro-orm/postgresql";
import { expect } from "chai";
import { cipherOf, encryptedTypeOf } from "../src/binding.ts";
import { Cell } from "../src/cell.ts";
import { EncryptedColumnType } from "../src/encrypted-column-type.ts";
import { EncryptedBase64Type, EncryptedType, fieldseal } from "../src/index.ts";
import { type Meta, type Property, type Row } from "../src/mikro-orm-internals.ts";
import { openRows } from "../src/rows.ts";

const dateCodec: ValueCodec<unknown> = {
  ...textCodec,
  encode: (value) => (value as Date).toISOString(),
  read: (buffer, start, end) => new Date(buffer.toString("utf8", start, end)),
  isEqual: (a, b) => Number(a) === Number(b),
};

class EncryptedDateType extends EncryptedColumnType<unknown> {
  constructor() {
    super(dateCodec, {});
  }

  override toCanonical(value: unknown): string {
    return (value as Date).toISOString();
  }

  override fromCanonical(canonical: string): unknown {
    return new Date(canonical);
  }
}

describe("A codec of content text that gives no text", () => {
  it("is left to its type where results are opened a column at a time", () => {
    const Note = new EntitySchema({
      name: "Note",
      properties: {
        id: { type: "integer", primary: true },
        day: { type: EncryptedDateType as never },
        text: { type: EncryptedType as never },
        code: { type: EncryptedBase64Type as never },
      },
    });
    const keyring = Keyring.fromKey(generateRootKey());
    const options = { dbName: "none", entities: [Note], debug: false };
    const orm = new MikroORM(fieldseal(options, { keyring }) as never);
    const meta = orm.getMetadata().find("Note" as never) as unknown as Meta;
    const seal = (name: string, value: unknown): unknown =>
      cipherOf(encryptedTypeOf(meta.properties[name as never] as unknown as Property)!).seal(value);
    const rows: Row[] = Array.from({ length: 5 }, (_, id) => ({
      id,
      day: seal("day", new Date(id)),
      text: seal("text", `note ${id}`),
      code: seal("code", "AAEC"),
    }));
    const days = rows.map(({ day }) => day);
    openRows(meta, rows);
    expect(rows.map(({ day }) => day)).to.deep.equal(days);
    expect(rows.every(({ text }) => text instanceof Cell)).to.equal(true);
    expect(rows.map(({ code }) => (code as Cell).canonical)).to.deep.equal(Array(5).fill("AAEC"));
  });
});
