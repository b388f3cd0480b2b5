// Real S3 for tests: one server per run, started by the first test that asks, or the one that TEST_S3_ENDPOINT names.
// Each call of createTestBucket() gives a bucket of its own in it.
import { randomBytes } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { missingForRadosgw, sharedRadosgw, type S3Server } from "./radosgw-server.ts";
import { skip } from "./skip.ts";

export interface TestBucket {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** A plain client of the AWS SDK: what really is stored. */
  readonly client: S3Client;
  /** Deletes all objects and unfinished uploads. */
  empty(): Promise<void>;
  drop(): Promise<void>;
}

const REGION = "us-east-1";

/**
 * A new empty bucket; drop it in `after`. Skips the caller's suite where no server can be had. The server starts with
 * the first call: two seconds, on a busy machine ten.
 */
export async function createTestBucket(context: Mocha.Context): Promise<TestBucket> {
  const given = givenServer();
  const missing = given === undefined ? missingForRadosgw() : undefined;
  if (missing !== undefined) skip(context, missing);
  const server = await (given ?? sharedRadosgw());
  const bucket = `fieldseal-${randomBytes(8).toString("hex")}`;
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const connection = { endpoint, region: REGION, credentials: { accessKeyId, secretAccessKey } };
  const client = new S3Client({ ...connection, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    ...connection,
    bucket,
    client,
    empty: () => emptyBucket(client, bucket),
    async drop() {
      await emptyBucket(client, bucket);
      await client.send(new DeleteBucketCommand({ Bucket: bucket }));
      client.destroy();
    },
  };
}

function givenServer(): Promise<S3Server> | undefined {
  const { TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY } = process.env;
  if (!TEST_S3_ENDPOINT) return undefined;
  return Promise.resolve({
    endpoint: TEST_S3_ENDPOINT,
    accessKeyId: TEST_S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: TEST_S3_SECRET_ACCESS_KEY ?? "",
    folder: undefined,
    stop: () => Promise.resolve(),
  });
}

async function emptyBucket(client: S3Client, bucket: string): Promise<void> {
  const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  for (const { Key, UploadId } of uploads.Uploads ?? []) {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  }
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    if (Contents.length === 0) return;
    const Objects = Contents.map(({ Key }) => ({ Key: Key ?? "" }));
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
}
