// The public surface of @fieldseal/crypto. Raw keys: ./unsafe. Test kit for adapters: ./testing.
export {
  decryptBytes,
  decryptString,
  encryptBytes,
  encryptString,
  type CryptOptions,
  type EncryptOptions,
} from "./api.ts";
export { BlindIndex, MAX_INDEX_CANDIDATES, type BlindIndexOptions } from "./blind-index.ts";
export {
  channels,
  type CryptEvent,
  type FailureEvent,
  type InsecureEvent,
  type KeyEvent,
} from "./channels.ts";
export { base64Codec } from "./codecs/base64.ts";
export { codecsByType, type ColumnType } from "./codecs/by-type.ts";
export { bytesCodec } from "./codecs/bytes.ts";
export type { Encoded, ValueCodec } from "./codecs/codec.ts";
export { jsonCodec } from "./codecs/json.ts";
export { textCodec } from "./codecs/text.ts";
export { ColumnCipher, type ColumnDefinition } from "./column-cipher.ts";
export type { EncryptionOptions, LegacyOptions } from "./column-options.ts";
export type { ColumnContext, ContextInput } from "./context.ts";
export type { EncryptedColumn } from "./encrypted-column.ts";
export { envelopeCondition } from "./envelope-condition.ts";
export { databaseName, envelopeConstraintName } from "./envelope-constraint.ts";
export {
  formatKeyId,
  isMalformedEnvelope,
  parseEnvelope,
  parseTextPrefix,
  SUITE_NAMES,
  TEXT_PREFIX,
  textPrefix,
  type ContentType,
  type EnvelopeHeader,
  type SuiteName,
} from "./envelope.ts";
export {
  ConfigError,
  DecryptError,
  EncryptionError,
  KeyError,
  MigrationError,
  StorageError,
  UnsupportedQueryError,
  ValueRangeError,
  ValueTypeError,
  type ErrorCode,
  type PrimaryKey,
} from "./errors.ts";
export type { Key, KeyStatus } from "./key.ts";
export {
  keyringFromEnvironment,
  keyringFromKeysetFile,
  loadKeyring,
  wrappedKeysetSource,
  type Environment,
  type KeySource,
  type WrappedKeysetOptions,
} from "./key-source.ts";
export { Keyring, type KeyringInput } from "./keyring.ts";
export {
  keyringFromKeyset,
  parseKeyset,
  wrapKeyset,
  type KeysetEntry,
  type KeysetJson,
  type KeyWrapper,
} from "./keyset.ts";
export type { Normalizer, NormalizerName } from "./normalize.ts";
export type { PadOption } from "./padding.ts";
export {
  planBlindIndex,
  type BlindIndexPlan,
  type BlindIndexPopulation,
} from "./plan-blind-index.ts";
export { configure, defaultKeyring } from "./process-default.ts";
export { queryRefusal } from "./query-refusal.ts";
export { generateRootKey, type RootKeyInput } from "./root-key.ts";
export type { StorageForm, Stored, StoredInput } from "./stored-form.ts";
