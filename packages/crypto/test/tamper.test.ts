import { expect } from "chai";
import type { Keyring } from "../src/index.ts";
import {
  ColumnCipher,
  DecryptError,
  KeyError,
  SUITE_NAMES,
  textCodec,
  type StoredInput,
  type SuiteName,
} from "../src/index.ts";
import { newKeyring, textColumn, thrownBy } from "./columns.ts";

const VALUE = "ada@example.org, and then some more";
const OPAQUE =
  "Decryption failed: the stored value is not intact for this column and key. " +
  'If the column held plaintext before, declare plaintext: "accept".';
const KEY_ID_BYTES = [4, 5, 6, 7];

function columnFor(
  suite: SuiteName,
  keyring: Keyring,
  table = "users",
  column = "email",
): ColumnCipher<string> {
  return new ColumnCipher({
    codec: textCodec,
    label: "User.email",
    options: { suite, deterministic: suite === "A256SIV" },
    defaultContext: { table, column },
    defaultKeyring: keyring,
  });
}

/** Refused one by one, and at the middle of a batch of good values, where the position is named. */
function expectRefused(cipher: ColumnCipher<string>, stored: StoredInput, good: string): Error {
  const error = thrownBy(() => cipher.open(stored));
  const inBatch = thrownBy(() => cipher.openMany([good, null, stored, good]));
  expect(inBatch.position).to.equal(2);
  for (const thrown of [error, inBatch]) {
    if (thrown instanceof DecryptError) {
      expect(thrown.message).to.equal(OPAQUE);
      expect(thrown.code).to.equal("ERR_DECRYPT_FAILED");
      expect(thrown.cause).to.equal(undefined);
      expect([thrown.table, thrown.column]).to.deep.equal(["users", "email"]);
    } else {
      expect(thrown).to.be.instanceOf(KeyError);
      expect(thrown.code).to.equal("ERR_KEY_UNKNOWN");
    }
  }
  return error;
}

