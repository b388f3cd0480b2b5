// The companion property of a blind index.
import { UnsupportedQueryError } from "@fieldseal/crypto";
import { Type } from "@mikro-orm/core";

/** Lower-case hex of 1 to 32 bytes. */
const TOKEN = /^(?:[\da-f]{2}){1,32}$/;

/**
 * The property that holds the search tokens of a `blindIndex`. Written by the adapter beside every value; leave it
 * out of constructors, and hidden.
 *
 * @example
 * ```ts
 * email: p.type(new EncryptedType({ blindIndex: { column: "email_index", normalize: "email" } })),
 * emailIndex: p.type(BlindIndexType).name("email_index").nullable().hidden().index(),
 * ```
 */
export class BlindIndexType extends Type<string | null, string | null> {
  /** @throws {@link UnsupportedQueryError} for what is no token: it would be a value, in the clear */
  override convertToDatabaseValue(value: string | null): string | null {
    if (typeof value !== "string" || TOKEN.test(value)) return value;
    const model = this.meta?.className;
    const field = this.prop?.name;
    throw new UnsupportedQueryError(
      `${model}.${field} holds search tokens. Write and compare the property that it is the index of; searchValues() gives tokens.`,
      { ...(model !== undefined && { model }), ...(field !== undefined && { field }) },
    );
  }

  override getColumnType(): string {
    return "text";
  }

  override compareAsType(): string {
    return "string";
  }

  override ensureComparable(): boolean {
    return false;
  }
}
