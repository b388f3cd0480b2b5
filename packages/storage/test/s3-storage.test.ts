import { createTestBucket, type TestBucket } from "../../../test/support/radosgw.ts";
import { s3Harness } from "./support/s3-harness.ts";
import { describeStorage } from "./support/storage-behaviour.ts";

describe("EncryptedS3Storage", function () {
  this.timeout(60_000);
  let bucket: TestBucket;
  before(async function () {
    bucket = await createTestBucket(this);
  });
  after(() => bucket?.drop());

  describeStorage(() => Promise.resolve(s3Harness(bucket)));
});
