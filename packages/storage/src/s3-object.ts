// How an object lies in S3: the body is the object, the envelope one pair of its user metadata.
import { createHash } from "node:crypto";
import type { HeadObjectOutput, Tag } from "@aws-sdk/client-s3";
import type { StoredObject } from "./backend.ts";
import type { Tags } from "./tags.ts";

/** `x-amz-meta-fieldseal`, in base64url. */
export const ENVELOPE_NAME = "fieldseal";
/** Of all names and values; what AWS allows. Other stores take more, but objects should be able to move. */
const MAX_METADATA_BYTES = 2048;
/** The envelope in its text form must fit. */
export const MAX_S3_ENVELOPE_BYTES: number =
  Math.floor((MAX_METADATA_BYTES - ENVELOPE_NAME.length) / 4) * 3;

/** The real type is in the envelope. */
export const STORED_CONTENT_TYPE = "application/octet-stream";

/** What a copy has to be told again, because S3 does not keep it by itself. */
const KEPT = [
  "CacheControl",
  "ContentDisposition",
  "ContentEncoding",
  "ContentLanguage",
  "ContentType",
  "StorageClass",
  "ServerSideEncryption",
  "SSEKMSKeyId",
  "BucketKeyEnabled",
  "WebsiteRedirectLocation",
] as const satisfies readonly (keyof HeadObjectOutput)[];
/** The same, for a copy onto itself only. */
const LOCKS = [
  "ObjectLockMode",
  "ObjectLockRetainUntilDate",
  "ObjectLockLegalHoldStatus",
] as const satisfies readonly (keyof HeadObjectOutput)[];

type Kept = Pick<HeadObjectOutput, (typeof KEPT)[number]> & { readonly Expires?: Date };
type Locks = Pick<HeadObjectOutput, (typeof LOCKS)[number]>;

export interface S3Object extends StoredObject {
  /** Of body bytes only: a change of metadata does not change it. */
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly kept: Kept;
  readonly locks: Locks;
}

/** @param bodyBytes the whole length, which a ranged answer tells in another place than HEAD does */
export function describeObject(output: HeadObjectOutput, bodyBytes: number): S3Object {
  const {
    ETag: etag = "",
    Metadata: metadata = {},
    LastModified: modifiedAt = new Date(0),
  } = output;
  const text = metadata[ENVELOPE_NAME];
  const expires = new Date(output.ExpiresString ?? "");
  return {
    envelope: text === undefined ? undefined : Buffer.from(text, "base64url"),
    bodyBytes,
    version: versionOf(etag, text),
    modifiedAt,
    foreign: text === undefined ? foreignPairs(output) : undefined,
    etag,
    metadata,
    kept: {
      ...pick(output, KEPT),
      ...(!Number.isNaN(expires.getTime()) && { Expires: expires }),
    },
    locks: pick(output, LOCKS),
  };
}

export function versionOf(etag: string, envelopeText: string | undefined): string {
  const envelope = createHash("sha256")
    .update(envelopeText ?? "")
    .digest("base64url");
  return `${etag} ${envelope}`;
}

export function envelopeText(envelope: Buffer): string {
  return envelope.toString("base64url");
}

export function withEnvelope(
  envelope: Buffer,
  metadata: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...metadata, [ENVELOPE_NAME]: envelopeText(envelope) };
}

/** As the header of a request takes them. */
export function encodeTags(tags: Tags): string {
  const pair = (pieces: readonly string[]): string => pieces.map(encodeURIComponent).join("=");
  return Object.entries(tags).map(pair).join("&");
}

export function decodeTags(set: readonly Tag[] = []): Tags {
  return Object.fromEntries(set.map(({ Key = "", Value = "" }) => [Key, Value]));
}

function foreignPairs({ Metadata = {}, ContentType }: HeadObjectOutput): Record<string, string> {
  const pairs = Object.entries(Metadata).map(([name, value]) => [name.toLowerCase(), value]);
  const type: Record<string, string> =
    ContentType === undefined ? {} : { "content-type": ContentType };
  return { ...type, ...(Object.fromEntries(pairs) as Record<string, string>) };
}

function pick<Name extends keyof HeadObjectOutput>(
  output: HeadObjectOutput,
  names: readonly Name[],
): Pick<HeadObjectOutput, Name> {
  const present = names.filter((name) => output[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, output[name]])) as Pick<
    HeadObjectOutput,
    Name
  >;
}
