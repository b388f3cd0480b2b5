// One bucket, or what is below a prefix in it: the AWS SDK is loaded and called here, and its errors become ours.
import type * as Sdk from "@aws-sdk/client-s3";
import { ConfigError, StorageError } from "@fieldseal/crypto";
import { s3Error } from "./s3-errors.ts";
import type { S3Settings } from "./s3-options.ts";

/** Of S3. */
const MAX_KEY_BYTES = 1024;
/** A store that does not answer must not hold a caller for ever. */
const CONNECT_MS = 10_000;
const SILENCE_MS = 120_000;

export interface S3 {
  readonly client: Sdk.S3Client;
  readonly sdk: typeof Sdk;
  /** Not AWS, so that not every condition of S3 is known to work. */
  readonly isCustomEndpoint: boolean;
}

export interface Attempt {
  /** What is being done, for messages: "reading", "writing". */
  readonly action: string;
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
}

export class S3Bucket {
  readonly name: string;
  readonly prefix: string;
  readonly #settings: S3Settings;
  #connection: Promise<S3> | undefined;

  constructor(settings: S3Settings) {
    this.#settings = settings;
    this.name = settings.bucket;
    this.prefix = settings.prefix;
  }

  /** @throws {@link StorageError} `ERR_STORAGE_KEY` when the prefix makes the key too long */
  at(key: string): { readonly Bucket: string; readonly Key: string } {
    const stored = this.prefix + key;
    if (Buffer.byteLength(stored) > MAX_KEY_BYTES) {
      throw new StorageError(
        "ERR_STORAGE_KEY",
        `The key is not allowed: with the prefix it is longer than ${MAX_KEY_BYTES} bytes.`,
        { objectKey: key },
      );
    }
    return { Bucket: this.name, Key: stored };
  }

  /** For CopyObject, which takes it URL-encoded, and through an access point as the ARN of the object. */
  copySource(key: string): string {
    const isAccessPoint = /^arn:[^:]+:s3:/.test(this.name);
    const source = `${this.name}${isAccessPoint ? "/object" : ""}/${this.at(key).Key}`;
    return source.split("/").map(encodeURIComponent).join("/");
  }

  /** Calls the store; the reason of an abort comes as it is, all else as a StorageError. */
  async run<T>({ action, key, signal }: Attempt, call: (s3: S3) => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await call(await this.connect());
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason as Error;
      throw s3Error(error, action, key);
    }
  }

  /** @throws {@link ConfigError} `ERR_CONFIG_NOT_INSTALLED` */
  connect(): Promise<S3> {
    return (this.#connection ??= connect(this.#settings));
  }
}

async function connect(settings: S3Settings): Promise<S3> {
  const sdk = await loadSdk();
  const client = (settings.client as Sdk.S3Client | undefined) ?? makeClient(sdk, settings);
  const { isCustomEndpoint = false } = client.config as { readonly isCustomEndpoint?: boolean };
  return { client, sdk, isCustomEndpoint };
}

/** Only here, so that nobody who keeps files on disk needs the SDK. */
async function loadSdk(): Promise<typeof Sdk> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code?.endsWith("MODULE_NOT_FOUND") !== true) throw cause;
    throw new ConfigError(
      "ERR_CONFIG_NOT_INSTALLED",
      "An S3 storage needs the AWS SDK: npm install @aws-sdk/client-s3",
      { cause },
    );
  }
}

function makeClient(sdk: typeof Sdk, settings: S3Settings): Sdk.S3Client {
  const { region, endpoint, credentials, forcePathStyle = endpoint !== undefined } = settings;
  const isAws = endpoint === undefined;
  return new sdk.S3Client({
    ...(region !== undefined || !isAws ? { region: region ?? "us-east-1" } : {}),
    ...(!isAws && { endpoint }),
    ...(credentials && {
      credentials: { ...credentials } as Sdk.S3ClientConfig["credentials"] & {},
    }),
    forcePathStyle,
    // AWS checks what it receives; other stores may refuse the SDK's checksums (Ceph 16: 411 for streams).
    ...(!isAws && { requestChecksumCalculation: "WHEN_REQUIRED" }),
    // What is read is authenticated.
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
  });
}
