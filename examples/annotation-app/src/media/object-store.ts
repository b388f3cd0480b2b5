// Where pictures and clips are kept, encrypted, and how an older application had left its files there.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KeyringInput } from "@fieldseal/crypto";
import { EncryptedLocalStorage, type EncryptedStorage } from "@fieldseal/storage";
import type { PlaintextMode } from "../database/column-options.ts";
import type { PlainFiles } from "../seed/legacy-data.ts";

export function openObjectStore(
  folder: string,
  keyring: KeyringInput,
  plaintext: PlaintextMode,
): EncryptedStorage {
  return new EncryptedLocalStorage({ path: folder, keyring, plaintext });
}

/** Files as they are, each beside a JSON file that describes it: the layout of the older application. */
export function plainFilesIn(folder: string): PlainFiles {
  return {
    async put(key, content, contentType, fileName) {
      const path = join(folder, key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, content, { mode: 0o600 });
      const about = { encrypted: false, "content-type": contentType, filename: fileName };
      await writeFile(`${path}.json`, JSON.stringify(about), { mode: 0o600 });
    },
  };
}
