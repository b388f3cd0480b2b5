// Encrypts the files of the older application where they stand.
import type { EncryptedStorage } from "@fieldseal/storage";
import type { Reporter } from "../terminal.ts";

/**
 * @param storage that accepts plaintext
 * @throws Error when a file is left that is not encrypted, or does not open to its last byte
 */
export async function encryptFiles(
  storage: EncryptedStorage,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<void> {
  const plain: string[] = [];
  for await (const { key, state } of storage.verify({ depth: "envelope" })) {
    if (state === "plaintext") plain.push(key);
  }
  if (plain.length === 0) return;
  for (const [i, key] of plain.entries()) {
    signal?.throwIfAborted();
    await storage.reencrypt(key);
    reporter.progress("Encrypting files", i + 1, plain.length);
  }
  const bad: string[] = [];
  for await (const { key, state } of storage.verify()) {
    if (state !== "ok" && state !== "old-key") bad.push(`  ${key}: ${state}`);
  }
  if (bad.length > 0) throw new Error(`Not every file is encrypted:\n${bad.join("\n")}`);
  reporter.step(`Verified: ${plain.length} files open to their last byte, and none is plaintext`);
}
