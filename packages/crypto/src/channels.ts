// What operators can listen to with node:diagnostics_channel: counts, columns and key ids, never values.
// A channel without subscribers costs one property read.
import { channel, type Channel } from "node:diagnostics_channel";
import type { ErrorCode } from "./errors.ts";
import type { KeyStatus } from "./key.ts";
import type { Keyring } from "./keyring.ts";

export const channels = {
  /** {@link CryptEvent}: values were encrypted. */
  encrypt: channel("fieldseal:encrypt"),
  /** {@link CryptEvent}: values were decrypted. */
  decrypt: channel("fieldseal:decrypt"),
  /** {@link FailureEvent}: a value could not be encrypted or decrypted. */
  failure: channel("fieldseal:failure"),
  /** {@link InsecureEvent}: something happened that weakens protection, by a column's explicit option. */
  insecure: channel("fieldseal:insecure"),
  /** {@link KeyEvent}: a keyring was loaded or changed. */
  key: channel("fieldseal:key"),
  /** Published by `@fieldseal/migrate`. */
  migrate: channel("fieldseal:migrate"),
  /** Published by `@fieldseal/storage`. */
  storage: channel("fieldseal:storage"),
} satisfies Record<string, Channel>;

export interface CryptEvent {
  readonly table: string;
  readonly column: string;
  /** Undefined for the legacy layout and for plaintext, which name no key. */
  readonly keyId: string | undefined;
  readonly count: number;
}

export interface FailureEvent {
  readonly operation: "encrypt" | "decrypt";
  readonly table: string;
  readonly column: string;
  readonly code: ErrorCode | undefined;
  readonly keyId: string | undefined;
}

export interface InsecureEvent {
  readonly table: string;
  readonly column: string;
  readonly reason: "plaintext-stored" | "plaintext-read" | "legacy-stored" | "legacy-read";
  readonly count: number;
}

export interface KeyEvent {
  readonly action: "loaded" | "configured";
  readonly keys: readonly { readonly id: string; readonly status: KeyStatus }[];
}

/** Tells subscribers which keys a keyring has. */
export function publishKeys(action: KeyEvent["action"], keyring: Keyring): void {
  if (!channels.key.hasSubscribers) return;
  const event: KeyEvent = { action, keys: keyring.keys.map(({ id, status }) => ({ id, status })) };
  channels.key.publish(event);
}
