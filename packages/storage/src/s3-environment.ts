// The S3 storage that environment variables describe.
import { ConfigError, type Environment } from "@fieldseal/crypto";
import { checkS3Options, type S3StorageOptions } from "./s3-options.ts";

const VARIABLES: Partial<Record<keyof S3StorageOptions, string>> = {
  bucket: "S3_BUCKET",
  prefix: "S3_PREFIX",
  region: "S3_REGION",
  endpoint: "S3_ENDPOINT",
  forcePathStyle: "S3_FORCE_PATH_STYLE",
};
const CREDENTIALS = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_SESSION_TOKEN"] as const;
/** All that {@link readS3Environment} reads. */
export const S3_VARIABLES: readonly string[] = [...Object.values(VARIABLES), ...CREDENTIALS];

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` naming the variable, never its value where that is a secret */
export function readS3Environment(environment: Environment): S3StorageOptions {
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined;
  const bucket = read("S3_BUCKET");
  if (bucket === undefined) {
    throw variableError(
      'STORAGE_TYPE is "s3", but S3_BUCKET is not set. Set it to the name of the bucket.',
    );
  }
  const accessKeyId = read("S3_ACCESS_KEY_ID");
  const secretAccessKey = read("S3_SECRET_ACCESS_KEY");
  const sessionToken = read("S3_SESSION_TOKEN");
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw variableError(
      "One of S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY is set. Set both, or none to use what the AWS SDK finds.",
    );
  }
  if (sessionToken !== undefined && accessKeyId === undefined) {
    throw variableError(
      "S3_SESSION_TOKEN is set without S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.",
    );
  }
  const options: S3StorageOptions = {
    bucket,
    prefix: read("S3_PREFIX"),
    region: read("S3_REGION"),
    endpoint: read("S3_ENDPOINT"),
    forcePathStyle: readSwitch("S3_FORCE_PATH_STYLE", read("S3_FORCE_PATH_STYLE")),
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey, sessionToken },
  };
  checkS3Options(options, (option) => VARIABLES[option] ?? CREDENTIALS.join(", "));
  return options;
}

function readSwitch(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined || value === "true" || value === "false") {
    return value === undefined ? undefined : value === "true";
  }
  throw variableError(`${name} takes "true" or "false".`);
}

function variableError(message: string): ConfigError {
  return new ConfigError("ERR_CONFIG_OPTION", message);
}
