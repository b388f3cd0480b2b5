// Columns and keyrings as tests need them.
import {
  ColumnCipher,
  generateRootKey,
  Keyring,
  textCodec,
  type EncryptionOptions,
  type KeyringInput,
  type ValueCodec,
} from "../src/index.ts";

export function newKeyring(): Keyring {
  return Keyring.fromKey(generateRootKey());
}

export function columnOf<T>(
  codec: ValueCodec<T>,
  keyring: KeyringInput,
  options: EncryptionOptions = {},
): ColumnCipher<T> {
  return new ColumnCipher({
    codec,
    label: "User.email",
    options,
    defaultContext: { table: "users", column: "email" },
    defaultKeyring: keyring,
  });
}

export function textColumn(
  keyring: KeyringInput,
  options: EncryptionOptions = {},
): ColumnCipher<string> {
  return columnOf(textCodec, keyring, options);
}

/** What a call threw. Fails when it returned. */
export function thrownBy(action: () => unknown): Error & Record<string, unknown> {
  try {
    action();
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error("Nothing was thrown.");
}
