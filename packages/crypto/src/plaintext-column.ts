// Values that stand unencrypted in a column, during a migration or after `insecure-store-plaintext`.
import type { Encoded, ValueCodec } from "./codecs/codec.ts";
import { parseEnvelope } from "./envelope.ts";
import { EncryptionError } from "./errors.ts";
import { asBuffer, type StorageForm, type Stored, type StoredInput } from "./stored-form.ts";

/**
 * The stored plaintext of a value: as the plain column held it, so the inner bytes of the legacy layout.
 * Refuses what would be taken for an envelope when read back.
 */
export function toStoredPlaintext(value: Encoded, form: StorageForm, where: string): Stored {
  const stored =
    form === "text" && typeof value === "string" ? value : Buffer.from(value as string);
  if (parseEnvelope(stored) !== undefined) {
    throw new EncryptionError(
      "ERR_VALUE_ENCODING",
      `${where}: a value that looks like an envelope cannot be stored as plaintext.`,
    );
  }
  return stored;
}

/** Undefined when the stored value is not plaintext of this type. */
export function readStoredPlaintext<T>(stored: StoredInput, codec: ValueCodec<T>): T | undefined {
  const bytes = typeof stored === "string" ? Buffer.from(stored, "utf8") : asBuffer(stored);
  return codec.readLegacy(bytes, 0, bytes.length);
}
