// Run by crash.test.ts and killed at some moment: puts or rewraps each object of a store over and over, all at once.
import { EncryptedLocalStorage } from "@fieldseal/storage";
import { Keyring } from "@fieldseal/crypto";
import { contentOf } from "./crash-content.ts";

const [folder = "", action = "", firstKey = "", secondKey = "", ...objects] = process.argv.slice(2);

const storages = [
  [firstKey, secondKey],
  [secondKey, firstKey],
].map(([primary = "", previous = ""]) => {
  const keyring = Keyring.fromKey(primary, { previous: [previous] });
  return new EncryptedLocalStorage({ path: folder, keyring });
});

let untouched = objects.length;
await Promise.all(objects.map(workOn));

async function workOn(key: string): Promise<never> {
  for (let i = 0; ; i++) {
    const storage = storages[i % 2] as EncryptedLocalStorage;
    if (action === "put")
      await storage.put(key, contentOf(i), { metadata: { version: String(i) } });
    else await storage.rewrap(key);
    // On a busy machine it takes a while until all of them are at work.
    if (i === 0 && --untouched === 0) process.send?.("working");
  }
}