for (const suite of SUITE_NAMES) {
  describe(`a tampered value of ${suite}`, () => {
    const keyring = newKeyring();
    const cipher = columnFor(suite, keyring);
    const good = cipher.seal(VALUE) as string;
    const bytes = Buffer.from(good, "base64");

    it("is refused for every bit of every byte, as bytes and as text", () => {
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const changed = Buffer.from(bytes);
          changed[at]! ^= 1 << bit;
          for (const stored of [changed, changed.toString("base64")]) {
            const error = expectRefused(cipher, stored, good);
            const isKey = error instanceof KeyError;
            expect(isKey, `byte ${at}`).to.equal(KEY_ID_BYTES.includes(at));
          }
        }
      }
    });

    it("is refused in every byte of its tag, whatever the length of the column's name", () => {
      for (let length = 1; length <= 9; length++) {
        const other = columnFor(suite, keyring, "users", "c".repeat(length));
        const [sealed, second, third] = other.sealMany([VALUE, "x", "y"]) as string[];
        const envelope = Buffer.from(sealed!, "base64");
        for (let at = envelope.length - 32; at < envelope.length; at++) {
          const changed = Buffer.from(envelope);
          changed[at]! ^= 0x40;
          const stored = [second!, third!, changed.toString("base64")];
          expect(thrownBy(() => other.openMany(stored)).position).to.equal(2);
        }
        expect(other.openMany([second!, third!, sealed!])).to.deep.equal(["x", "y", VALUE]);
      }
    });

    it("is named by its position among more values than are opened together", () => {
      const values = Array.from({ length: 700 }, (_, i) => (i % 7 === 0 ? null : `value ${i}`));
      const stored = cipher.sealMany(values);
      expect(cipher.openMany(stored)).to.deep.equal(values);
      for (const position of [1, 255, 256, 257, 300, 512, 699]) {
        const changed = Buffer.from(stored[position] as string, "base64");
        changed[changed.length - 1]! ^= 1;
        const damaged = stored.with(position, changed.toString("base64"));
        expect(thrownBy(() => cipher.openMany(damaged)).position).to.equal(position);
      }
    });

    it("is refused at every truncation, at either end", () => {
      for (let length = 0; length < bytes.length; length++) {
        expectRefused(cipher, bytes.subarray(0, length), good);
        expectRefused(cipher, bytes.subarray(0, length).toString("base64"), good);
        expectRefused(cipher, bytes.subarray(bytes.length - length), good);
        expectRefused(cipher, good.slice(0, length), good);
      }
    });

    it("is refused with 1 to 32 bytes appended, or a part repeated", () => {
      for (let extra = 1; extra <= 32; extra++) {
        expectRefused(cipher, Buffer.concat([bytes, Buffer.alloc(extra)]), good);
        expectRefused(cipher, Buffer.concat([bytes, bytes.subarray(-extra)]), good);
      }
      expectRefused(cipher, Buffer.concat([bytes, bytes]), good);
    });

    it("is refused with the header of another value, suite, content type or padding", () => {
      const others = SUITE_NAMES.map((name) => columnFor(name, keyring).seal("x"));
      const padded = textColumn(keyring, {
        suite,
        deterministic: suite === "A256SIV",
        pad: 64,
      }).seal(VALUE);
      for (const other of [...others, padded]) {
        const header = Buffer.from(other as string, "base64").subarray(0, 9);
        if (header.equals(bytes.subarray(0, 9))) continue;
        expectRefused(cipher, Buffer.concat([header, bytes.subarray(9)]), good);
      }
    });

    it("is refused with any shorter tag", () => {
      for (let cut = 1; cut <= 32; cut++) expectRefused(cipher, bytes.subarray(0, -cut), good);
    });

    it("is refused in another column and in another table", () => {
      for (const other of [
        columnFor(suite, keyring, "users", "name"),
        columnFor(suite, keyring, "people", "email"),
        // The boundary between the two names is bound as well.
        columnFor(suite, keyring, "user", "semail"),
      ]) {
        expect(() => other.open(good)).to.throw(DecryptError, OPAQUE);
        expect(() => other.openMany([good])).to.throw(DecryptError, OPAQUE);
      }
    });

    it("is refused for another row, and where a row is bound but not named", () => {
      const bound = cipher.seal(VALUE, "1");
      expect(cipher.open(bound, "1")).to.equal(VALUE);
      expect(() => cipher.open(bound, "2")).to.throw(DecryptError, OPAQUE);
      expect(() => cipher.open(bound)).to.throw(DecryptError, OPAQUE);
      expect(() => cipher.open(good, "1")).to.throw(DecryptError, OPAQUE);
    });

    it("takes no row id that would not be told from another", () => {
      for (const row of ["", "\ud800", "x".repeat(70_000)]) {
        expect(() => cipher.seal(VALUE, row)).to.throw("context.row");
        expect(() => cipher.open(good, row)).to.throw("context.row");
      }
    });

    it("is refused under a wrong key that claims the right id", () => {
      const stranger = newKeyring();
      const forged = Buffer.from(columnFor(suite, stranger).seal(VALUE) as string, "base64");
      bytes.copy(forged, 4, 4, 8);
      expectRefused(cipher, forged, good);
    });

    it("is refused under an unknown, a disabled and a destroyed key, each named", () => {
      const id = keyring.primary.id;
      const rotated = keyring.add(newKeyringKey());
      const promoted = rotated.promote(rotated.keys[1]!.id);
      const disabled = promoted.setStatus(id, "disabled");
      const destroyed = promoted.setStatus(id, "destroyed");
      const cases = [
        [newKeyring(), "ERR_KEY_UNKNOWN"],
        [disabled, "ERR_KEY_DISABLED"],
        [destroyed, "ERR_KEY_DESTROYED"],
      ] as const;
      for (const [ring, code] of cases) {
        const error = thrownBy(() => columnFor(suite, ring).open(good));
        expect(error).to.be.instanceOf(KeyError);
        expect(error).to.include({ code, keyId: id, table: "users", column: "email" });
        expect(error.message).to.include("users.email").and.to.include(id);
        const inBatch = thrownBy(() => columnFor(suite, ring).openMany([null, good]));
        expect(inBatch).to.include({ code, position: 1 });
      }
      expect(columnFor(suite, disabled.setStatus(id, "enabled")).open(good)).to.equal(VALUE);
    });

    it("is refused as base64 that is not canonical", () => {
      const variants = [
        `${good} `,
        ` ${good}`,
        good.replace(/=+$/, ""),
        `${good}=`,
        `${good}====`,
        `${good.slice(0, 40)}\n${good.slice(40)}`,
        `${good.slice(0, 40)}=${good.slice(41)}`,
        `${good.slice(0, 40)}-${good.slice(41)}`,
        `${good.slice(0, 40)}_${good.slice(41)}`,
        // A character whose low byte is that of the right one.
        String.fromCharCode(0x100 + good.charCodeAt(0)) + good.slice(1),
      ];
      for (const variant of variants) {
        if (variant !== good) expectRefused(cipher, variant, good);
      }
    });

    it("is refused with trailing bits that canonical base64 has zero", () => {
      const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      for (const value of ["a", "ab", "abc", "abcd", "x".repeat(16), "x".repeat(17)]) {
        const stored = cipher.seal(value) as string;
        const padding = /=*$/.exec(stored)![0].length;
        if (padding === 0) continue;
        const at = stored.length - padding - 1;
        const next = ALPHABET[ALPHABET.indexOf(stored[at]!) + 1]!;
        expectRefused(cipher, stored.slice(0, at) + next + "=".repeat(padding), good);
      }
    });

    it("is no legacy value and no plaintext in a column that accepts neither", () => {
      expectRefused(cipher, "ada@example.org", good);
      expectRefused(cipher, "", good);
      expectRefused(cipher, Buffer.alloc(48).toString("base64"), good);
    });
  });
}

describe("a header downgraded to another suite", () => {
  it("does not open, whichever suite it is exchanged with", () => {
    const keyring = newKeyring();
    for (const from of SUITE_NAMES) {
      const bytes = Buffer.from(columnFor(from, keyring).seal("x".repeat(64)) as string, "base64");
      for (let suite = 0; suite < 256; suite++) {
        if (suite === bytes[3]) continue;
        const changed = Buffer.from(bytes);
        changed[3] = suite;
        expect(() => columnFor(from, keyring).open(changed)).to.throw(DecryptError, OPAQUE);
      }
    }
  });
});

function newKeyringKey(): Buffer {
  return crypto.getRandomValues(Buffer.alloc(32));
}
