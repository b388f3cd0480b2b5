// That a release can be made: lerna sets every version, the changelog says what happens to stored values, npm lists the parts.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { root, type Manifest } from "./support/packed-project.ts";

const VERSION = "98.7.6";

describe("a release", function () {
  this.timeout(120_000);
  let copy: string;

  before("copy what lerna reads, as a repository of its own", () => {
    copy = mkdtempSync(join(tmpdir(), "fieldseal-release-"));
    const files = globSync(
      ["package.json", "package-lock.json", "lerna.json", "*/*/package.json"],
      {
        cwd: root,
        exclude: (path) => path.startsWith("node_modules"),
      },
    );
    for (const file of files) cpSync(join(root, file), join(copy, file));
    git("init", "--quiet");
    git("add", ".");
    git(
      "-c",
      "user.name=test",
      "-c",
      "user.email=test@localhost",
      "commit",
      "--quiet",
      "-m",
      "Copy",
    );
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  });
  after(() => rmSync(copy, { recursive: true, force: true }));

  it("sets one version in all packages, and in what they ask of each other", () => {
    const lerna = join(root, "node_modules/lerna/dist/cli.js");
    const parameters = ["version", VERSION, "--no-push", "--no-git-tag-version", "--yes"];
    const { status, stderr } = spawnSync(process.execPath, [lerna, ...parameters], {
      cwd: copy,
      encoding: "utf8",
      env: { ...process.env, NX_DAEMON: "false" },
    });
    expect(status, stderr).to.equal(0);
    for (const path of globSync("packages/*/package.json", { cwd: copy })) {
      const manifest = JSON.parse(readFileSync(join(copy, path), "utf8")) as Manifest;
      expect(manifest.version, path).to.equal(VERSION);
      const ours = Object.entries(manifest.dependencies ?? {}).filter(([name]) =>
        name.startsWith("@fieldseal/"),
      );
      expect(ours.map(([, range]) => range)).to.deep.equal(ours.map(() => VERSION));
    }
    expect(globSync("**/CHANGELOG.md", { cwd: copy, exclude: ["node_modules"] })).to.deep.equal([]);
  });

  it("says in the changelog what happens to stored values", () => {
    const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
    const releases = changelog.split(/^## /m).slice(1);
    expect(releases.length).to.be.greaterThan(0);
    for (const release of releases) {
      expect(release, release.split("\n")[0]).to.match(/^Format impact: \S.*\.$/m);
    }
  });

  it("comes with a list of its parts (SBOM), without those of development", () => {
    const bill = JSON.parse(
      execFileSync(
        "npm",
        ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "-w", "@fieldseal/crypto"],
        { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      ),
    ) as { bomFormat: string; components: { purl: string }[] };
    expect(bill.bomFormat).to.equal("CycloneDX");
    expect(bill.components.map(({ purl }) => purl.split("@")[0])).to.deep.equal([
      "pkg:npm/%40fieldseal/crypto",
    ]);
  });

  function git(...parameters: string[]): void {
    execFileSync("git", parameters, { cwd: copy, stdio: ["ignore", "ignore", "inherit"] });
  }
});
