// The four data types. They know how a column is declared; keys and tables come in when a model is used.
import {
  base64Codec,
  bytesCodec,
  jsonCodec,
  textCodec,
  type ColumnCipher,
  type EncryptionOptions,
  type StorageForm,
  type ValueCodec,
} from "@fieldseal/crypto";
import type { AbstractDataType, AbstractDataTypeConstructor } from "sequelize";
import { cipherOf, ENCRYPTED_TYPE, type EncryptedTypeInstance } from "./installation.ts";
import { Sealed } from "./sealed.ts";
import { type TypeContext } from "./query-internals.ts";
import { dialectTypesOf, RawAbstract } from "./sequelize-internals.ts";

/** SQL types that hold a base64 text or bytes of any length. */
const SQL_TYPES: Record<string, Record<StorageForm, string>> = {
  postgres: { text: "TEXT", binary: "BYTEA" },
  sqlite: { text: "TEXT", binary: "BLOB" },
  mysql: { text: "LONGTEXT", binary: "LONGBLOB" },
  mariadb: { text: "LONGTEXT", binary: "LONGBLOB" },
  mssql: { text: "VARCHAR(MAX)", binary: "VARBINARY(MAX)" },
};

/** What all four are. */
export abstract class EncryptedDataType extends RawAbstract implements EncryptedTypeInstance {
  readonly [ENCRYPTED_TYPE] = true;
  abstract readonly codec: ValueCodec<unknown>;
  readonly options: EncryptionOptions;
  readonly #dialect: string;
  // Sequelize asks types for it: the result of `stringify` still needs quoting.
  readonly escape: boolean = true;

  constructor(options: EncryptionOptions = {}, dialect = "postgres") {
    super();
    this.options = options;
    this.#dialect = dialect;
  }

  get storage(): StorageForm {
    return this.options.storage ?? this.codec.storage;
  }

  override toSql(): string {
    return (SQL_TYPES[this.#dialect] ?? SQL_TYPES.postgres)![this.storage];
  }

  /** Called with `typeValidation: true`. Throws without the value, unlike Sequelize's own types. */
  validate(
    value: unknown,
    context?: { readonly field?: { readonly fieldName?: string } },
  ): boolean {
    this.codec.encode(value, context?.field?.fieldName ?? this.key);
    return true;
  }

  _stringify(value: unknown, context: TypeContext): string | Buffer {
    return value instanceof Sealed ? value.stored : cipherFor(context).seal(value);
  }

  _bindParam(value: unknown, context: TypeContext): string {
    return context.bindParam!(this._stringify(value, context));
  }
}

function cipherFor(context: TypeContext): ColumnCipher<unknown> {
  return cipherOf(context.field);
}

/** Usable as `Type`, `Type()`, `Type({...})` and `new Type({...})`, as Sequelize's own types are. */
export interface EncryptedTypeConstructor extends AbstractDataTypeConstructor {
  new (options?: EncryptionOptions): AbstractDataType & EncryptedDataType;
  (options?: EncryptionOptions): AbstractDataType & EncryptedDataType;
}

const definedKeys = new Set<string>();

/** Only for this file and its tests. */
export function defineType(name: string, codec: ValueCodec<unknown>): EncryptedTypeConstructor {
  // A key of its own, or Sequelize takes the type for its namesake and stores plaintext (normalizeDataType).
  // And not of the content, which several types may have: the later would convert the columns of the earlier.
  const key = `FIELDSEAL_${name.toUpperCase()}`;
  if (definedKeys.has(key)) throw new TypeError(`There is a type ${name} already.`);
  definedKeys.add(key);
  class EncryptedColumnType extends EncryptedDataType {
    static readonly key = key;
    readonly codec = codec;
  }
  EncryptedColumnType.prototype.key = key;
  Object.defineProperty(EncryptedColumnType, "name", { value: name });
  for (const dialect of Object.keys(SQL_TYPES)) {
    dialectTypesOf(dialect)[key] = {
      extend: (type) => new EncryptedColumnType((type as EncryptedDataType).options, dialect),
    };
  }
  return new Proxy(EncryptedColumnType, {
    apply: (Type, _this, [options]: [EncryptionOptions?]) => new Type(options),
  }) as unknown as EncryptedTypeConstructor;
}

/** Text. Stored as base64 in TEXT. */
export const EncryptedType: EncryptedTypeConstructor = defineType("EncryptedType", textCodec);
/** Any JSON value. Stored as base64 in TEXT. */
export const EncryptedJSONType: EncryptedTypeConstructor = defineType(
  "EncryptedJSONType",
  jsonCodec,
);
/** A Buffer or Uint8Array. Stored in BYTEA. */
export const EncryptedBinaryType: EncryptedTypeConstructor = defineType(
  "EncryptedBinaryType",
  bytesCodec,
);
/** Canonical base64 text, encrypted as the bytes it stands for. Stored as base64 in TEXT. */
export const EncryptedBase64Type: EncryptedTypeConstructor = defineType(
  "EncryptedBase64Type",
  base64Codec,
);
