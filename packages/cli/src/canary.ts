// The key canary: a known text, encrypted under each key and stored in the database. It opens exactly where the keys of
// this database are configured: a dump of production behind keys of staging is found before a value is read or written.
import { decryptString, defaultKeyring, encryptString } from "@fieldseal/crypto";
import type { Pool } from "pg";
import { EXIT } from "./exit.ts";
import { CommandError } from "./failure.ts";

const CONTEXT = "fieldseal.canary";
const TEXT = "These keys are of this database.";

/** One row per key that ever was the primary when a canary was written. */
const TABLE = `CREATE TABLE IF NOT EXISTS fieldseal.canary (
  key_id text PRIMARY KEY,
  value text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
)`;

/** Leaves a canary of this key alone that is there already: one that does not open must not be made good. */
export async function writeCanary(pool: Pool): Promise<void> {
  const keyring = defaultKeyring();
  const { rows } = await pool.query<{ isThere: boolean }>(
    `SELECT to_regnamespace('fieldseal') IS NOT NULL AS "isThere"`,
  );
  // IF NOT EXISTS asks for the right to create schemas even where this one exists.
  if (rows[0]?.isThere !== true) await pool.query("CREATE SCHEMA fieldseal");
  await pool.query(TABLE);
  await pool.query(
    "INSERT INTO fieldseal.canary (key_id, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    [keyring.primary.id, encryptString(TEXT, { context: CONTEXT, keyring })],
  );
}

export interface Canary {
  readonly keyId: string;
  /** Error code of one that does not open. */
  readonly code: string | undefined;
}

export async function readCanaries(pool: Pool): Promise<Canary[]> {
  const { rows } = await pool.query<{ isThere: boolean }>(
    `SELECT to_regclass('fieldseal.canary') IS NOT NULL AS "isThere"`,
  );
  if (rows[0]?.isThere !== true) return [];
  const { rows: stored } = await pool.query<{ keyId: string; value: string }>(
    `SELECT key_id AS "keyId", value FROM fieldseal.canary ORDER BY created_at`,
  );
  return stored.map(({ keyId, value }) => ({ keyId, code: faultOf(value) }));
}

/** Of a key that was retired: it is in the keyring, and what it encrypted is gone. */
export function isOfRetiredKey({ code }: Canary): boolean {
  return code === "ERR_KEY_DISABLED" || code === "ERR_KEY_DESTROYED";
}

/** True where keys of other data are configured: there are canaries, and of none is the key known. */
export function areForeign(canaries: readonly Canary[]): boolean {
  const isUnknown = (one: Canary): boolean => one.code !== undefined && !isOfRetiredKey(one);
  return canaries.length > 0 && canaries.every(isUnknown);
}

/**
 * Before values are written, where canaries are kept: half of a database under keys of another would be read by nobody.
 * The primary key gets a canary, too, so that older ones may be given up afterwards.
 * @throws {@link CommandError} `REFUSED`
 */
export async function checkCanaries(pool: Pool): Promise<void> {
  const canaries = await readCanaries(pool);
  if (canaries.length === 0 || !hasKeyring()) return;
  if (!areForeign(canaries)) {
    const { id } = defaultKeyring().primary;
    if (canaries.every(({ keyId }) => keyId !== id)) await writeCanary(pool);
    return;
  }
  const ids = canaries.map(({ keyId }) => keyId).join(", ");
  throw new CommandError(
    "REFUSED",
    `These are other keys than this database was encrypted with: the canary of key ${ids} does not open. Nothing was written.`,
    {
      exitCode: EXIT.configuration,
      fix: '"fieldseal doctor" shows keys and canaries. If that key was given up on purpose, DELETE FROM fieldseal.canary.',
    },
  );
}

/** Columns may bring keyrings of their own. */
function hasKeyring(): boolean {
  try {
    return defaultKeyring().primary !== undefined;
  } catch {
    return false;
  }
}

function faultOf(value: string): string | undefined {
  try {
    return decryptString(value, { context: CONTEXT }) === TEXT ? undefined : "ERR_DECRYPT_FAILED";
  } catch (error) {
    return (error as { readonly code?: string }).code ?? "ERR_DECRYPT_FAILED";
  }
}
