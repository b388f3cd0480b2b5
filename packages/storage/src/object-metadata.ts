// What describes an object: checked before anything is stored, encrypted in the envelope.
import { StorageError } from "@fieldseal/crypto";
import type { PutOptions } from "./contract.ts";

export interface ObjectMetadata {
  readonly contentType: string;
  readonly fileName: string | undefined;
  readonly custom: Readonly<Record<string, string>>;
  /** Plaintext bytes, if known before the first was read. Then the length of the body proves that nothing is cut. */
  readonly size: number | undefined;
}

export const DEFAULT_CONTENT_TYPE = "application/octet-stream";

/** The text is filled up to a multiple of this, so that its length says little about a file name's. */
const PAD_BYTES = 64;
/** RFC 9110 section 8.3.1: type "/" subtype, and parameters. */
const MEDIA_TYPE: RegExp =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+( *; *[\w-]+=("[^"\\]*"|[\w.+-]+))*$/;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL: RegExp = /[\u0000-\u001f\u007f]/;

/** @throws {@link StorageError} `ERR_STORAGE_METADATA`; names the option, never its value */
export function checkMetadata(
  options: PutOptions,
  size: number | undefined,
  objectKey: string,
): ObjectMetadata {
  const { contentType = DEFAULT_CONTENT_TYPE, fileName, metadata = {} } = options;
  const refuse = (what: string): never => {
    throw new StorageError("ERR_STORAGE_METADATA", `put of "${objectKey}": ${what}.`, {
      objectKey,
    });
  };
  if (typeof contentType !== "string" || !MEDIA_TYPE.test(contentType)) {
    refuse('contentType must be a media type such as "video/mp4"');
  }
  if (fileName !== undefined && !isName(fileName)) {
    refuse("fileName must be a non-empty text without control characters and slashes");
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (name === "" || CONTROL.test(name))
      refuse("a metadata name is empty or has control characters");
    if (typeof value !== "string" || !value.isWellFormed())
      refuse(`metadata.${name} must be a string`);
  }
  return { contentType, fileName, custom: { ...metadata }, size };
}

function isName(value: unknown): boolean {
  const isText = typeof value === "string" && value !== "" && value.isWellFormed();
  return isText && !CONTROL.test(value) && !/[/\\]/.test(value);
}

/** JSON, filled up with spaces, which JSON allows. */
export function encodeMetadata({ contentType, fileName, custom, size }: ObjectMetadata): Buffer {
  const isCustom = Object.keys(custom).length > 0;
  const json = JSON.stringify({
    ...(contentType !== DEFAULT_CONTENT_TYPE && { type: contentType }),
    ...(fileName !== undefined && { name: fileName }),
    ...(isCustom && { custom }),
    ...(size !== undefined && { size }),
  });
  const text = Buffer.from(json);
  return Buffer.concat([
    text,
    Buffer.alloc((PAD_BYTES - (text.length % PAD_BYTES)) % PAD_BYTES, " "),
  ]);
}

/** Of authenticated bytes: what {@link encodeMetadata} wrote. */
export function decodeMetadata(bytes: Uint8Array): ObjectMetadata {
  const { type, name, custom, size } = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
    readonly type?: string;
    readonly name?: string;
    readonly custom?: Record<string, string>;
    readonly size?: number;
  };
  return { contentType: type ?? DEFAULT_CONTENT_TYPE, fileName: name, custom: custom ?? {}, size };
}
