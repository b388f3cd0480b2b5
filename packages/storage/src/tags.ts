// Public tags: what whoever can list the store may read. Checked here so that every backend takes the same.
import { StorageError } from "@fieldseal/crypto";

export type Tags = Readonly<Record<string, string>>;

/** S3 allows 10; two are the storage's own. */
const MAX_TAGS = 8;
const MAX_NAME_CHARACTERS = 128;
const MAX_VALUE_CHARACTERS = 256;
/** Characters of a confidential text that is known again: shorter ones, as "de", stand in tags by chance. */
const LEAST_TELLING = 3;
/** What S3 allows everywhere: letters, digits, space and these. */
const ALLOWED: RegExp = /^[\p{L}\p{N} +\-=._:/@]*$/u;
/** Names under which people put what belongs into the encrypted metadata. */
const CONFIDENTIAL: RegExp =
  /^(file-?name|original-?name|name|title|content-?type|mime-?type|e-?mail|phone|address|user-?name|patient|label)$/i;

/** The storage's own tags: that an object is encrypted, and under which key. */
export function ownTags(keyId: string | undefined): Tags {
  return keyId === undefined ? { enc: "none" } : { enc: "floe1", "enc-kid": keyId };
}

export function withoutOwnTags(tags: Tags): Tags {
  return Object.fromEntries(Object.entries(tags).filter(([name]) => !isOwn(name)));
}

/** @throws {@link StorageError} `ERR_STORAGE_METADATA` when the store cannot keep that much */
export function checkTagBytes(tags: Tags, maxBytes: number, objectKey: string): Tags {
  const excess = Buffer.byteLength(JSON.stringify(tags)) - maxBytes;
  if (excess <= 0) return tags;
  throw new StorageError(
    "ERR_STORAGE_METADATA",
    `Tags of "${objectKey}": all together are ${excess} bytes more than the store can keep.`,
    { objectKey },
  );
}

/** @throws {@link StorageError} `ERR_STORAGE_METADATA`; names the tag, never its value */
export function checkTags(tags: Tags, confidential: readonly string[], objectKey: string): Tags {
  const refuse = (what: string): never => {
    throw new StorageError("ERR_STORAGE_METADATA", `Tags of "${objectKey}": ${what}.`, {
      objectKey,
    });
  };
  const entries = Object.entries(tags);
  if (entries.length > MAX_TAGS)
    refuse(`${entries.length} tags, but at most ${MAX_TAGS} are possible`);
  for (const [name, value] of entries) {
    const shown = JSON.stringify(name.slice(0, MAX_NAME_CHARACTERS));
    if (name === "" || name.length > MAX_NAME_CHARACTERS || !ALLOWED.test(name)) {
      refuse(`the name ${shown} is empty, too long or has characters that S3 refuses`);
    }
    if (isOwn(name) || /^aws:/i.test(name)) refuse(`the name ${shown} is reserved`);
    if (typeof value !== "string" || value.length > MAX_VALUE_CHARACTERS || !ALLOWED.test(value)) {
      refuse(`the value of ${shown} is no string, too long or has characters that S3 refuses`);
    }
    if (
      CONFIDENTIAL.test(name) ||
      (value.length >= LEAST_TELLING && confidential.includes(value))
    ) {
      refuse(`${shown} would be public; tags are not encrypted. Put it into metadata`);
    }
  }
  return tags;
}

function isOwn(name: string): boolean {
  return name === "enc" || name.startsWith("enc-");
}
