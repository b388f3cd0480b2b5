// Measured on the compiled packages, as users run them: stripping types takes 30 MB by itself.
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { createTestBucket } from "../../../test/support/radosgw.ts";

const PROGRAM = fileURLToPath(new URL("support/large-object.mjs", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

describe("memory", function () {
  this.timeout(300_000);

  before("compile", () => {
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status } = spawnSync(process.execPath, [tsc, "-b", "packages/storage"], { cwd: ROOT });
    expect(status).to.equal(0);
  });

  /** Megabytes at the peak. Not synchronous: the S3 server may be a child of this process. */
  async function peakOf(variables: NodeJS.ProcessEnv, ranges: number): Promise<number> {
    // Neither the coverage that the whole run may collect, nor flags that users do not set.
    const { NODE_V8_COVERAGE: _, NODE_OPTIONS: __, ...env } = process.env;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [PROGRAM, "1024", String(ranges)],
      { env: { ...env, ...variables } },
    );
    expect(stderr).to.equal("");
    return Number(stdout);
  }

  it("1 GiB through put, get and ranges on disk stays under a peak RSS of 160 MB", async function () {
    const folder = await mkdtemp(join(tmpdir(), "fieldseal-large-"));
    try {
      const megabytes = await peakOf({ STORAGE_PATH: folder }, 600);
      this.runnable().title += `: ${megabytes} MB`;
      expect(megabytes).to.be.within(30, 160);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("1 GiB through put, get and ranges in S3 stays under a peak RSS of 220 MB", async function () {
    const bucket = await createTestBucket(this);
    const { endpoint, credentials } = bucket;
    try {
      const megabytes = await peakOf(
        {
          STORAGE_TYPE: "s3",
          S3_BUCKET: bucket.bucket,
          S3_ENDPOINT: endpoint,
          S3_ACCESS_KEY_ID: credentials.accessKeyId,
          S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        },
        150,
      );
      this.runnable().title += `: ${megabytes} MB`;
      expect(megabytes).to.be.within(30, 220);
    } finally {
      await bucket.drop();
    }
  });
});
