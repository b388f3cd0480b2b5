// The public surface of @fieldseal/sequelize.
export { addEnvelopeCheck, encryptedColumns, removeEnvelopeCheck } from "./encrypted-columns.ts";
export {
  EncryptedBase64Type,
  EncryptedBinaryType,
  EncryptedJSONType,
  EncryptedType,
  type EncryptedTypeConstructor,
} from "./encrypted-types.ts";
export {
  fieldseal,
  fieldsealEverywhere,
  type FieldsealOptions,
  type SequelizeClass,
} from "./plugin.ts";
export { decryptValue, encryptValue, searchValues } from "./raw-queries.ts";
