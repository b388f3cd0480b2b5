import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

describe("the error codes", () => {
  const source = read("packages/crypto/src/errors.ts");
  const union = /export type ErrorCode =([^;]*);/.exec(source)?.[1] ?? "";
  const codes = [...union.matchAll(/"(ERR_\w+)"/g)].map((match) => match[1]!).toSorted();

  it("are the headings of docs/reference/errors.md, each once", () => {
    const headings = [...read("docs/reference/errors.md").matchAll(/^### (ERR_\w+)$/gm)];
    expect(headings.map((match) => match[1]!).toSorted()).to.deep.equal(codes);
    expect(codes.length).to.be.greaterThan(15);
  });

  it("are each used by some package, and no other is", () => {
    const files = globSync("packages/*/src/**/*.ts", { cwd: root }).map(read);
    const text = files.join("\n").replace(union, "");
    const used = new Set([...text.matchAll(/"(ERR_\w+)"/g)].map((match) => match[1]!));
    expect([...used].toSorted()).to.deep.equal(codes);
  });

  it("are named by area and what happened", () => {
    for (const code of codes) expect(code).to.match(/^ERR_[A-Z]+(_[A-Z]+)+$/);
  });
});
