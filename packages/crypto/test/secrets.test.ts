import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { expect } from "chai";
import {
  BlindIndex,
  defaultKeyring,
  encryptString,
  jsonCodec,
  Keyring,
  SUITE_NAMES,
  UnsupportedQueryError,
} from "../src/index.ts";
import { columnKeyBytes } from "../src/column-keys.ts";
import { columnOf, textColumn, thrownBy } from "./columns.ts";

const rootKey = randomBytes(32);
const oldKey = randomBytes(32);
const keyring = Keyring.fromKey(rootKey, { previous: [oldKey] });
const PLAINTEXT = "plaintext-marker-5d1c";

/** Everything a log, a debugger or an error tracker makes of an object. */
function shownForms(subject: unknown): string {
  const options = { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true } as const;
  const error =
    subject instanceof Error
      ? [subject.stack, subject.message, inspect(subject.cause, options)]
      : [];
  return [
    inspect(subject),
    inspect(subject, options),
    inspect({ nested: [subject] }, { ...options, customInspect: false }),
    JSON.stringify(subject),
    JSON.stringify(Object.getOwnPropertyDescriptors(subject)),
    ...error,
  ].join("\n");
}

/** Each secret in the encodings in which it could be printed. */
function encodings(secret: Buffer): string[] {
  return [
    secret.toString("hex"),
    secret.toString("base64"),
    secret.toString("base64url"),
    secret.toString("latin1"),
    [...secret].join(","),
    [...secret].join(", "),
    inspect(secret).slice(8, 40), // <Buffer aa bb …
  ];
}

function expectSilent(subject: unknown, more: readonly string[] = []): void {
  const shown = shownForms(subject);
  const derived = SUITE_NAMES.map((suite) =>
    columnKeyBytes(suite, keyring.primary, { table: "users", column: "email" }),
  );
  for (const secret of [
    rootKey,
    oldKey,
    ...derived,
    ...derived.map((bytes) => bytes.subarray(0, 32)),
  ]) {
    for (const form of encodings(secret)) expect(shown).to.not.include(form);
  }
  for (const text of [PLAINTEXT, ...more]) expect(shown).to.not.include(text);
}

describe("what is printed", () => {
  it("of a keyring and its keys is ids and statuses", () => {
    expectSilent(keyring);
    for (const key of keyring.keys) expectSilent(key);
    const [primary, old] = keyring.keys;
    expect(inspect(keyring)).to.equal(`[Keyring ${primary!.id} primary, ${old!.id} decrypt-only]`);
    expect(inspect(primary)).to.equal(`[Key ${primary!.id} primary]`);
    expect(JSON.parse(JSON.stringify(keyring))).to.deep.equal({
      keys: [
        { id: primary!.id, status: "primary" },
        { id: old!.id, status: "decrypt-only" },
      ],
    });
  });

  it("of a column in use is no key and no value", () => {
    for (const suite of SUITE_NAMES) {
      const cipher = textColumn(keyring, {
        suite,
        deterministic: suite === "A256SIV",
        ...(suite === "A256SIV" ? {} : { blindIndex: { column: "email_index" } }),
      });
      cipher.open(cipher.seal(PLAINTEXT));
      cipher.openMany(cipher.sealMany([PLAINTEXT, PLAINTEXT]));
      if (cipher.blindIndex) cipher.indexToken(PLAINTEXT);
      expectSilent(cipher);
    }
    const index = new BlindIndex({ column: "i" }, { table: "t", column: "c" }, "x");
    index.token(PLAINTEXT, keyring.primary);
    expectSilent(index);
  });

  it("of a keyring reached through a key's own constructor is no material", () => {
    expect(Object.getOwnPropertyNames(keyring.primary.constructor)).to.have.members([
      "length",
      "name",
      "prototype",
    ]);
    expect(Object.getOwnPropertyNames(Keyring)).to.have.members([
      "length",
      "name",
      "prototype",
      "fromKey",
    ]);
  });

  it("of errors is neither key nor plaintext nor ciphertext", () => {
    const stored = textColumn(keyring).seal(PLAINTEXT) as string;
    const damaged = `${stored.slice(0, 60)}${stored[60] === "A" ? "B" : "A"}${stored.slice(61)}`;
    const stranger = Keyring.fromKey(randomBytes(32));
    const errors = [
      thrownBy(() => textColumn(keyring).open(damaged)),
      thrownBy(() => textColumn(keyring).openMany([stored, damaged])),
      thrownBy(() => textColumn(keyring).open(PLAINTEXT)),
      thrownBy(() => textColumn(stranger).open(stored)),
      thrownBy(() => textColumn(keyring, { context: "other.column" }).open(stored)),
      thrownBy(() => columnOf(jsonCodec, keyring).open(stored)),
      thrownBy(() => textColumn(keyring).seal([PLAINTEXT] as never)),
      thrownBy(() => textColumn(keyring).seal(`${PLAINTEXT}\udc00`)),
      thrownBy(() => columnOf(jsonCodec, keyring).seal({ a: [PLAINTEXT, undefined] })),
      thrownBy(() => encryptString(PLAINTEXT, { keyring, context: "bad" })),
      thrownBy(() => Keyring.fromKey(rootKey, { previous: [rootKey] })),
      thrownBy(() => Keyring.fromKey(`${rootKey.toString("hex")}00`)),
      new UnsupportedQueryError("User.email cannot be sorted.", { model: "User", field: "email" }),
      new UnsupportedQueryError("No model."),
    ];
    for (const error of errors) {
      expectSilent(error, [stored.slice(0, 60), stored.slice(-40), damaged.slice(20, 60)]);
      expect(error.cause).to.equal(undefined);
    }
    expect(() => defaultKeyring).to.not.throw();
  });
});
