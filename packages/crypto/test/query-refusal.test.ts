import { expect } from "chai";
import { queryRefusal, UnsupportedQueryError } from "../src/index.ts";

describe("queryRefusal", () => {
  const label = "User.email";

  it("names the column and the way out that its options leave", () => {
    const target = { model: "User", field: "email" };
    const error = queryRefusal({ label, options: {} }, "cannot be sorted by", target);
    expect(error).to.be.instanceOf(UnsupportedQueryError).and.to.include(target);
    expect(error.message).to.equal(
      "User.email is encrypted and cannot be sorted by. Declare it deterministic or give it a blindIndex to search by " +
        "equality; do the rest after loading.",
    );
  });

  it("advises equality where there is a search", () => {
    for (const options of [{ deterministic: true }, { blindIndex: { column: "email_index" } }]) {
      const { message } = queryRefusal({ label, options }, "cannot be sorted by");
      expect(message).to.match(/sorted by\. It can be searched by equality only;/);
    }
  });
});
