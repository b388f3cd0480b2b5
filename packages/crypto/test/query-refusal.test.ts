import { expect } from "chai";
import { queryRefusal, UnsupportedQueryError } from "../src/index.ts";

describe("queryRefusal", () => {
  const label = "User.email";

  it("names the column and the way out that its options leave", () => {
    const target = { model: "User", field: "email" };
    const error = queryRefusal({ label, options: {} }, "cannot be searched", target);
    expect(error).to.be.instanceOf(UnsupportedQueryError).and.to.include(target);
    expect(error.message).to.equal(
      "User.email is encrypted and cannot be searched. Declare it deterministic or give it a blindIndex to search by " +
        "equality; do the rest after loading.",
    );
  });

  it("advises equality where there is a search", () => {
    for (const options of [{ deterministic: true }, { blindIndex: { column: "email_index" } }]) {
      const { message } = queryRefusal({ label, options }, "cannot be grouped by");
      expect(message).to.match(/grouped by\. It can be searched by equality only;/);
    }
  });

  it("advises no option where none helps: for order, patterns and computation", () => {
    const advised: readonly [problem: string, advice: RegExp][] = [
      ["cannot be sorted by", /no order\. Sort after loading\.$/],
      ["cannot be sorted by in SQL", /Sort after loading\.$/],
      ["cannot be computed with in SQL", /Compute it after loading\.$/],
      ["cannot be incremented", /Compute it after loading\.$/],
      ["cannot be compared by gt", /Find the rows by other columns, and compare after loading\.$/],
      ["cannot be compared by $notILike", /compare after loading\.$/],
      ["cannot be compared by between", /compare after loading\.$/],
      ['cannot be compared by ">=" in Kysely', /compare after loading\.$/],
    ];
    for (const [problem, advice] of advised) {
      for (const options of [{}, { deterministic: true as const }]) {
        const { message } = queryRefusal({ label, options }, problem);
        expect(message)
          .to.match(advice)
          .and.not.match(/Declare|equality/);
      }
    }
    for (const problem of ["cannot be compared by $eq", "cannot be compared by in"]) {
      expect(queryRefusal({ label, options: {} }, problem).message).to.include("Declare it");
    }
  });
});
