import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

describe("the reporter of the tests", () => {
  it("ends with the totals, after the skipped tests with their reasons", () => {
    const { code, lines, noted } = runSample({});
    expect(lines.slice(-4)).to.deep.equal([
      "  skipped: sample needs a component (no component)",
      "  skipped: sample is to be written (no reason given)",
      "  skipped: sample of a service is used (no service)",
      "1 passed, 0 failed, 3 skipped",
    ]);
    expect(noted).to.equal("1 passed, 0 failed, 3 skipped\n");
    expect(code).to.equal(0);
  });

  it("counts skipped tests as failed where nothing may be skipped", () => {
    const { code, lines } = runSample({ FIELDSEAL_REQUIRE_ALL: "1" });
    expect(lines.at(-2)).to.include(
      "refused by FIELDSEAL_REQUIRE_ALL: sample of a service is used",
    );
    expect(lines.at(-1)).to.equal("1 passed, 3 failed");
    expect(code).to.equal(3);
  });

  it("counts failed tests", () => {
    const { code, lines } = runSample({ SAMPLE_FAILS: "1" });
    expect(lines.at(-1)).to.equal("1 passed, 1 failed, 3 skipped");
    expect(code).to.equal(1);
  });
});

function runSample(environment: Record<string, string>): {
  code: number | null;
  lines: string[];
  noted: string;
} {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), "fieldseal-reporter-"));
  const totals = join(folder, "totals.txt"); // not the file of the run that this test is part of
  const { FIELDSEAL_REQUIRE_ALL: _, ...inherited } = process.env;
  try {
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        file("../node_modules/mocha/bin/mocha.js"),
        "--no-config",
        "--reporter",
        file("support/reporter.cjs"),
        file("support/reporter-sample.ts"),
      ],
      {
        encoding: "utf8",
        env: { ...inherited, FIELDSEAL_TOTALS_FILE: totals, ...environment },
      },
    );
    const lines = stdout.trimEnd().split("\n");
    return { code: status, lines, noted: readFileSync(totals, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
