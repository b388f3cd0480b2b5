// What is really in the store, object by object.
import { EncryptionError, type ErrorCode } from "@fieldseal/crypto";
import type { ObjectBackend } from "./backend.ts";
import type { VerifiedObject, VerifyOptions } from "./contract.ts";
import type { DataKeys } from "./data-key.ts";
import { isKey } from "./object-key.ts";
import type { ObjectOpener } from "./object-opener.ts";
import { release } from "./release.ts";

const DAMAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ERR_STORAGE_FORMAT",
  "ERR_STORAGE_TAMPERED",
  "ERR_STORAGE_TRUNCATED",
  "ERR_STORAGE_WRONG_KEY",
]);

export async function* verify(
  { depth = "body", ...listing }: VerifyOptions,
  parts: {
    readonly backend: ObjectBackend;
    readonly keys: DataKeys;
    readonly opener: ObjectOpener;
  },
): AsyncGenerator<VerifiedObject, void, undefined> {
  for await (const { key } of parts.backend.list(listing)) {
    const result: VerifiedObject = isKey(key)
      ? await verifyOne(key, { depth, signal: listing.signal }, parts)
      : { key, state: "unreadable", code: "ERR_STORAGE_KEY", keyId: undefined };
    // Deleted between listing and opening: not a finding.
    if (result.code !== "ERR_STORAGE_NOT_FOUND") yield result;
  }
}

async function verifyOne(
  key: string,
  { depth, signal }: VerifyOptions,
  { opener, keys }: { readonly opener: ObjectOpener; readonly keys: DataKeys },
): Promise<VerifiedObject> {
  try {
    const { reader, body, info } = await opener.open(key, { signal });
    try {
      if (depth === "body") {
        for await (const piece of reader.stream(0, reader.size)) {
          release(piece);
          signal?.throwIfAborted();
        }
      } else if (info.protection === "encrypted" && reader.size > 0) {
        await reader.readInto(Buffer.alloc(1), reader.size - 1);
      }
    } finally {
      await body.close();
    }
    const { protection, keyId } = info;
    const isCurrent = keyId === keys.primaryKeyId && body.object.isUneven !== true;
    const state = protection === "encrypted" ? (isCurrent ? "ok" : "old-key") : protection;
    return { key, state, code: undefined, keyId };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof EncryptionError)) throw error;
    const { code } = error;
    const keyId = (error as { readonly keyId?: string }).keyId;
    if (code === "ERR_STORAGE_UNPROTECTED") return { key, state: "unprotected", code, keyId };
    return { key, state: DAMAGE.has(code) ? "damaged" : "unreadable", code, keyId };
  }
}
