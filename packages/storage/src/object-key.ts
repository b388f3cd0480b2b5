// Which keys are allowed: the same on every backend, so that objects can move between them.
import { StorageError } from "@fieldseal/crypto";

const MAX_KEY_BYTES = 1024;
/** Of 255 on common file systems: temporary files have longer names. */
const MAX_PART_BYTES = 200;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN: RegExp = /[\u0000-\u001f\u007f\\]/;

/**
 * The key in Unicode normalisation form C: two spellings of one name would otherwise be two objects on one file system
 * and one on another.
 * @throws {@link StorageError} `ERR_STORAGE_KEY`
 */
export function checkKey(input: unknown): string {
  if (typeof input !== "string") throw keyError(undefined, "it must be a string");
  const fault = faultOf(input);
  if (fault !== undefined) throw keyError(input, fault);
  return input.normalize("NFC");
}

/** Whether a name in the store is a key; others may stand there, of other programs. */
export function isKey(name: string): boolean {
  return faultOf(name) === undefined && name.normalize("NFC") === name;
}

/** What a key must start with to be listed; any start of an allowed key. */
export function checkPrefix(input: string): string {
  if (FORBIDDEN.test(input) || input.startsWith("/") || /(^|\/)\./.test(input)) {
    throw keyError(input, "no key starts like that");
  }
  return input.normalize("NFC");
}

function faultOf(key: string): string | undefined {
  if (key === "") return "it is empty";
  if (!key.isWellFormed()) return "it has half of a surrogate pair";
  if (FORBIDDEN.test(key)) return "it has a backslash or a control character";
  if (key.startsWith("/")) return "it starts with a slash; keys are relative";
  // As it is stored: some characters get longer by it.
  const normal = key.normalize("NFC");
  if (Buffer.byteLength(normal) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  const parts = normal.split("/");
  if (parts.includes("")) return "it has an empty part";
  if (parts.some((part) => part.startsWith("."))) return "one of its parts starts with a dot";
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) {
    return `one of its parts is longer than ${MAX_PART_BYTES} bytes`;
  }
  return undefined;
}

function keyError(key: string | undefined, fault: string): StorageError {
  const shown = key === undefined ? "The key" : `The key ${JSON.stringify(key.slice(0, 100))}`;
  return new StorageError("ERR_STORAGE_KEY", `${shown} is not allowed: ${fault}.`, {
    objectKey: key,
  });
}
