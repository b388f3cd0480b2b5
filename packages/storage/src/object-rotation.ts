// Bringing stored objects under the primary key: the envelope alone, or the body as well.
import { randomBytes } from "node:crypto";
import type { ObjectBackend } from "./backend.ts";
import type { RotationResult } from "./contract.ts";
import type { DataKeys } from "./data-key.ts";
import { wrappingKeyId } from "./data-key.ts";
import type { ObjectEnvelope } from "./object-envelope.ts";
import { checkMetadata } from "./object-metadata.ts";
import type { Opened, ObjectOpener } from "./object-opener.ts";
import type { ObjectWriter } from "./object-writer.ts";
import { release } from "./release.ts";
import { ownTags, withoutOwnTags } from "./tags.ts";

export interface RotationParts {
  readonly backend: ObjectBackend;
  readonly keys: DataKeys;
  readonly opener: ObjectOpener;
  readonly writer: ObjectWriter;
}

/** Leaves objects alone that are under the primary key already; what is not encrypted is `reencrypt`ed. */
export async function rewrap(key: string, parts: RotationParts): Promise<RotationResult> {
  const { backend, keys, opener, writer } = parts;
  const opened = await opener.open(key);
  await opened.body.close();
  const { envelope, info, body } = opened;
  if (envelope === undefined || info.protection !== "encrypted") return reencrypt(key, parts);
  const to = keys.primaryKeyId;
  if (info.keyId === to && body.object.isUneven !== true)
    return { key, outcome: "current", from: to, to };
  const wrappedKey = keys.rewrap(envelope.wrappedKey, envelope.objectId, key);
  const tags = withoutOwnTags(await backend.readTags(key));
  await backend.replaceEnvelope(key, {
    envelope: writer.encode({ ...envelope, wrappedKey }, key),
    tags: { ...tags, ...ownTags(wrappingKeyId(wrappedKey)) },
    ifVersion: body.object.version,
  });
  return { key, outcome: "rewrapped", from: info.keyId, to };
}

/** A new data key, and the body anew; also for the legacy layout and for plaintext. */
export async function reencrypt(key: string, parts: RotationParts): Promise<RotationResult> {
  const { backend, keys, opener, writer } = parts;
  const opened = await opener.open(key);
  try {
    if (opened.info.protection === "legacy") await opener.legacyEvidence.refuseGarbage(key, parts);
    const tags = withoutOwnTags(await backend.readTags(key));
    const isEncrypted = opened.info.protection === "encrypted";
    const { envelope } = await writer.write(key, contentOf(opened), {
      // Kept where it is authentic, so that whoever knows the object by its id still finds the same content under it.
      objectId: isEncrypted ? (opened.envelope as ObjectEnvelope).objectId : randomBytes(16),
      metadata: metadataOf(opened),
      tags,
      ifAbsent: false,
      ifVersion: opened.body.object.version,
    });
    const from = opened.info.keyId;
    const to = wrappingKeyId(envelope.wrappedKey) ?? keys.primaryKeyId;
    return { key, outcome: "reencrypted", from, to };
  } finally {
    await opened.body.close();
  }
}

/** A piece is valid until the next one is asked for. */
async function* contentOf({ reader }: Opened): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of reader.stream(0, reader.size)) {
    yield piece;
    release(piece);
  }
}

/** What an older system left is checked as if it were put now; its own type may be no media type. */
function metadataOf({ envelope, metadata, info }: Opened): Opened["metadata"] {
  if (envelope !== undefined) return { ...metadata, size: info.size };
  const { contentType, fileName, custom } = metadata;
  const options = { contentType, metadata: custom, ...(fileName !== undefined && { fileName }) };
  return checkMetadata(options, info.size, info.key);
}
