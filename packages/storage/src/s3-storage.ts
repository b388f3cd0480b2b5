// Encrypted objects in a bucket of S3, or of a store that speaks its protocol.
import { BackendStorage } from "./backend-storage.ts";
import { S3Backend } from "./s3-backend.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { checkS3Options, type S3StorageOptions } from "./s3-options.ts";

/**
 * Encrypted objects in S3. Needs `@aws-sdk/client-s3`, which is loaded with the first call.
 *
 * @example
 * ```ts
 * const storage = new EncryptedS3Storage({ bucket: "clips", region: "eu-central-1" });
 * await storage.put("clips/7.mp4", createReadStream("7.mp4"), { contentType: "video/mp4" });
 * const { stream } = await storage.get("clips/7.mp4", { range: { start: 1_000_000 } });
 * ```
 */
export class EncryptedS3Storage extends BackendStorage {
  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(options: S3StorageOptions) {
    const { bucket, prefix, client, region, endpoint, credentials, forcePathStyle, ...common } =
      options;
    const place = { bucket, prefix, client, region, endpoint, credentials, forcePathStyle };
    super(new S3Backend(new S3Bucket(checkS3Options(place))), common);
  }
}
