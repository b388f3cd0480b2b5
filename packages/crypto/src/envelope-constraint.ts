// Names of what keeps plaintext out of a table: one maker, so that adapters and engine find each other's.
import { createHash } from "node:crypto";

/** PostgreSQL cuts longer names without an error. */
const MAX_NAME_BYTES = 63;

/**
 * Name of the CHECK constraint with {@link envelopeCondition} on a column.
 *
 * @param table undefined where only the column is known; constraints of other tables may share a name
 */
export function envelopeConstraintName(table: string | undefined, column: string): string {
  return databaseName([...(table === undefined ? [] : [table]), column, "encrypted"]);
}

/**
 * The parts joined by `_`; where that is too long for PostgreSQL, a hash of the whole takes the place of what does not
 * fit, because two cut names might be one.
 */
export function databaseName(parts: readonly string[]): string {
  const name = parts.join("_");
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8);
  const end = `_${hash}_${parts.at(-1) as string}`;
  const start = Buffer.from(name).subarray(0, MAX_NAME_BYTES - end.length);
  return start.toString().replace(/\uFFFD$/u, "") + end;
}
