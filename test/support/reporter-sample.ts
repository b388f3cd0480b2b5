// A run with passing, failing and skipped tests, which reporter.test.ts looks at.
import { skip } from "./skip.ts";

describe("sample", () => {
  it("passes", () => {});
  it("needs a component", function () {
    skip(this, "no component");
  });
  it("is to be written");

  describe("of a service", () => {
    before(function () {
      skip(this, "no service");
    });
    it("is used", () => {});
  });

  if (process.env.SAMPLE_FAILS) {
    it("fails", () => {
      throw new Error("failed on purpose");
    });
  }
});
