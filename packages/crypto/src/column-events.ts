// What a column tells diagnostics channels.
import { channels, type CryptEvent, type FailureEvent, type InsecureEvent } from "./channels.ts";
import type { ColumnContext } from "./context.ts";
import type { ErrorCode } from "./errors.ts";

export class ColumnEvents {
  readonly #table: string;
  readonly #column: string;

  constructor(context: ColumnContext) {
    this.#table = context.table;
    this.#column = context.column;
  }

  encrypted(keyId: string, count: number): void {
    if (!channels.encrypt.hasSubscribers) return;
    const event: CryptEvent = { table: this.#table, column: this.#column, keyId, count };
    channels.encrypt.publish(event);
  }

  decrypted(keyId: string | undefined, count: number): void {
    if (!channels.decrypt.hasSubscribers) return;
    const event: CryptEvent = { table: this.#table, column: this.#column, keyId, count };
    channels.decrypt.publish(event);
  }

  insecure(reason: InsecureEvent["reason"]): void {
    if (!channels.insecure.hasSubscribers) return;
    const event: InsecureEvent = { table: this.#table, column: this.#column, reason, count: 1 };
    channels.insecure.publish(event);
  }

  failed(operation: FailureEvent["operation"], error: unknown): void {
    if (!channels.failure.hasSubscribers) return;
    const { code, keyId } = error as { code?: ErrorCode; keyId?: string };
    const event: FailureEvent = {
      operation,
      table: this.#table,
      column: this.#column,
      code,
      keyId,
    };
    channels.failure.publish(event);
  }
}
