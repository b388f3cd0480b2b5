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
/** RFC 9110 section 8.3.1: type "/" subtype, and parameters. In ASCII without control characters: it becomes a header. */
const MEDIA_TYPE: RegExp =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+( *; *[\w-]+=("[ !#-[\]-~]*"|[\w.+-]+))*$/;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL: RegExp = /[\u0000-\u001f\u007f]/;
const CONTROLS: RegExp = new RegExp(CONTROL, "g");

const OPTION_NAMES: readonly string[] = [
  "contentType",
  "fileName",
  "metadata",
  "tags",
  "size",
  "ifAbsent",
  "signal",
  "onProgress",
];

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
  // A misspelt `ifAbsent` would replace an object.
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) refuse(`there is no option "${unknown}"`);
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

/** What another program, or whoever can write to the store, says of an object; replaced where it cannot be. */
export function checkedContentType(value: unknown): string {
  return typeof value === "string" && MEDIA_TYPE.test(value) ? value : DEFAULT_CONTENT_TYPE;
}

/** The same: the last part of a path, without control characters. */
export function checkedFileName(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const name = value.split(/[/\\]/).at(-1)?.replaceAll(CONTROLS, "");
  return isName(name) ? name : undefined;
}

function isName(value: unknown): value is string {
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

/**
 * What {@link encodeMetadata} wrote; checked, because that of plaintext objects is not authenticated.
 * @throws {@link StorageError} `ERR_STORAGE_FORMAT`, which quotes nothing
 */
export function decodeMetadata(bytes: Uint8Array, objectKey: string): ObjectMetadata {
  const { type, name, custom, size } = parseObject(bytes, objectKey);
  const pairs = typeof custom === "object" && custom !== null ? Object.entries(custom) : [];
  return {
    contentType: checkedContentType(type),
    fileName: checkedFileName(name),
    custom: Object.fromEntries(pairs.filter(([, value]) => typeof value === "string")),
    size: Number.isSafeInteger(size) ? (size as number) : undefined,
  };
}

function parseObject(bytes: Uint8Array, objectKey: string): Record<string, unknown> {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // JSON.parse quotes what it cannot read.
  }
  throw new StorageError(
    "ERR_STORAGE_FORMAT",
    `The metadata of "${objectKey}" is not what put writes.`,
    { objectKey },
  );
}
