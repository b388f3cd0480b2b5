// What SQL can see of an envelope: the condition of CHECK constraints, fences and surveys.
import { MAGIC, TEXT_PREFIX } from "./envelope.ts";
import type { StorageForm } from "./stored-form.ts";

/** Base64 of the magic and at least a header. `~` and not LIKE, which PostgreSQL would rewrite in a stored CHECK. */
const TEXT_PATTERN = `^${TEXT_PREFIX}[A-Za-z0-9+/]{8,}={0,2}$`;
const BINARY_MAGIC = `\\x${Buffer.from(MAGIC).toString("hex")}`;

/**
 * PostgreSQL condition: true of envelopes, null of NULL, false of all else that is not made to look like one. The
 * database cannot verify tags, so it proves the form of a value, not that it opens.
 *
 * @param column SQL that gives the value: a quoted name
 */
export function envelopeCondition(column: string, storage: StorageForm): string {
  // Collations that take different texts for equal know no regular expressions.
  return storage === "text"
    ? `${column} COLLATE "C" ~ '${TEXT_PATTERN}'`
    : `substr(${column}, 1, ${MAGIC.length}) = '${BINARY_MAGIC}'::bytea`;
}
