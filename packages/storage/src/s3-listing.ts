// Pages of a bucket: objects in the order of their keys, and what interrupted uploads left behind.
import type { ListPartsCommandInput, MultipartUpload, Part } from "@aws-sdk/client-s3";
import type { GcReport, ListedObject, ListOptions } from "./contract.ts";
import type { S3, S3Bucket } from "./s3-bucket.ts";
import { statusOf } from "./s3-errors.ts";

/** Folder markers, which consoles make, are left out. */
export async function* listObjects(
  bucket: S3Bucket,
  { prefix = "", startAfter, signal }: ListOptions,
): AsyncGenerator<ListedObject, void, undefined> {
  let token: string | undefined;
  do {
    const page = await bucket.run({ action: "listing", key: prefix, signal }, ({ client, sdk }) =>
      client.send(
        new sdk.ListObjectsV2Command({
          Bucket: bucket.name,
          Prefix: bucket.prefix + prefix,
          ...(startAfter !== undefined && { StartAfter: bucket.prefix + startAfter }),
          ContinuationToken: token,
        }),
        { ...(signal && { abortSignal: signal }) },
      ),
    );
    for (const { Key = "", LastModified = new Date(0), Size = 0 } of page.Contents ?? []) {
      signal?.throwIfAborted();
      if (Size === 0 && Key.endsWith("/")) continue;
      const key = Key.slice(bucket.prefix.length);
      yield { key, modifiedAt: LastModified, storedBytes: Size };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** Aborts the uploads below the prefix, whoever began them, that are older. */
export async function collectUploads(bucket: S3Bucket, olderThanMs: number): Promise<GcReport> {
  const before = Date.now() - olderThanMs;
  const attempt = { action: "collecting garbage in", key: bucket.prefix };
  return bucket.run(attempt, async (s3) => {
    let removed = 0;
    let bytes = 0;
    for await (const { Key, UploadId, Initiated } of unfinished(s3, bucket)) {
      if (Initiated === undefined || Initiated.getTime() > before) continue;
      const upload = { Bucket: bucket.name, Key, UploadId };
      const partBytes = await removeIfOlder(s3, upload, before);
      if (partBytes === undefined) continue;
      removed++;
      bytes += partBytes;
    }
    return { removed, bytes };
  });
}

async function* unfinished({ client, sdk }: S3, bucket: S3Bucket): AsyncGenerator<MultipartUpload> {
  const all = { Bucket: bucket.name, ...(bucket.prefix !== "" && { Prefix: bucket.prefix }) };
  let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await client.send(new sdk.ListMultipartUploadsCommand({ ...all, ...from }));
    yield* page.Uploads ?? [];
    if (page.IsTruncated !== true) return;
    from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** Bytes of its parts; undefined if a part came later, or it was finished or removed meanwhile. */
async function removeIfOlder(
  s3: S3,
  upload: { Bucket: string; Key: string | undefined; UploadId: string | undefined },
  before: number,
): Promise<number | undefined> {
  try {
    let bytes = 0;
    for await (const { Size = 0, LastModified } of partsOf(s3, upload)) {
      if (LastModified !== undefined && LastModified.getTime() > before) return undefined;
      bytes += Size;
    }
    await s3.client.send(new s3.sdk.AbortMultipartUploadCommand(upload));
    return bytes;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The SDK's paginator goes by the marker alone, which Ceph gives with the last page too, and never ends. */
async function* partsOf({ client, sdk }: S3, upload: ListPartsCommandInput): AsyncGenerator<Part> {
  for (let marker: string | undefined; ;) {
    const from = marker === undefined ? {} : { PartNumberMarker: marker };
    const page = await client.send(new sdk.ListPartsCommand({ ...upload, ...from }));
    yield* page.Parts ?? [];
    if (page.IsTruncated !== true) return;
    marker = page.NextPartNumberMarker;
  }
}
