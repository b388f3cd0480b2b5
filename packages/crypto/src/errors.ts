// Every error of every Fieldseal package, and the one union of codes. Messages may change within a
// major version, codes may not. No message, cause or property here ever carries plaintext, key bytes
// or ciphertext: what identifies a value is its table, column, position and key id.

/** Stable identifiers, one per cause; `docs/reference/errors.md` explains each. */
export type ErrorCode =
  | "ERR_VALUE_TYPE"
  | "ERR_VALUE_ENCODING"
  | "ERR_VALUE_TOO_LARGE"
  | "ERR_CONFIG_OPTION"
  | "ERR_CONFIG_NO_KEY"
  | "ERR_CONFIG_KEY_CONFLICT"
  | "ERR_CONFIG_KEY_FILE"
  | "ERR_CONFIG_NOT_INSTALLED"
  | "ERR_CONFIG_UNSUPPORTED"
  | "ERR_KEY_FORMAT"
  | "ERR_KEY_WEAK"
  | "ERR_KEY_DUPLICATE"
  | "ERR_KEY_STATUS"
  | "ERR_KEY_UNKNOWN"
  | "ERR_KEY_DISABLED"
  | "ERR_KEY_DESTROYED"
  | "ERR_KEY_SOURCE"
  | "ERR_DECRYPT_FAILED"
  | "ERR_DECRYPT_CONTENT"
  | "ERR_QUERY_UNSUPPORTED"
  | "ERR_MIGRATE_TARGET"
  | "ERR_MIGRATE_STATE"
  | "ERR_MIGRATE_POISON"
  | "ERR_MIGRATE_BUSY"
  | "ERR_MIGRATE_DATABASE"
  | "ERR_MIGRATE_TRANSACTION"
  | "ERR_MIGRATE_INCOMPLETE"
  | "ERR_STORAGE_EXISTS"
  | "ERR_STORAGE_NOT_FOUND"
  | "ERR_STORAGE_KEY"
  | "ERR_STORAGE_SOURCE"
  | "ERR_STORAGE_METADATA"
  | "ERR_STORAGE_RANGE"
  | "ERR_STORAGE_CHANGED"
  | "ERR_STORAGE_MISMATCH"
  | "ERR_STORAGE_FORMAT"
  | "ERR_STORAGE_WRONG_KEY"
  | "ERR_STORAGE_TRUNCATED"
  | "ERR_STORAGE_TAMPERED"
  | "ERR_STORAGE_UNPROTECTED"
  | "ERR_STORAGE_LINK"
  | "ERR_STORAGE_BACKEND";

/** Base of all errors that are not the calling code's own mistake. */
export class EncryptionError extends Error {
  override name = "EncryptionError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A value of the wrong type or shape reached an encrypted column. Names the path, never the value. */
export class ValueTypeError extends TypeError {
  readonly code: ErrorCode;

  constructor(code: "ERR_VALUE_TYPE" | "ERR_VALUE_ENCODING", message: string) {
    super(message);
    this.code = code;
  }
}

/** A value is outside the limits of the format. */
export class ValueRangeError extends RangeError {
  readonly code: ErrorCode = "ERR_VALUE_TOO_LARGE";
}

/** Set-up is wrong or incomplete; the message names the option or variable, and the fix. */
export class ConfigError extends EncryptionError {
  override name = "ConfigError";
}

/** A key is malformed, weak, unknown, disabled, destroyed, or its source did not answer. */
export class KeyError extends EncryptionError {
  override name = "KeyError";
  /** Eight hex digits, when the error concerns one key. */
  readonly keyId: string | undefined;
  /** True when the same call may succeed later without a change of code or configuration. */
  readonly retryable: boolean;
  readonly table: string | undefined;
  readonly column: string | undefined;
  /** Index in the array given to `openMany`, when it was called. */
  readonly position: number | undefined;
  /** The row's primary key, where an adapter knows it. */
  readonly primaryKey: PrimaryKey | undefined;

  constructor(code: ErrorCode, message: string, details: KeyErrorDetails = {}) {
    super(code, message);
    this.keyId = details.keyId;
    this.retryable = details.retryable ?? false;
    this.table = details.table;
    this.column = details.column;
    this.position = details.position;
    this.primaryKey = details.primaryKey;
  }

