// The four types.
import {
  base64Codec,
  bytesCodec,
  jsonCodec,
  textCodec,
  type EncryptionOptions,
  type ValueCodec,
} from "@fieldseal/crypto";
import { EncryptedColumnType } from "./encrypted-column-type.ts";

/**
 * Text. Stored as base64 in TEXT.
 *
 * @example
 * ```ts
 * const User = defineEntity({
 *   name: "User",
 *   properties: { id: p.integer().primary(), email: p.type(EncryptedType) },
 * });
 * ```
 */
export class EncryptedType extends EncryptedColumnType<string> {
  constructor(options?: EncryptionOptions) {
    super(textCodec, options);
  }

  override get runtimeType(): string {
    return "string";
  }

  override get isCanonical(): boolean {
    return true;
  }

  /** Called for every value at every flush: whether the text is well-formed is checked when it is encrypted. */
  override toCanonical(value: string): string {
    return typeof value === "string" ? value : super.toCanonical(value);
  }

  fromCanonical(canonical: string): string {
    return canonical;
  }
}

/** Any JSON value. Stored as base64 in TEXT. */
export class EncryptedJSONType<T = unknown> extends EncryptedColumnType<T> {
  constructor(options?: EncryptionOptions) {
    super(jsonCodec as ValueCodec<T>, options);
  }

  override get runtimeType(): string {
    return "any";
  }

  fromCanonical(canonical: string): T {
    return JSON.parse(canonical) as T;
  }

  protected override areEqual(first: string, second: string): boolean {
    return this.codec.isEqual(this.fromCanonical(first), this.fromCanonical(second));
  }
}

/** A Buffer or Uint8Array; reads give a Buffer. Stored in BYTEA. */
export class EncryptedBinaryType extends EncryptedColumnType<Uint8Array> {
  constructor(options?: EncryptionOptions) {
    super(bytesCodec, options);
  }

  override get runtimeType(): string {
    return "Buffer";
  }

  fromCanonical(canonical: string): Buffer {
    return Buffer.from(canonical, "latin1");
  }
}

/** Canonical base64 text, encrypted as the bytes it stands for. Stored as base64 in TEXT. */
export class EncryptedBase64Type extends EncryptedColumnType<string> {
  constructor(options?: EncryptionOptions) {
    super(base64Codec, options);
  }

  override get runtimeType(): string {
    return "string";
  }

  override get isCanonical(): boolean {
    return true;
  }

  /** As in {@link EncryptedType}. Two canonical base64 texts are equal where their bytes are. */
  override toCanonical(value: string): string {
    return typeof value === "string" ? value : super.toCanonical(value);
  }

  fromCanonical(canonical: string): string {
    return canonical;
  }
}
