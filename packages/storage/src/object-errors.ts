// What every backend reports in the same words.
import { StorageError } from "@fieldseal/crypto";

export function notFound(key: string): StorageError {
  return new StorageError("ERR_STORAGE_NOT_FOUND", `There is no object "${key}".`, {
    objectKey: key,
  });
}

export function exists(key: string): StorageError {
  return new StorageError("ERR_STORAGE_EXISTS", `There is an object "${key}" already.`, {
    objectKey: key,
  });
}

export function changed(key: string): StorageError {
  return new StorageError("ERR_STORAGE_CHANGED", `The object "${key}" was replaced meanwhile.`, {
    objectKey: key,
    retryable: true,
  });
}

export function foreign(key: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_UNPROTECTED",
    `The object "${key}" is not encrypted by this package yet. Run reencrypt on it first.`,
    { objectKey: key },
  );
}

export function describes(key: string): StorageError {
  return new StorageError(
    "ERR_STORAGE_UNPROTECTED",
    `"${key}" describes an object that is not encrypted by this package yet. Run reencrypt on that first.`,
    { objectKey: key },
  );
}
