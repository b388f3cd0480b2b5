// Run by local-attacks.test.ts: encrypts one object anew, over and over, until it is killed.
import { Keyring } from "@fieldseal/crypto";
import { EncryptedLocalStorage } from "@fieldseal/storage";

const [path = "", rootKey = "", key = ""] = process.argv.slice(2);
const keyring = Keyring.fromKey(rootKey);
const storage = new EncryptedLocalStorage({ path, keyring, durability: "none" });
for (let i = 0; ; i++) {
  await storage.reencrypt(key).catch((error: { code?: unknown }) => {
    if (error.code !== "ERR_STORAGE_CHANGED") throw error;
  });
  if (i === 0) process.send?.("working");
}
