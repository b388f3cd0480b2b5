// Every TypeScript block of every page compiles against the packages as they are.
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { codeBlocks } from "./support/code-blocks.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Inside the repository, so that the packages resolve as in a project that installed them. */
const folder = join(root, "node_modules/.cache/doc-code");

interface Sample {
  readonly name: string;
  readonly file: string;
  readonly source: string;
}

function samplesOf(page: string): Sample[] {
  return codeBlocks(readFileSync(join(root, page), "utf8"))
    .filter(({ language }) => language === "ts")
    .map(({ line, given, code, file }) => ({
      name: `${page}:${line}`,
      // Files of one page lie together, and import each other.
      file: `${page.replaceAll(/[^\w]/g, "-")}/${file ?? `${line}.ts`}`,
      source: `${given}\n${code}\nexport {};\n`,
    }));
}

describe("code in the documentation", function () {
  this.timeout(120_000);

  const pages = globSync(["*.md", "docs/**/*.md", "{packages,examples}/*/*.md"], {
    cwd: root,
    exclude: (path) => path.includes("node_modules"),
  });
  const samples = pages.toSorted().flatMap(samplesOf);
  let output = "";

  before("compile", () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const { file, source } of samples) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), source);
    }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const result = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
    });
    output = result.stdout + result.stderr;
  });

  it("was found", () => expect(samples.length).to.be.greaterThan(4));

  it("gives no error outside the samples", () => {
    const elsewhere = output
      .split("\n")
      .filter((line) => line.includes("error TS"))
      .filter((line) => !samples.some(({ file }) => line.includes(file)));
    expect(elsewhere).to.deep.equal([]);
  });

  for (const { name, file } of samples) {
    it(`compiles: ${name}`, () => {
      const errors = output.split("\n").filter((line) => line.includes(`${file}(`));
      expect(errors).to.deep.equal([]);
    });
  }
});

/** As a user's project has it, but reading the sources of the packages so that no build is needed. */
const settings = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "dom"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    experimentalDecorators: true,
    customConditions: ["@fieldseal/source"],
  },
  include: ["*/*.ts"],
};
