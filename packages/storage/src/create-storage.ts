// The storage that the environment describes: one line of code for development on disk and production on S3.
import { ConfigError, type Environment } from "@fieldseal/crypto";
import type { EncryptedStorage, StorageOptions } from "./contract.ts";
import { EncryptedLocalStorage } from "./local-storage.ts";
import { checkS3Options, type S3StorageOptions } from "./s3-options.ts";
import { EncryptedS3Storage } from "./s3-storage.ts";

const DEFAULT_PATH = "./storage";
const VARIABLES: Partial<Record<keyof S3StorageOptions, string>> = {
  bucket: "S3_BUCKET",
  prefix: "S3_PREFIX",
  region: "S3_REGION",
  endpoint: "S3_ENDPOINT",
  forcePathStyle: "S3_FORCE_PATH_STYLE",
};
const CREDENTIALS = ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_SESSION_TOKEN"] as const;
const S3_VARIABLES: readonly string[] = [...Object.values(VARIABLES), ...CREDENTIALS];

/**
 * - `STORAGE_TYPE`: `local` or `s3`. Defaults to `local`.
 * - `STORAGE_PATH`: the folder of `local`. Defaults to `./storage`.
 * - `S3_BUCKET`: required for `s3`.
 * - `S3_PREFIX`: put before every key, ending in a slash. Defaults to none.
 * - `S3_REGION`: Defaults to what the AWS SDK finds; with `S3_ENDPOINT` to `us-east-1`.
 * - `S3_ENDPOINT`: URL of a store that is not AWS. Defaults to AWS.
 * - `S3_ACCESS_KEY_ID`, `S3_SECRET_ACCESS_KEY`, `S3_SESSION_TOKEN`: Default to what the AWS SDK finds.
 * - `S3_FORCE_PATH_STYLE`: `true` or `false`. Defaults to `true` with `S3_ENDPOINT`, else to `false`.
 *
 * A variable set to nothing but white space is not set. Variables of the type that is not chosen are refused: they show
 * that something else was meant.
 *
 * @example
 * ```ts
 * const storage = await createEncryptedStorage(process.env);
 * ```
 * @throws {@link ConfigError} `ERR_CONFIG_OPTION`
 */
export async function createEncryptedStorage(
  environment: Environment = process.env,
  options: StorageOptions = {},
): Promise<EncryptedStorage> {
  const type = read(environment, "STORAGE_TYPE") ?? "local";
  if (type === "local") {
    refuseOthers(environment, S3_VARIABLES, 'STORAGE_TYPE is "local" or not set');
    const path = read(environment, "STORAGE_PATH") ?? DEFAULT_PATH;
    return new EncryptedLocalStorage({ ...options, path });
  }
  if (type === "s3") {
    refuseOthers(environment, ["STORAGE_PATH"], 'STORAGE_TYPE is "s3"');
    return new EncryptedS3Storage({ ...options, ...readS3Environment(environment) });
  }
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `STORAGE_TYPE is ${JSON.stringify(type)}; it takes "local" or "s3".`,
  );
}

function read(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || undefined;
}

function refuseOthers(environment: Environment, names: readonly string[], but: string): void {
  const others = names.filter((name) => read(environment, name) !== undefined);
  if (others.length === 0) return;
  throw new ConfigError(
    "ERR_CONFIG_OPTION",
    `${others.toSorted().join(", ")} ${others.length === 1 ? "is" : "are"} set, but ${but}. Set the right type, or unset the rest.`,
  );
}

/** @throws {@link ConfigError} `ERR_CONFIG_OPTION` naming the variable, never its value where that is a secret */
function readS3Environment(environment: Environment): S3StorageOptions {
  const bucket = read(environment, "S3_BUCKET");
  if (bucket === undefined) {
    throw variableError(
      'STORAGE_TYPE is "s3", but S3_BUCKET is not set. Set it to the name of the bucket.',
    );
  }
  const accessKeyId = read(environment, "S3_ACCESS_KEY_ID");
  const secretAccessKey = read(environment, "S3_SECRET_ACCESS_KEY");
  const sessionToken = read(environment, "S3_SESSION_TOKEN");
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
    prefix: read(environment, "S3_PREFIX"),
    region: read(environment, "S3_REGION"),
    endpoint: read(environment, "S3_ENDPOINT"),
    forcePathStyle: readSwitch("S3_FORCE_PATH_STYLE", read(environment, "S3_FORCE_PATH_STYLE")),
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
