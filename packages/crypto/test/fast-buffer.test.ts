import { expect } from "chai";
import fc from "fast-check";
import * as fast from "../src/fast-buffer.ts";

describe("the undocumented Buffer methods", () => {
  it("do what their documented callers do (property)", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 100 }),
        fc.nat({ max: 20 }),
        (text, at) => {
          const [one, two] = [Buffer.alloc(500), Buffer.alloc(500)];
          expect(fast.writeUtf8(one, text, at)).to.equal(two.write(text, at, "utf8"));
          expect(one).to.deep.equal(two);
          expect(fast.writeLatin1(one, text, at, 32)).to.equal(two.write(text, at, 32, "latin1"));
          expect(one).to.deep.equal(two);
          expect(fast.writeBase64(one, text, at)).to.equal(two.write(text, at, "base64"));
          expect(one).to.deep.equal(two);
          expect(fast.sliceUtf8(one, at, 90)).to.equal(two.toString("utf8", at, 90));
          expect(fast.sliceBase64(one, at, 90)).to.equal(two.toString("base64", at, 90));
        },
      ),
    );
  });
});
