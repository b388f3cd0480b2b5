import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import {
  GetObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { expect } from "chai";
import { createTestBucket, type TestBucket } from "./support/radosgw.ts";

describe("the S3 server of the tests", function () {
  this.timeout(60_000);
  let first: TestBucket;
  let second: TestBucket;

  before(async function () {
    first = await createTestBucket(this);
    second = await createTestBucket(this);
  });

  after(async () => {
    await first?.drop();
    await second?.drop();
  });

  it("gives each caller a bucket of its own", async () => {
    const put = { Bucket: first.bucket, Key: "a b+ü.txt", Body: "text" };
    await first.client.send(new PutObjectCommand(put));
    const found = await first.client.send(new GetObjectCommand(put));
    expect(await found.Body?.transformToString()).to.equal("text");
    const elsewhere = { Bucket: second.bucket, Key: put.Key };
    const error = await second.client.send(new GetObjectCommand(elsewhere)).catch((e: Error) => e);
    expect(error).to.have.property("name", "NoSuchKey");
  });

  it("checks signatures, as fakes do not", async () => {
    const { endpoint, region } = first;
    const credentials = { ...first.credentials, secretAccessKey: "wrong" };
    const stranger = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
    const error = await stranger.send(new ListBucketsCommand({})).catch((e: Error) => e);
    expect(error).to.have.property("name", "SignatureDoesNotMatch");
  });

  it("drops a bucket with what is in it", async function () {
    const bucket = await createTestBucket(this);
    const put = { Bucket: bucket.bucket, Key: "left", Body: "behind" };
    await bucket.client.send(new PutObjectCommand(put));
    await bucket.drop();
    const { Buckets = [] } = await first.client.send(new ListBucketsCommand({}));
    expect(Buckets.map(({ Name }) => Name)).to.not.include(bucket.bucket);
  });

  if (process.env.TEST_S3_ENDPOINT) return;

  for (const ending of ["exit", "SIGKILL"] as const) {
    it(`leaves no process behind after ${ending}`, async () => {
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL("support/radosgw-run.ts", import.meta.url)), ending],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      const ended = new Promise((resolve) => child.once("exit", resolve));
      const line = await new Promise((resolve) => child.stdout.once("data", resolve));
      const { folder, port } = JSON.parse(String(line)) as { folder: string; port: number };
      if (ending !== "exit") child.kill(ending);
      await ended;
      expect(await isRefused(port)).to.equal(true);
      // Nobody can tidy up after a process that was killed.
      if (ending === "SIGKILL") rmSync(folder, { recursive: true });
      expect(existsSync(folder)).to.equal(false);
    });
  }
});

/** Within a second: the kernel ends the daemons right after their parent. */
async function isRefused(port: number): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (!isOpen) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