  /** The same error, naming the row. */
  atRow(primaryKey: PrimaryKey): KeyError {
    const { code, message, keyId, retryable, table, column, position } = this;
    return new KeyError(code, message, { keyId, retryable, table, column, position, primaryKey });
  }
}

/** By column or attribute name. */
export type PrimaryKey = Readonly<Record<string, unknown>>;

export interface KeyErrorDetails extends ValueLocation {
  readonly keyId?: string | undefined;
  readonly retryable?: boolean;
}

/** Where a stored value stands: enough to find it, nothing of what it holds. */
export interface ValueLocation {
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly position?: number | undefined;
  readonly primaryKey?: PrimaryKey | undefined;
}

/**
 * A stored value did not open. One message for every cryptographic cause (damage, another column, another
 * key, downgrade), so that nobody who can write to the database learns which check refused a value.
 */
export class DecryptError extends EncryptionError {
  override name = "DecryptError";
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly keyId: string | undefined;
  /** Index in the array given to `openMany`, when it was called. */
  readonly position: number | undefined;
  /** The row's primary key, where an adapter knows it. */
  readonly primaryKey: PrimaryKey | undefined;

  constructor(
    location: ValueLocation & { readonly keyId?: string | undefined },
    code: "ERR_DECRYPT_FAILED" | "ERR_DECRYPT_CONTENT" = "ERR_DECRYPT_FAILED",
    message = "Decryption failed: the stored value is not intact for this column and key. " +
      'If the column held plaintext before, declare plaintext: "accept".',
  ) {
    super(code, message);
    this.table = location.table;
    this.column = location.column;
    this.keyId = location.keyId;
    this.position = location.position;
    this.primaryKey = location.primaryKey;
  }

  /** The same error, naming the row. */
  atRow(primaryKey: PrimaryKey): DecryptError {
    const { table, column, keyId, position } = this;
    const code = this.code as "ERR_DECRYPT_FAILED" | "ERR_DECRYPT_CONTENT";
    return new DecryptError({ table, column, keyId, position, primaryKey }, code, this.message);
  }
}

/** A query asks for what ciphertext cannot answer; names model, field and the alternative. */
export class UnsupportedQueryError extends EncryptionError {
  override name = "UnsupportedQueryError";
  readonly model: string | undefined;
  readonly field: string | undefined;

  constructor(message: string, target: { readonly model?: string; readonly field?: string } = {}) {
    super("ERR_QUERY_UNSUPPORTED", message);
    this.model = target.model;
    this.field = target.field;
  }
}

/** A re-encryption cannot start or go on. Nothing is lost: what was written is complete, and the run can be continued. */
export class MigrationError extends EncryptionError {
  override name = "MigrationError";
  readonly table: string | undefined;
  readonly runId: string | undefined;

  constructor(
    code: Extract<ErrorCode, `ERR_MIGRATE_${string}`>,
    message: string,
    details: { readonly table?: string | undefined; readonly runId?: string | undefined } = {},
  ) {
    super(code, message);
    this.table = details.table;
    this.runId = details.runId;
  }
}

/** What went wrong with a stored object; the message names its key, never its content, file name or type. */
export class StorageError extends EncryptionError {
  override name = "StorageError";
  /** Under which the object stands, where the error concerns one. */
  readonly objectKey: string | undefined;
  /** True when the same call may succeed later without a change of code or configuration. */
  readonly retryable: boolean;

  constructor(
    code:
      | "ERR_STORAGE_EXISTS"
      | "ERR_STORAGE_NOT_FOUND"
      | "ERR_STORAGE_KEY"
      | "ERR_STORAGE_SOURCE"
      | "ERR_STORAGE_METADATA"
      | "ERR_STORAGE_RANGE"
      | "ERR_STORAGE_CHANGED"
      | "ERR_STORAGE_MISMATCH"
      | "ERR_STORAGE_FORMAT"
      | "ERR_STORAGE_WRONG_KEY"
      | "ERR_STORAGE_TRUNCATED"
      | "ERR_STORAGE_TAMPERED"
      | "ERR_STORAGE_UNPROTECTED"
      | "ERR_STORAGE_LINK"
      | "ERR_STORAGE_BACKEND",
    message: string,
    details: { readonly objectKey?: string | undefined; readonly retryable?: boolean } = {},
  ) {
    super(code, message);
    this.objectKey = details.objectKey;
    this.retryable = details.retryable ?? false;
  }
}
