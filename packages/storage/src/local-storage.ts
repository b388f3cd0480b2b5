// Encrypted objects as files below one folder.
import { ConfigError } from "@fieldseal/crypto";
import { BackendStorage } from "./backend-storage.ts";
import type { StorageOptions } from "./contract.ts";
import { LocalBackend } from "./local-backend.ts";

export interface LocalStorageOptions extends StorageOptions {
  /** The folder; made with mode 0700 if missing. Nothing outside of it is touched. */
  readonly path: string;
  /**
   * `"full"` survives a power failure as soon as `put` has returned (fsync of file and folder); `"none"` leaves that to
   * the system. Objects are whole or not there either way. Defaults to `"full"`.
   */
  readonly durability?: "full" | "none";
}

/**
 * Encrypted files on disk: mode 0600, written beside their place and renamed into it.
 *
 * @example
 * ```ts
 * const storage = new EncryptedLocalStorage({ path: "./storage" });
 * await storage.put("frames/0001.jpg", photo, { contentType: "image/jpeg" });
 * const { stream } = await storage.get("frames/0001.jpg");
 * ```
 */
export class EncryptedLocalStorage extends BackendStorage {
  /** @throws {@link ConfigError} `ERR_CONFIG_OPTION` */
  constructor(options: LocalStorageOptions) {
    const { path, durability = "full", ...common } = options;
    if (typeof path !== "string" || path.trim() === "") {
      throw new ConfigError("ERR_CONFIG_OPTION", "Option path of a local storage takes a folder.");
    }
    if (!["full", "none"].includes(durability)) {
      throw new ConfigError("ERR_CONFIG_OPTION", 'Option durability takes "full" or "none".');
    }
    super(new LocalBackend({ path, durability }), common);
  }
}
