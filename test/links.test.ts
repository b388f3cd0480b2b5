import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("links between pages", () => {
  const pages = globSync(["*.md", "docs/**/*.md", "packages/*/*.md", "packages/*/test/**/*.md"], {
    cwd: root,
    exclude: (path) => path.includes("node_modules"),
  });

  it("were found", () => expect(pages.length).to.be.greaterThan(10));

  for (const page of pages) {
    it(`of ${page} lead to files`, () => {
      const text = readFileSync(join(root, page), "utf8");
      const targets = [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(
        (match) => match[1]!,
      );
      const missing = targets.filter((target) => !existsSync(join(root, dirname(page), target)));
      expect(missing).to.deep.equal([]);
    });
  }
});
