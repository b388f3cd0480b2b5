// A part of a bucket as the behaviours of storage-behaviour.ts see it: through a plain client of the AWS SDK.
import {
  CopyObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type GetObjectCommandOutput,
} from "@aws-sdk/client-s3";
import { EncryptedS3Storage, type S3StorageOptions } from "@fieldseal/storage";
import type { TestBucket } from "../../../../test/support/radosgw.ts";
import type { StorageHarness } from "./storage-harness.ts";

export interface S3Harness extends StorageHarness {
  readonly bucket: TestBucket;
  readonly prefix: string;
  /** For requests of a plain client. */
  at(key: string): { readonly Bucket: string; readonly Key: string };
  open(options: Partial<S3StorageOptions>): EncryptedS3Storage;
  /** What the store answers to a plain client, without the body. */
  head(key: string): Promise<GetObjectCommandOutput>;
  tags(key: string): Promise<Record<string, string>>;
}

/** Each in a part of its own, which is quicker than to empty the bucket. */
let harnesses = 0;

export function s3Harness(bucket: TestBucket): S3Harness {
  const { client, endpoint, region, credentials } = bucket;
  const prefix = `test ${++harnesses}/`;
  const at = (key: string): { Bucket: string; Key: string } => ({
    Bucket: bucket.bucket,
    Key: prefix + key,
  });
  const all = { Bucket: bucket.bucket, Prefix: prefix };
  const get = (key: string): Promise<GetObjectCommandOutput> =>
    client.send(new GetObjectCommand(at(key)));
  const bytesOf = async ({ Body }: GetObjectCommandOutput): Promise<Buffer> =>
    Buffer.from((await Body?.transformToByteArray()) ?? []);
  const source = (key: string): string =>
    `${bucket.bucket}/${(prefix + key).split("/").map(encodeURIComponent).join("/")}`;
  const tagsOf = async (key: string): Promise<Record<string, string>> => {
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(at(key)));
    return Object.fromEntries(TagSet.map(({ Key = "", Value = "" }) => [Key, Value]));
  };
  const head = async (key: string): Promise<GetObjectCommandOutput> => {
    const output = await get(key);
    await bytesOf(output);
    return output;
  };
  return {
    bucket,
    prefix,
    at,
    head,
    tags: tagsOf,
    open: (options) =>
      new EncryptedS3Storage({
        bucket: bucket.bucket,
        prefix,
        ...(options.client === undefined && { endpoint, region, credentials }),
        ...options,
      }),
    everything: async () => {
      const stored: Buffer[] = [];
      const { Contents = [] } = await client.send(new ListObjectsV2Command(all));
      for (const { Key = "" } of Contents) {
        const key = Key.slice(prefix.length);
        const output = await get(key);
        const { Body: _body, ...described } = output;
        const words = { key, described, tags: await tagsOf(key) };
        stored.push(Buffer.from(JSON.stringify(words)), await bytesOf(output));
      }
      return Buffer.concat(stored);
    },
    readBody: async (key) => bytesOf(await get(key)),
    writeBody: async (key, Body) => {
      const { Metadata } = await head(key);
      await client.send(new PutObjectCommand({ ...at(key), Metadata, Body }));
    },
    moveEnvelope: async (from, to) => {
      const { Metadata } = await head(from);
      const onto = { CopySource: source(to), MetadataDirective: "REPLACE" } as const;
      await client.send(new CopyObjectCommand({ ...at(to), ...onto, Metadata }));
    },
    writeForeign: async (key, Body, { "content-type": ContentType, ...pairs }) => {
      const Metadata = Object.fromEntries(
        Object.entries(pairs).map(([name, value]) => [name, String(value)]),
      );
      const type = ContentType === undefined ? {} : { ContentType: ContentType as string };
      await client.send(new PutObjectCommand({ ...at(key), Body, Metadata, ...type }));
    },
    leftovers: async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(all));
      return Uploads.length;
    },
    remove: () => Promise.resolve(),
  };
}
