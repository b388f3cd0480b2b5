// What the AWS SDK reports, as this package's errors: never its messages, which quote access keys and signed requests.
import { ConfigError, StorageError } from "@fieldseal/crypto";
import { backendError } from "./backend-error.ts";
import { changed, notFound } from "./object-errors.ts";

interface ServiceError {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const CREDENTIALS = "Check the credentials.";
const REGION = "Check region and endpoint.";
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: "Check the name of the bucket, and the endpoint.",
  AccessDenied: "Check what the credentials are allowed to do with this bucket.",
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  ExpiredToken: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  CredentialsProviderError: CREDENTIALS,
  RequestTimeTooSkewed: "Check the clock of this computer.",
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  ENOTFOUND: REGION,
  ECONNREFUSED: "Check the endpoint, and that the store runs.",
  InvalidObjectState: "The object is archived: restore it first.",
  NoSuchUpload: "Its parts were removed before it was complete, by gc or a lifecycle rule.",
  MetadataTooLarge: "Shorten fileName and metadata.",
};

/** Two conditional requests met; S3 asks for the whole operation to be repeated. */
const CONFLICT = "ConditionalRequestConflict";

/** @param action what was being done: "reading", "writing" */
export function s3Error(error: unknown, action: string, key: string): Error {
  if (error instanceof StorageError || error instanceof ConfigError) return error;
  const status = statusOf(error);
  const name = nameOf(error);
  if (status === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload") return notFound(key);
  if (status === 412) return changed(key);
  const plain = backendError(error, action, key);
  const advice = ADVICE[name] ?? ADVICE[String((error as { code?: unknown }).code)];
  const message = advice === undefined ? plain.message : `${plain.message} ${advice}`;
  const retryable = plain.retryable || name === CONFLICT;
  return new StorageError("ERR_STORAGE_BACKEND", message, { objectKey: key, retryable });
}

export function statusOf(error: unknown): number | undefined {
  return (error as ServiceError | undefined)?.$metadata?.httpStatusCode;
}

/** In a storage class such as GLACIER: it has metadata and tags, and can be deleted, but not be read. */
export function isArchived(error: unknown): boolean {
  return nameOf(error) === "InvalidObjectState";
}

function nameOf(error: unknown): string {
  return String((error as ServiceError | undefined)?.name);
}

/** The store did something that S3 does not. */
export function misbehaving(key: string, what: string): StorageError {
  return new StorageError("ERR_STORAGE_BACKEND", `The store failed with "${key}": ${what}.`, {
    objectKey: key,
  });
}
