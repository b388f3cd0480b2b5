// Measured on the compiled packages, as users run them: stripping types takes 30 MB by itself.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const PROGRAM = fileURLToPath(new URL("support/large-object.mjs", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

describe("memory", function () {
  this.timeout(180_000);

  before("compile", () => {
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status } = spawnSync(process.execPath, [tsc, "-b", "packages/storage"], { cwd: ROOT });
    expect(status).to.equal(0);
  });

  it("1 GiB through put, get and ranges stays under a peak RSS of 160 MB", async function () {
    const folder = await mkdtemp(join(tmpdir(), "fieldseal-large-"));
    try {
      // Neither the coverage that the whole run may collect, nor flags that users do not set.
      const { NODE_V8_COVERAGE: _, NODE_OPTIONS: __, ...env } = process.env;
      const options = { encoding: "utf8", env } as const;
      const result = spawnSync(process.execPath, [PROGRAM, folder, "1024"], options);
      expect(result.stderr).to.equal("");
      const megabytes = Number(result.stdout);
      this.runnable().title += `: ${megabytes} MB`;
      expect(megabytes).to.be.within(30, 160);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
