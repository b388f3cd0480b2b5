// The companion property of a blind index.
import { Type } from "@mikro-orm/core";

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
