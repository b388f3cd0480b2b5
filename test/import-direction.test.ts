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

  const allowed: [place: string, specifier: string][] = [
    ["crypto", "node:crypto"],
    ["crypto", "node:fs/promises"],
    ["crypto", "./suites/gcm.ts"],
    ["crypto/suites", "../errors.ts"],
    ["sequelize", "@fieldseal/crypto"],
    ["sequelize", "@fieldseal/crypto/testing"],
    ["sequelize", "sequelize"],
    ["mikro-orm", "@fieldseal/crypto"],
    ["mikro-orm", "@mikro-orm/core"],
    ["migrate", "pg"],
    ["storage", "@aws-sdk/client-s3"],
    ["cli", "@fieldseal/migrate"],
    ["cli", "@fieldseal/storage"],
    ["cli", "commander"],
  ];
  for (const [place, specifier] of allowed) {
    it(`lets ${place} import ${specifier}`, () => {
      expect(lintImport(folder, place, specifier)).to.equal("allowed");
    });
  }

  const forbidden: [place: string, specifier: string][] = [
    ["crypto", "lodash"],
    ["crypto", "pg"],
    ["crypto", "@fieldseal/migrate"],
    ["crypto", "../../sequelize/src/index.ts"],
    ["crypto", "../../sequelize/dist/index.js"],
    ["crypto", "../package.json"],
    ["crypto", "../../../test/support/postgres.ts"],
    ["crypto", "../../../bench/interleaved.ts"],
    ["crypto/suites", "../../../sequelize/src/index.ts"],
    ["crypto/suites", "../../package.json"],
    ["crypto/suites", "../.."],
    ["crypto/suites", "./../../package.json"],
    ["sequelize", "@fieldseal/mikro-orm"],
    ["sequelize", "@fieldseal/migrate"],
    ["sequelize", "@mikro-orm/core"],
    ["sequelize", "@fieldseal/crypto/src/index.ts"],
    ["sequelize", "@mikro-orm/sequelize"],
    ["sequelize", "../../crypto/src/index.ts"],
    ["mikro-orm", "@fieldseal/sequelize"],
    ["mikro-orm", "sequelize"],
    ["migrate", "@fieldseal/sequelize"],
    ["migrate", "@fieldseal/storage"],
    ["migrate", "sequelize"],
    ["migrate", "@other/pg"],
    ["storage", "@fieldseal/migrate"],
    ["storage", "pg"],
    ["cli", "@fieldseal/sequelize"],
    ["cli", "@mikro-orm/core"],
    ["cli", "sequelize/lib/utils"],
    ["cli", "@fieldseal/annotation-app"],
    ["cli", "../../storage/src/index.ts"],
    ["cli", "../../../examples/annotation-app/src/server.ts"],
  ];
  for (const [place, specifier] of forbidden) {
    it(`fails when ${place} imports ${specifier}`, () => {
      expect(lintImport(folder, place, specifier)).to.equal("refused");
    });
  }
});

/** Lints a file of that package, or of a folder in its source, with this one import. */
function lintImport(folder: string, place: string, specifier: string): "allowed" | "refused" {
  const [packageName = "", ...subfolders] = place.split("/");
  const source = join(folder, "packages", packageName, "src", ...subfolders);
  mkdirSync(source, { recursive: true });
  writeFileSync(
    join(source, "probe.ts"),
    `import type * as probed from "${specifier}";\nexport type { probed };\n`,
  );
  const oxlint = join(root, "node_modules/.bin/oxlint");
  const { status, stdout } = spawnSync(oxlint, ["packages"], { cwd: folder, encoding: "utf8" });
  if (status === 0) return "allowed";
  // Any other complaint about the probe would make this test pass for the wrong reason.
  expect(stdout).to.match(/no-restricted-imports|no-relative-parent-imports/);
  return "refused";
}
