// Counts what the package did while a function ran, by listening to its own diagnostics channels.
import { channels, type CryptEvent } from "../channels.ts";

export interface OperationCounts {
  encryptions: number;
  decryptions: number;
}

/**
 * Runs `action` and counts the values that were encrypted and decrypted in this process meanwhile.
 *
 * @example
 * ```ts
 * const { counts } = await countOperations(() => user.save());
 * assert.equal(counts.encryptions, 0);
 * ```
 */
export async function countOperations<T>(
  action: () => T | Promise<T>,
): Promise<{ readonly result: T; readonly counts: OperationCounts }> {
  const counts: OperationCounts = { encryptions: 0, decryptions: 0 };
  const onEncrypt = (event: unknown): void =>
    void (counts.encryptions += (event as CryptEvent).count);
  const onDecrypt = (event: unknown): void =>
    void (counts.decryptions += (event as CryptEvent).count);
  channels.encrypt.subscribe(onEncrypt);
  channels.decrypt.subscribe(onDecrypt);
  try {
    return { result: await action(), counts };
  } finally {
    channels.encrypt.unsubscribe(onEncrypt);
    channels.decrypt.unsubscribe(onDecrypt);
  }
}
