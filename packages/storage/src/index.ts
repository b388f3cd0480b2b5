// The public surface of @fieldseal/storage.
export type {
  ByteRange,
  CopyOptions,
  EncryptedStorage,
  GcOptions,
  GcReport,
  GetOptions,
  GetResult,
  ListedObject,
  ListOptions,
  ObjectInfo,
  OpenObject,
  OpenOptions,
  PutOptions,
  PutSource,
  RotationResult,
  StorageOptions,
  VerifiedObject,
  VerifyOptions,
} from "./contract.ts";
export { createEncryptedStorage } from "./create-storage.ts";
export type { Disposition } from "./content-disposition.ts";
export { FileHandler, type FileHandlerOptions } from "./file-handler.ts";
export { EncryptedLocalStorage, type LocalStorageOptions } from "./local-storage.ts";
export type { S3ClientLike, S3Credentials, S3StorageOptions } from "./s3-options.ts";
export { EncryptedS3Storage } from "./s3-storage.ts";
export type { StorageEvent, StorageOperation } from "./storage-events.ts";
export {
  SignedUrls,
  type SignedAccess,
  type SignedUrlOptions,
  type SignOptions,
} from "./signed-urls.ts";
