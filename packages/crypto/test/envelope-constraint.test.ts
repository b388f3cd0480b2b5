import { expect } from "chai";
import fc from "fast-check";
import { databaseName, envelopeConstraintName } from "../src/index.ts";

describe("names of envelope constraints", () => {
  it("say table and column, or the column alone", () => {
    expect(envelopeConstraintName("users", "email")).to.equal("users_email_encrypted");
    expect(envelopeConstraintName(undefined, "email")).to.equal("email_encrypted");
  });

  it("fit into PostgreSQL's 63 bytes, whatever the alphabet", () => {
    const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(part, part, (table, column) => {
        const name = envelopeConstraintName(table, column);
        expect(Buffer.byteLength(name)).to.be.at.most(63);
        expect(name)
          .to.match(/_encrypted$/)
          .and.not.include("\uFFFD");
      }),
    );
  });

  it("differ where only the end of a long name does", () => {
    const start = "annotation_revisions_of_reviewers_".repeat(2);
    const columns = ["first", "second"].map((end) => start + end);
    const names = new Set(columns.map((column) => envelopeConstraintName("t", column)));
    expect(names.size).to.equal(2);
    const tables = new Set(columns.map((table) => databaseName([table, "fieldseal_fence"])));
    expect(tables.size).to.equal(2);
  });

  it("keep the last name that fits, and shorten the next", () => {
    expect(databaseName(["a".repeat(51), "encrypted"])).to.equal(`${"a".repeat(51)}_encrypted`);
    expect(databaseName(["a".repeat(53), "encrypted"])).to.equal(`${"a".repeat(53)}_encrypted`);
    const shortened = databaseName(["a".repeat(54), "encrypted"]);
    expect(shortened).to.match(/^a{44}_[0-9a-f]{8}_encrypted$/);
  });
});
