import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("links between pages", () => {
  const pages = globSync(
    ["*.md", "docs/**/*.md", "{packages,examples}/*/*.md", "packages/*/test/**/*.md"],
    { cwd: root, exclude: (path) => path.includes("node_modules") },
  );

  it("were found", () => expect(pages.length).to.be.greaterThan(10));

  for (const page of pages) {
    it(`of ${page} lead to files and headings`, () => {
      const text = withoutCode(readFileSync(join(root, page), "utf8"));
      const targets = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(
        (match) => match[1]!,
      );
      expect(targets.filter((target) => !leadsSomewhere(page, target))).to.deep.equal([]);
    });
  }

  it("lead to every page of docs/ from docs/index.md, over any number of steps", () => {
    const reached = new Set(["docs/index.md"]);
    for (const page of reached) {
      const text = withoutCode(readFileSync(join(root, page), "utf8"));
      for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+\.md)/g)) {
        reached.add(relative(root, join(root, dirname(page), target!)));
      }
    }
    const all = pages.filter((page) => page.startsWith("docs/"));
    expect(all.filter((page) => !reached.has(page))).to.deep.equal([]);
  });
});

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(target)) return false;
  return anchor === undefined || anchors(readFileSync(target, "utf8")).has(anchor);
}

/** As GitHub makes them of headings. */
function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of withoutCode(markdown).matchAll(/^#{1,6} +(.+)$/gm)) {
    const plain = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    let name = slug;
    for (let count = 1; found.has(name); count++) name = `${slug}-${count}`;
    found.add(name);
  }
  return found;
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^ *```[^]*?^ *```$/gm, "");
}
