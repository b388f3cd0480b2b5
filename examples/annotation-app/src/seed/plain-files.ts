// How an older application had left its files: as they are, in a folder or a bucket, each with a note that it is not encrypted.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { Environment } from "../config/configuration.ts";

export interface PlainFile {
  readonly key: string;
  readonly content: Buffer;
  readonly contentType: string;
  readonly fileName: string;
}

/** Where the older application kept its files. */
export interface PlainFiles {
  put(file: PlainFile): Promise<void>;
  close(): void;
}

export function openPlainFiles(environment: Environment): PlainFiles {
  return environment.STORAGE_TYPE === "s3"
    ? plainObjects(environment)
    : plainFiles(environment.STORAGE_PATH ?? "");
}

/** Each file lies beside a JSON file that describes it. */
function plainFiles(folder: string): PlainFiles {
  return {
    async put({ key, content, contentType, fileName }) {
      const path = join(folder, key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, content, { mode: 0o600 });
      const about = { encrypted: false, "content-type": contentType, filename: fileName };
      await writeFile(`${path}.json`, JSON.stringify(about), { mode: 0o600 });
    },
    close() {},
  };
}

/** The client that the encrypted storage makes of the same variables knows no plain objects. */
function plainObjects(environment: Environment): PlainFiles {
  const { S3_BUCKET: bucket, S3_PREFIX: prefix = "", S3_ENDPOINT: endpoint } = environment;
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  const { S3_SESSION_TOKEN: sessionToken, S3_FORCE_PATH_STYLE: pathStyle } = environment;
  const region = environment.S3_REGION ?? (endpoint === undefined ? undefined : "us-east-1");
  const client = new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: pathStyle === undefined ? endpoint !== undefined : pathStyle === "true",
    ...(accessKeyId !== undefined && secretAccessKey !== undefined
      ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
      : {}),
  });
  return {
    async put({ key, content, contentType, fileName }) {
      await client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: `${prefix}${key}`,
          Body: content,
          ContentType: contentType,
          Metadata: { encrypted: "false", "content-type": contentType, filename: fileName },
        }),
      );
    },
    close: () => client.destroy(),
  };
}
