import { expect } from "chai";
import fc from "fast-check";
import {
  ConfigError,
  configure,
  decryptBytes,
  DecryptError,
  decryptString,
  defaultKeyring,
  encryptBytes,
  encryptString,
  generateRootKey,
  Keyring,
  SUITE_NAMES,
} from "../src/index.ts";
import { newKeyring, thrownBy } from "./columns.ts";

describe("encryptString, decryptString, encryptBytes, decryptBytes", () => {
  const keyring = newKeyring();

  it("give back what they were given, in every suite (property)", () => {
    for (const suite of SUITE_NAMES) {
      const options = { keyring, context: "users.email", suite };
      fc.assert(
        fc.property(fc.string({ unit: "binary" }), fc.uint8Array(), (text, array) => {
          expect(decryptString(encryptString(text, options), options)).to.equal(text);
          const bytes = Buffer.from(array);
          expect(decryptBytes(encryptBytes(bytes, options), options)).to.deep.equal(bytes);
        }),
        { numRuns: 50 },
      );
    }
  });

  it("need the context again that a value was given", () => {
    const stored = encryptString("x", { keyring, context: "users.email" });
    for (const context of [
      "users.name",
      undefined,
      { table: "users", column: "email", row: "1" },
    ]) {
      const options = context === undefined ? { keyring } : { keyring, context };
      expect(() => decryptString(stored, options)).to.throw(DecryptError);
    }
    const free = encryptString("x", { keyring });
    expect(decryptString(free, { keyring })).to.equal("x");
    expect(() => decryptString(free, { keyring, context: "users.email" })).to.throw(DecryptError);
  });

  it("bind a value to its row when asked to", () => {
    const context = { table: "frames", column: "thumbnail", row: "42" };
    const stored = encryptBytes(Buffer.from("x"), { keyring, context });
    expect(decryptBytes(stored, { keyring, context }).toString()).to.equal("x");
    expect(() => decryptBytes(stored, { keyring, context: { ...context, row: "43" } })).to.throw(
      DecryptError,
    );
  });

  it("give another envelope each time, but for the deterministic suite", () => {
    for (const suite of SUITE_NAMES) {
      const [one, two] = [1, 2].map(() => encryptString("x", { keyring, suite }));
      expect(one === two).to.equal(suite === "A256SIV");
    }
  });

  it("do not take text for bytes", () => {
    const stored = encryptString("x", { keyring });
    const error = thrownBy(() => decryptBytes(Buffer.from(stored, "base64"), { keyring }));
    expect(error).to.be.instanceOf(DecryptError).and.include({ code: "ERR_DECRYPT_CONTENT" });
  });

  it("stay correct past the number of contexts that are kept", () => {
    const stored = Array.from({ length: 600 }, (_, i) =>
      encryptString(`${i}`, { keyring, context: `t.c${i}` }),
    );
    stored.forEach((envelope, i) => {
      expect(decryptString(envelope, { keyring, context: `t.c${i}` })).to.equal(`${i}`);
    });
  });

  it("refuse a context that is none", () => {
    for (const context of [
      "users",
      "a.b.c",
      ".email",
      "users.",
      { table: "", column: "x" },
      { table: "\ud800", column: "x" },
      { table: "x".repeat(70_000), column: "x" },
      { table: "a", column: "b", row: "" },
    ]) {
      const error = thrownBy(() => encryptString("x", { keyring, context }));
      expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_OPTION" });
    }
  });
});

describe("the process default keyring", () => {
  const before = process.env.ENCRYPTION_KEY;
  afterEach(() => {
    if (before === undefined) delete process.env.ENCRYPTION_KEY;
    else process.env.ENCRYPTION_KEY = before;
    configure({ keyring: undefined });
  });

  it("comes from the environment at first use", () => {
    process.env.ENCRYPTION_KEY = generateRootKey();
    configure({ keyring: undefined });
    const stored = encryptString("x");
    expect(decryptString(stored)).to.equal("x");
    expect(defaultKeyring().primary.id).to.equal(
      Keyring.fromKey(process.env.ENCRYPTION_KEY).primary.id,
    );
    expect(defaultKeyring()).to.equal(defaultKeyring());
  });

  it("is missing with an error that says what to set", () => {
    delete process.env.ENCRYPTION_KEY;
    configure({ keyring: undefined });
    for (const action of [() => encryptString("x"), () => decryptString("9V6h")]) {
      expect(thrownBy(action))
        .to.be.instanceOf(ConfigError)
        .and.include({ code: "ERR_CONFIG_NO_KEY" });
    }
  });

  it("is what configure() was given, a keyring or a function", () => {
    const [one, two] = [newKeyring(), newKeyring()];
    configure({ keyring: one });
    const stored = encryptString("x");
    configure({ keyring: () => two });
    expect(() => decryptString(stored)).to.throw("which the keyring does not have");
    expect(decryptString(stored, { keyring: one })).to.equal("x");
    expect(defaultKeyring()).to.equal(two);
  });
});
