// What is published, as a user gets it: the tarballs, installed into an empty project and used from there.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { generateRootKey } from "@fieldseal/crypto";
import { expect } from "chai";
import { parseSync } from "oxc-parser";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import {
  compile,
  installPacked,
  publishedPackages,
  root,
  type Manifest,
  type PackedProject,
} from "./support/packed-project.ts";
import { sourceOf } from "./support/stale-output.ts";

const packages = publishedPackages();
const { version } = JSON.parse(readFileSync(join(root, "lerna.json"), "utf8")) as Manifest;

/** Bytes of each tarball; a package that outgrows its own by accident fails. */
const sizeLimits: Readonly<Record<string, number>> = {
  "@fieldseal/crypto": 76_000,
  "@fieldseal/migrate": 104_000,
  "@fieldseal/mikro-orm": 59_000,
  "@fieldseal/sequelize": 45_000,
  "@fieldseal/storage": 78_000,
  fieldseal: 47_500,
};

describe("published packages", function () {
  this.timeout(120_000);
  let project: PackedProject;

  before("build, pack and install", () => {
    project = installPacked();
  });
  after(() => project?.remove());

  it("are found", () => expect(packages.length).to.be.greaterThan(4));

  for (const { folder, manifest, specifiers } of packages) {
    const { name } = manifest;

    describe(name, () => {
      it("says what it is, for whom and under which licence", () => {
        expect(manifest.version).to.equal(version);
        expect(manifest.description).to.match(/^[A-Z].{30,110}[^.]$/);
        expect(manifest.keywords).to.include("encryption");
        expect(manifest.license).to.equal("MIT");
        expect(manifest.repository?.directory).to.equal(folder);
        expect(manifest.engines).to.deep.equal({ node: ">=22.17" });
        expect(manifest.publishConfig).to.deep.equal({ access: "public", provenance: true });
      });

      it("can be tree-shaken and installs without scripts", () => {
        expect(manifest.type).to.equal("module");
        expect(manifest.sideEffects).to.equal(false);
        expect(manifest.scripts ?? {}).to.deep.equal({});
      });

      it("holds the compiled source and nothing else", () => {
        const packed = project.packed.get(name)!;
        const unexpected = packed.files
          .map(({ path }) => path)
          .filter((path) => !["LICENSE", "README.md", "package.json"].includes(path))
          .filter((path) => !existsSync(join(root, folder, sourceOf(path))));
        expect(unexpected).to.deep.equal([]);
        expect(packed.files.map(({ path }) => path)).to.include.members(["LICENSE", "README.md"]);
        for (const { path } of packed.files.filter(({ path }) => path.endsWith(".js"))) {
          const code = readFileSync(join(project.folder, "node_modules", name, path), "utf8");
          expect(code, path).not.to.include("sourceMappingURL");
        }
      });

      it("declares what it imports, and ours at exactly this version", () => {
        const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
        const files = globSync("dist/**/*.{js,d.ts}", { cwd: join(root, folder) });
        for (const file of files) {
          for (const imported of importedPackages(join(root, folder, file))) {
            expect(declared, `${file} imports ${imported}`).to.have.property(imported);
          }
        }
        const ours = Object.entries(manifest.dependencies ?? {}).filter(([dependency]) =>
          packages.some((other) => other.manifest.name === dependency),
        );
        expect(ours.filter(([, range]) => range !== version)).to.deep.equal([]);
      });

      it("stays small", function () {
        const { size, unpackedSize } = project.packed.get(name)!;
        this.runnable().title += `: ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} on disk`;
        expect(size).to.be.lessThan(sizeLimits[name] ?? 0);
      });

      it("passes publint --strict", async () => {
        const { messages, pkg } = await publint({
          pkgDir: join(project.folder, "node_modules", name),
          strict: true,
          pack: false,
        });
        expect(messages.map((message) => formatMessage(message, pkg))).to.deep.equal([]);
      });

      it("passes Are the types wrong, as an ES module package", async () => {
        const result = await checkPackage(createPackageFromTarballData(project.tarball(name)));
        // What every package without CommonJS and without the resolution of Node 10 has.
        const expected = ["CJSResolvesToESM", "NoResolution"];
        const problems = result.types === false ? ["no types"] : result.problems;
        expect(
          problems.filter(
            (problem) =>
              typeof problem === "string" ||
              !expected.includes(problem.kind) ||
              (problem.kind === "NoResolution" && problem.resolutionKind !== "node10"),
          ),
        ).to.deep.equal([]);
      });

      for (const specifier of specifiers) {
        it(`gives by import and require what its source exports: ${specifier}`, async () => {
          const source = Object.keys((await import(specifier)) as object).toSorted();
          const quoted = JSON.stringify(specifier);
          const print = `console.log(JSON.stringify(Object.keys(loaded).toSorted()))`;
          const imported = `import * as loaded from ${quoted}; ${print}`;
          const required = `const loaded = require(${quoted}); ${print}`;
          expect(run(project, "module", imported)).to.deep.equal(source);
          expect(run(project, "commonjs", required)).to.deep.equal(source);
        });
      }
    });
  }

  it("come with types, for import and for require", () => {
    writeFileSync(join(project.folder, "imports.mts"), imports);
    writeFileSync(join(project.folder, "requires.cts"), requires);
    const errors = typeErrors(project.folder, {
      lib: ["es2024"],
      files: ["imports.mts", "requires.cts"],
    });
    expect(errors).to.deep.equal([]);
  });

  it("come with types for TypeScript 5.6, the oldest that is promised", () => {
    // The compiler that "Are the types wrong" brings along.
    const own = createRequire(import.meta.resolve("@arethetypeswrong/core"));
    const { version } = own("typescript/package.json") as Manifest;
    expect(version).to.match(/^5\.6\./);
    writeFileSync(join(project.folder, "imports.mts"), imports);
    const compiler = own.resolve("typescript/bin/tsc");
    const errors = typeErrors(project.folder, {
      lib: ["es2023"],
      files: ["imports.mts"],
      compiler,
    });
    expect(errors).to.deep.equal([]);
  });

  it("encrypt and decrypt in a project that has nothing else", () => {
    const program = `import { decryptString, encryptString } from "@fieldseal/crypto";
      const stored = encryptString("grüße", { context: "users.email" });
      console.log(JSON.stringify([stored.slice(0, 4), decryptString(stored, { context: "users.email" })]))`;
    expect(run(project, "module", program)).to.deep.equal(["9V6h", "grüße"]);
  });

  it("bring the command fieldseal", () => {
    const command = join(project.folder, "node_modules/.bin/fieldseal");
    const key = spawnSync(process.execPath, [command, "keygen"], { encoding: "utf8" });
    expect(key.stdout.trim()).to.match(/^[0-9a-f]{64}$/);
  });
});

