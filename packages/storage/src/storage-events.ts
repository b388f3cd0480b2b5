// What operators can listen to on the channel `fieldseal:storage`: operations and keys of objects, never content,
// file names or types.
import { channels, EncryptionError, type ErrorCode } from "@fieldseal/crypto";

export type StorageOperation =
  | "put"
  | "get"
  | "open"
  | "head"
  | "copy"
  | "move"
  | "delete"
  | "tag"
  | "rewrap"
  | "reencrypt";

/** Published on `channels.storage` after every operation. */
export interface StorageEvent {
  readonly operation: StorageOperation;
  readonly objectKey: string;
  readonly durationMs: number;
  readonly outcome: "ok" | "failed";
  /** Of the error, where it is one of ours. */
  readonly code: ErrorCode | undefined;
}

export async function publishing<T>(
  operation: StorageOperation,
  objectKey: string,
  run: () => Promise<T>,
): Promise<T> {
  if (!channels.storage.hasSubscribers) return run();
  const start = performance.now();
  const publish = (outcome: StorageEvent["outcome"], code?: ErrorCode): void => {
    const durationMs = performance.now() - start;
    const event: StorageEvent = { operation, objectKey, durationMs, outcome, code };
    channels.storage.publish(event);
  };
  try {
    const result = await run();
    publish("ok");
    return result;
  } catch (error) {
    publish("failed", error instanceof EncryptionError ? error.code : undefined);
    throw error;
  }
}
