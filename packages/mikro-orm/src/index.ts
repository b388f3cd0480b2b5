// The public surface of @fieldseal/mikro-orm.
export { BlindIndexType } from "./blind-index-type.ts";
export { fieldseal, type FieldsealOptions } from "./configuration.ts";
export {
  encryptedColumns,
  envelopeCheck,
  type AnyMikroORM,
  type EnvelopeCheck,
} from "./encrypted-columns.ts";
export {
  EncryptedBase64Type,
  EncryptedBinaryType,
  EncryptedJSONType,
  EncryptedType,
} from "./encrypted-types.ts";
export { EncryptedCacheAdapter, type EncryptedCacheOptions } from "./result-cache.ts";
export { decryptValue, encryptValue, searchValues, type PropertyReference } from "./raw-queries.ts";