/** Of a module that resolves to `any`, each export would be there, and the expectation of an error unused. */
const uses = packages
  .flatMap(({ specifiers }) => specifiers)
  .map((specifier, index) => ({
    specifier,
    name: `loaded${index}`,
    use: `// @ts-expect-error: not exported\nvoid loaded${index}.noSuchExport;\n`,
  }));
const imports = uses
  .map(({ specifier, name, use }) => `import * as ${name} from "${specifier}";\n${use}`)
  .join("");
const requires = uses
  .map(({ specifier, name, use }) => `import ${name} = require("${specifier}");\n${use}`)
  .join("");

/** skipLibCheck is off: a declaration that a user's compiler cannot follow is an error. */
function typeErrors(
  folder: string,
  { lib, files, compiler }: { lib: string[]; files: string[]; compiler?: string },
): string[] {
  const compilerOptions = {
    target: "es2022",
    lib,
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  return (
    compile(["-p", "."], folder, compiler)
      .split("\n")
      // Declarations of other people's packages are theirs to mend.
      .filter((line) => /^(imports|requires)|fieldseal\//.test(line))
  );
}

/** Package names, of specifiers that are neither relative nor Node's own. */
function importedPackages(file: string): Set<string> {
  const { module } = parseSync(file, readFileSync(file, "utf8"));
  const specifiers = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports
      .flatMap(({ entries }) => entries)
      .map(({ moduleRequest }) => moduleRequest?.value ?? "."),
  ];
  const names = specifiers
    .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
    .map((specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
  return new Set(names);
}

/** In a process without this repository's condition: it resolves as a user's does. Returns what it printed, as JSON. */
function run(project: PackedProject, type: "module" | "commonjs", program: string): unknown {
  const result = spawnSync(process.execPath, [`--input-type=${type}`, "--eval", program], {
    cwd: project.folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH, ENCRYPTION_KEY: generateRootKey() },
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
