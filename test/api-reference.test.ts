// docs/reference/api/ is what `npm run api` writes.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { apiPages, FOLDER, type Page } from "./api-reference/page.ts";
import { compile, root } from "./support/packed-project.ts";

describe("the API reference", function () {
  this.timeout(120_000);
  let pages: readonly Page[];

  before("read the declarations", () => {
    expect(compile(["-b"], root)).to.equal("");
    pages = apiPages();
  });

  it("is up to date; `npm run api` writes it anew", () => {
    for (const { path, markdown } of pages) {
      expect(readFileSync(join(root, path), "utf8") === markdown, path).to.equal(true);
    }
  });

  it("has a page for each package, and no other", () => {
    const files = globSync(`${FOLDER}/*`, { cwd: root });
    expect(files).to.have.members(pages.map(({ path }) => path));
  });
});
