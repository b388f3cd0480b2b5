import { expect } from "chai";
import fc from "fast-check";
import { ConfigError } from "../src/index.ts";
import { addPadding, checkPad, paddedLength, removePadding } from "../src/padding.ts";
import { newKeyring, textColumn } from "./columns.ts";

const pads = fc.oneof(fc.constant("padme" as const), fc.integer({ min: 2, max: 65536 }));

describe("padding", () => {
  it("comes off again, whatever the bytes (property)", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        pads,
        fc.nat({ max: 5 }),
        (array, pad, start) => {
          const buffer = Buffer.alloc(start + paddedLength(array.length, pad), 0xaa);
          buffer.set(array, start);
          const length = addPadding(buffer, start, array.length, pad);
          expect(length)
            .to.equal(paddedLength(array.length, pad))
            .and.to.be.greaterThan(array.length);
          const end = removePadding(buffer, start, start + length);
          expect(buffer.subarray(start, end)).to.deep.equal(Buffer.from(array));
        },
      ),
    );
  });

  it("makes lengths equal up to the step", () => {
    expect([0, 1, 30, 31].map((length) => paddedLength(length, 32))).to.deep.equal([
      32, 32, 32, 32,
    ]);
    expect([32, 63].map((length) => paddedLength(length, 32))).to.deep.equal([64, 64]);
  });

  it("adds at most 12 % with Padmé, beyond the mark (property)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 2 ** 28 }), (length) => {
        expect(paddedLength(length, "padme")).to.be.within(length + 1, (length + 1) * 1.12);
      }),
    );
    expect(
      [0, 1, 2, 7, 8, 9, 99, 1000].map((length) => paddedLength(length, "padme")),
    ).to.deep.equal([1, 2, 3, 8, 10, 10, 104, 1024]);
  });

  it("is refused without a mark", () => {
    expect(removePadding(Buffer.alloc(8), 0, 8)).to.equal(-1);
    expect(removePadding(Buffer.alloc(0), 0, 0)).to.equal(-1);
    expect(removePadding(Buffer.from([0x80, 1, 0]), 0, 3)).to.equal(-1);
    // A mark in front of the range is not this value's.
    expect(removePadding(Buffer.from([0x80, 0, 0]), 1, 3)).to.equal(-1);
  });

  it("hides lengths in what is stored", () => {
    const cipher = textColumn(newKeyring(), { pad: 64 });
    const lengths = ["", "a", "x".repeat(63)].map((value) => (cipher.seal(value) as string).length);
    expect(new Set(lengths)).to.have.property("size", 1);
  });

  it("takes a step of 2 to 65536 bytes, or Padmé", () => {
    for (const pad of [undefined, 2, 65536, "padme"])
      expect(() => checkPad(pad, "User.email")).to.not.throw();
    for (const pad of [0, 1, 65537, 1.5, Number.NaN, "32", null, true]) {
      expect(() => checkPad(pad, "User.email")).to.throw(ConfigError, "User.email: pad must");
    }
  });
});
