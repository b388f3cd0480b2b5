import { createHash, randomBytes } from "node:crypto";
import { expect } from "chai";
import fc from "fast-check";
import { generateRootKey, KeyError } from "../src/index.ts";
import { parseRootKey } from "../src/root-key.ts";
import { thrownBy } from "./columns.ts";

describe("a root key", () => {
  it("is generated as 64 hex digits that pass the check", () => {
    const key = generateRootKey();
    expect(key).to.match(/^[0-9a-f]{64}$/);
    expect(parseRootKey(key, "key").toString("hex")).to.equal(key);
    expect(generateRootKey()).to.not.equal(key);
  });

  const malformed: Record<string, string | Uint8Array> = {
    "an empty string": "",
    "31 bytes of hex": "ab".repeat(31),
    "33 bytes of hex": "ab".repeat(33),
    "16 random bytes": randomBytes(16),
    "64 random bytes": randomBytes(64),
    "16 bytes of base64": randomBytes(16).toString("base64"),
    "48 bytes of base64": randomBytes(48).toString("base64"),
    "a sentence": "correct horse battery staple, and so on",
    "hex with a stray letter": `${"ab".repeat(31)}ag`,
    "base64 with trailing bits": `${"A".repeat(42)}B=`,
  };
  for (const [name, key] of Object.entries(malformed)) {
    it(`is refused as ${name}`, () => {
      const error = thrownBy(() => parseRootKey(key, "ENCRYPTION_KEY"));
      expect(error).to.be.instanceOf(KeyError).and.include({ code: "ERR_KEY_FORMAT" });
      expect(error.message)
        .to.match(/^ENCRYPTION_KEY must be 32 bytes/)
        .and.include("keygen");
      if (typeof key === "string" && key !== "") expect(error.stack).to.not.include(key);
    });
  }

  const documented = createHash("sha256").update("fieldseal documentation key").digest();
  const weak: Record<string, [key: Buffer, reason: string]> = {
    "all zero": [Buffer.alloc(32), "all equal"],
    "all 0xff": [Buffer.alloc(32, 0xff), "all equal"],
    "counting up": [Buffer.from(Array.from({ length: 32 }, (_, i) => i)), "count up or down"],
    "counting down past zero": [
      Buffer.from(Array.from({ length: 32 }, (_, i) => 10 - i * 3)),
      "count up or down",
    ],
    "two bytes repeated": [Buffer.alloc(32, Buffer.from([0xa5, 0x5a])), "repeat"],
    "three bytes repeated": [Buffer.alloc(32, Buffer.from([0xa5, 0x5a, 0x01])), "repeat"],
    "sixteen random bytes twice": [Buffer.alloc(32, randomBytes(16)), "repeat"],
    "a passphrase": [Buffer.from("correct horse battery staple 123"), "passphrase"],
    "the key of our documentation": [documented, "printed in documentation"],
    "the key of NIST SP 800-38A": [
      Buffer.from("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "hex"),
      "printed in documentation",
    ],
  };
  for (const [name, [key, reason]] of Object.entries(weak)) {
    it(`is refused as ${name}, in every form`, () => {
      for (const form of [key, key.toString("hex"), key.toString("base64")]) {
        const error = thrownBy(() => parseRootKey(form, "ENCRYPTION_KEY"));
        expect(error).to.be.instanceOf(KeyError).and.include({ code: "ERR_KEY_WEAK" });
        expect(error.message).to.include(reason);
        expect(error.stack)
          .to.not.include(key.toString("hex"))
          .and.to.not.include(key.toString("base64"));
      }
    });
  }

  it("is accepted when random (property)", () => {
    fc.assert(
      fc.property(fc.nat(), () => {
        const key = randomBytes(32);
        expect(parseRootKey(key, "key")).to.deep.equal(key);
      }),
      { numRuns: 1000 },
    );
  });

  it("is not refused for a period of 17 bytes, the shortest that passes", () => {
    expect(parseRootKey(Buffer.alloc(32, randomBytes(17)), "key")).to.have.length(32);
  });
});
