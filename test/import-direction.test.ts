import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, cpSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("the lint rule for the direction of imports", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fieldseal-lint-"));
    cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const allowed: [packageName: string, specifier: string][] = [
    ["crypto", "node:crypto"],
    ["crypto", "node:fs/promises"],
    ["crypto", "./suites/gcm.ts"],
    ["crypto", "../errors.ts"],
    ["sequelize", "@fieldseal/crypto"],
    ["sequelize", "@fieldseal/crypto/testing"],
    ["sequelize", "sequelize"],
    ["mikro-orm", "@fieldseal/crypto"],
    ["mikro-orm", "@mikro-orm/core"],
    ["migrate", "pg"],
    ["storage", "@aws-sdk/client-s3"],
    ["cli", "@fieldseal/migrate"],
    ["cli", "commander"],
  ];
  for (const [packageName, specifier] of allowed) {
    it(`lets ${packageName} import ${specifier}`, () => {
      expect(lintImport(folder, packageName, specifier)).to.equal("passed");
    });
  }

  const forbidden: [packageName: string, specifier: string][] = [
    ["crypto", "lodash"],
    ["crypto", "pg"],
    ["crypto", "@fieldseal/migrate"],
    ["crypto", "../../sequelize/src/index.ts"],
    ["crypto", "../../../test/support/postgres.ts"],
    ["sequelize", "@fieldseal/mikro-orm"],
    ["sequelize", "@fieldseal/migrate"],
    ["sequelize", "@mikro-orm/core"],
    ["sequelize", "../../crypto/src/index.ts"],
    ["mikro-orm", "@fieldseal/sequelize"],
    ["mikro-orm", "sequelize"],
    ["migrate", "@fieldseal/sequelize"],
    ["migrate", "@fieldseal/storage"],
    ["migrate", "sequelize"],
    ["storage", "@fieldseal/migrate"],
    ["storage", "pg"],
    ["cli", "@fieldseal/sequelize"],
    ["cli", "@mikro-orm/core"],
    ["cli", "../../storage/src/index.ts"],
  ];
  for (const [packageName, specifier] of forbidden) {
    it(`fails when ${packageName} imports ${specifier}`, () => {
      expect(lintImport(folder, packageName, specifier)).to.equal("no-restricted-imports");
    });
  }
});

/** Lints a file of that package with this one import: "passed", or the rule that refused it. */
function lintImport(folder: string, packageName: string, specifier: string): string {
  const source = join(folder, "packages", packageName, "src");
  mkdirSync(source, { recursive: true });
  writeFileSync(
    join(source, "probe.ts"),
    `import type * as probed from "${specifier}";\nexport type { probed };\n`,
  );
  const oxlint = join(root, "node_modules/.bin/oxlint");
  const { status, stdout } = spawnSync(oxlint, ["packages"], { cwd: folder, encoding: "utf8" });
  if (status === 0) return "passed";
  return stdout.includes("no-restricted-imports") ? "no-restricted-imports" : stdout;
}
