import { expect } from "chai";
import { ConfigError, type EncryptionOptions } from "../src/index.ts";
import { newKeyring, textColumn, thrownBy } from "./columns.ts";

const keyring = newKeyring();

describe("the options of a column", () => {
  const accepted: EncryptionOptions[] = [
    {},
    { suite: "A256CBC-HS512" },
    { deterministic: true },
    { deterministic: true, suite: "A256SIV" },
    { deterministic: false, suite: "A256GCM" },
    { context: "users.email" },
    { context: { table: "a.b", column: "c" } },
    { legacy: "aes-256-cbc" },
    { legacy: { suite: "aes-256-cbc", keyId: "0123abcd" }, suite: "aes-256-cbc" },
    { plaintext: "accept", onEncryptFailure: "insecure-store-plaintext" },
    { plaintext: "reject", onEncryptFailure: "throw", storage: "binary", pad: "padme" },
    { suite: undefined, legacy: undefined, blindIndex: undefined },
  ];
  for (const options of accepted) {
    it(`accept ${JSON.stringify(options)}`, () => {
      expect(() => textColumn(keyring, options)).to.not.throw();
    });
  }

  it("takes a type of the ORM for what it is, and not for options", () => {
    class STRING {
      static readonly key = "STRING";
      readonly _length = 255;
    }
    for (const given of [STRING, new STRING(), "STRING", []]) {
      expect(() => textColumn(keyring, given as never), typeof given)
        .to.throw(ConfigError, "User.email: the type takes options, not a type")
        .with.property("code", "ERR_CONFIG_OPTION");
    }
  });

  const refused: [options: Record<string, unknown>, problem: string][] = [
    [{ encrypted: true }, 'unknown option "encrypted". Known: suite'],
    [{ suite: "A128GCM" }, "suite must be one of A256CBC-HS256"],
    [{ deterministic: "yes" }, "deterministic must be one of true, false"],
    [{ storage: "bytea" }, "storage must be one of text, binary"],
    [{ plaintext: true }, "plaintext must be one of reject, accept"],
    [{ onEncryptFailure: "ignore" }, "onEncryptFailure must be one of throw"],
    [{ legacy: true }, "legacy must be"],
    [{ legacy: null }, "legacy must be"],
    [{ legacy: "aes-128-cbc" }, "legacy must be"],
    [{ legacy: { suite: "aes-256-cbc", keyId: "XYZ" } }, "legacy must be"],
    [{ legacy: { suite: "aes-256-cbc", keyID: "0a1b2c3d" } }, "legacy must be"],
    [
      { blindIndex: { column: "i", bit: 8 } },
      'unknown option "bit" of blindIndex. Known: column, bits, normalize, name',
    ],
    [{ deterministic: true, suite: "A256GCM" }, 'deterministic: true needs the suite "A256SIV"'],
    [{ suite: "A256SIV" }, "say so with deterministic: true"],
    [{ deterministic: false, suite: "A256SIV" }, "say so with deterministic: true"],
    [{ suite: "aes-256-cbc" }, "it needs legacy"],
    [{ legacy: "aes-256-cbc", plaintext: "accept" }, "leave open what a stored value is"],
    [{ onEncryptFailure: "insecure-store-plaintext" }, 'needs plaintext: "accept"'],
    [{ deterministic: true, blindIndex: { column: "i" } }, "leave blindIndex out"],
    [{ context: "email" }, 'must read "table.column"'],
  ];
  for (const [options, problem] of refused) {
    it(`refuse ${JSON.stringify(options)}, naming model, field and the fix`, () => {
      const error = thrownBy(() => textColumn(keyring, options));
      expect(error).to.be.instanceOf(ConfigError).and.include({ code: "ERR_CONFIG_OPTION" });
      expect(error.message).to.include(problem);
    });
  }

  it("cannot be changed afterwards", () => {
    const options: EncryptionOptions & { pad?: number } = { pad: 32 };
    const cipher = textColumn(keyring, options);
    options.pad = 64;
    expect(cipher.options.pad).to.equal(32);
    expect(Object.isFrozen(cipher.options)).to.equal(true);
  });

  it("decide suite and stored form", () => {
    expect(textColumn(keyring)).to.include({
      suite: "A256CBC-HS256",
      storage: "text",
      isDeterministic: false,
    });
    expect(textColumn(keyring, { deterministic: true })).to.include({
      suite: "A256SIV",
      isDeterministic: true,
    });
    expect(textColumn(keyring, { storage: "binary" }).seal("x")).to.be.instanceOf(Buffer);
    expect(textColumn(keyring, { context: "old.name" }).context).to.deep.equal({
      table: "old",
      column: "name",
    });
  });
});
