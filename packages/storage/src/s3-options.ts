// What an S3 storage is told, checked when it is made.
import { ConfigError } from "@fieldseal/crypto";
import type { StorageOptions } from "./contract.ts";
import { checkKey } from "./object-key.ts";

/** An `S3Client` of `@aws-sdk/client-s3` version 3. Described by its shape, so that these types do without the SDK's. */
export interface S3ClientLike {
  readonly config: object;
  send(command: never, options?: never): Promise<unknown>;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Either a `client`, or what is needed to make one. */
export interface S3StorageOptions extends StorageOptions {
  readonly bucket: string;
  /** Put before every key, ending in a slash: `"prod/"`. Nothing outside of it is touched. Defaults to none. */
  readonly prefix?: string | undefined;
  /** A client of yours, with your settings. It stays yours to destroy. Defaults to a new one. */
  readonly client?: S3ClientLike | undefined;
  /** Defaults to what the SDK finds (`AWS_REGION`, profile); with `endpoint` to `"us-east-1"`. */
  readonly region?: string | undefined;
  /** URL of a store that is not AWS. Defaults to AWS. */
  readonly endpoint?: string | undefined;
  /** Defaults to what the SDK finds: environment, profile, role of the machine. */
  readonly credentials?: S3Credentials | undefined;
  /** Bucket in the path instead of the host name. Defaults to true with `endpoint`, else to false. */
  readonly forcePathStyle?: boolean | undefined;
}

export interface S3Settings extends Omit<S3StorageOptions, keyof StorageOptions> {
  readonly prefix: string;
}

/** AWS: 3 to 63 lower-case letters, digits, dots and hyphens. Other stores and ARNs of access points allow more. */
const BUCKET: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:/-]{2,255}$/;
const OF_A_CLIENT = ["region", "endpoint", "credentials", "forcePathStyle"] as const;

/**
 * @param nameOf what the caller knows an option by
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION`; quotes no credentials
 */
export function checkS3Options(
  options: S3StorageOptions,
  nameOf: (option: keyof S3StorageOptions) => string = optionName,
): S3Settings {
  const { bucket, prefix = "", client, region, endpoint, credentials, forcePathStyle } = options;
  const refuse = (option: keyof S3StorageOptions, takes: string): never => {
    throw new ConfigError("ERR_CONFIG_OPTION", `${nameOf(option)} takes ${takes}.`);
  };
  if (typeof bucket !== "string" || !BUCKET.test(bucket)) refuse("bucket", "the name of a bucket");
  if (!isPrefix(prefix)) refuse("prefix", 'the beginning of keys with a slash at its end: "prod/"');
  if (client !== undefined) {
    if (typeof client?.send !== "function") refuse("client", "an S3Client of @aws-sdk/client-s3");
    const others = OF_A_CLIENT.filter((name) => options[name] !== undefined);
    if (others.length > 0) refuse("client", `no ${others.join(", ")} beside it: set them on it`);
  }
  if (region !== undefined && !/^[a-z0-9-]+$/i.test(region))
    refuse("region", 'one like "eu-central-1"');
  if (endpoint !== undefined && !isEndpoint(endpoint)) {
    refuse("endpoint", "an http or https URL without credentials, query and fragment");
  }
  if (credentials !== undefined && !areCredentials(credentials)) {
    refuse("credentials", "accessKeyId and secretAccessKey, both non-empty");
  }
  if (forcePathStyle !== undefined && typeof forcePathStyle !== "boolean") {
    refuse("forcePathStyle", "true or false");
  }
  return { bucket, prefix, client, region, endpoint, credentials, forcePathStyle };
}

function optionName(option: string): string {
  return `Option ${option} of an S3 storage`;
}

function isPrefix(prefix: unknown): boolean {
  if (prefix === "") return true;
  if (typeof prefix !== "string" || !prefix.endsWith("/")) return false;
  const folder = prefix.slice(0, -1);
  try {
    return checkKey(folder) === folder;
  } catch {
    return false;
  }
}

function isEndpoint(endpoint: unknown): boolean {
  if (typeof endpoint !== "string" || !URL.canParse(endpoint)) return false;
  const { protocol, username, password, search, hash } = new URL(endpoint);
  return (
    /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === "")
  );
}

function areCredentials({ accessKeyId, secretAccessKey, sessionToken }: S3Credentials): boolean {
  const isText = (value: unknown): boolean => typeof value === "string" && value.trim() !== "";
  return (
    isText(accessKeyId) &&
    isText(secretAccessKey) &&
    (sessionToken === undefined || isText(sessionToken))
  );
}
