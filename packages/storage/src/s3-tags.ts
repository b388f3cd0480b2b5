// Public tags in S3. Ceph and others drop them when an object is copied or made of parts, so they are looked at again.
import { isDeepStrictEqual } from "node:util";
import type { S3Bucket } from "./s3-bucket.ts";
import { misbehaving } from "./s3-errors.ts";
import { decodeTags } from "./s3-object.ts";
import { checkTags, withoutOwnTags, type Tags } from "./tags.ts";

/** Of an object that another program wrote: those that we would have taken. */
export async function readTags(bucket: S3Bucket, key: string): Promise<Tags> {
  const tags = await storedTags(bucket, key);
  if ("enc" in tags) return tags;
  const possible = Object.entries(withoutOwnTags(tags)).filter((pair) => isPossible(pair, key));
  return Object.fromEntries(possible.slice(0, 8));
}

export async function writeTags(bucket: S3Bucket, key: string, tags: Tags): Promise<void> {
  const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await bucket.run({ action: "tagging", key }, ({ client, sdk }) =>
    client.send(new sdk.PutObjectTaggingCommand({ ...bucket.at(key), Tagging: { TagSet } })),
  );
}

/**
 * Writes them where they did not come with the object, and makes sure that they are there; but not over those that
 * somebody has set meanwhile, nor on an object that was put meanwhile.
 */
export async function settleTags(
  bucket: S3Bucket,
  key: string,
  tags: Tags,
  isStillThere: () => Promise<boolean>,
): Promise<void> {
  const areSettled = async (): Promise<boolean> => {
    const stored = await storedTags(bucket, key);
    return isDeepStrictEqual(stored, tags) || ("enc" in stored && !haveSamePublic(stored, tags));
  };
  if ((await areSettled()) || !(await isStillThere())) return;
  await writeTags(bucket, key, tags);
  if (await areSettled()) return;
  throw misbehaving(key, "the object is complete, but the store does not keep its tags");
}

/** Apart from the storage's own. */
export function haveSamePublic(some: Tags, others: Tags): boolean {
  return isDeepStrictEqual(withoutOwnTags(some), withoutOwnTags(others));
}

async function storedTags(bucket: S3Bucket, key: string): Promise<Tags> {
  const { TagSet } = await bucket.run({ action: "reading tags of", key }, ({ client, sdk }) =>
    client.send(new sdk.GetObjectTaggingCommand(bucket.at(key))),
  );
  return decodeTags(TagSet);
}

function isPossible([name, value]: readonly [string, string], key: string): boolean {
  try {
    checkTags({ [name]: value }, [], key);
    return true;
  } catch {
    return false;
  }
}
