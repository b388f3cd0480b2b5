import { expect } from "chai";
import fc from "fast-check";
import { areInAlphabet, hasCanonicalEnd } from "../src/base64.ts";

/** The check in two parts, as the opener of whole columns makes it. */
function isCanonical(text: string): boolean {
  const target = Buffer.alloc(100);
  return areInAlphabet([text]) && hasCanonicalEnd(text, target.write(text, 0, "base64"));
}

describe("the canonical form of base64", () => {
  it("is what encoding the bytes again gives, for hostile texts (property)", () => {
    const unit = fc.constantFrom(
      ..."AQgw/+09zZ",
      "=",
      "-",
      "_",
      " ",
      "\n",
      ".",
      "Ł",
      "é",
      "🦭",
      "\u0000",
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 14 }), (text) => {
        expect(isCanonical(text)).to.equal(Buffer.from(text, "base64").toString("base64") === text);
      }),
      { numRuns: 20_000 },
    );
  });

  it("is that of every encoded value (property)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(isCanonical(Buffer.from(bytes).toString("base64"))).to.equal(true);
      }),
    );
  });

  it("is missed by a batch when one text misses it", () => {
    expect(areInAlphabet(["AAAA", "AAA_", "AAAA"])).to.equal(false);
    expect(areInAlphabet(["AAAA", "AAAŁ"])).to.equal(false);
    expect(areInAlphabet([])).to.equal(true);
  });
});
