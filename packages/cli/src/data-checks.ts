// Do these keys open this database's data? By the canaries, and by a few values of each column.
import { EncryptionError, KeyError, parseEnvelope, type EncryptedColumn } from "@fieldseal/crypto";
import { escapeIdentifier, type Pool } from "pg";
import { areForeign, isOfRetiredKey, readCanaries } from "./canary.ts";
import type { Check } from "./check.ts";
import { count, counted } from "./output.ts";
import type { Session } from "./session.ts";

export async function dataChecks({ pool, columns }: Session): Promise<Check[]> {
  return [await canaryCheck(pool), await sampleCheck(pool, columns)];
}

async function canaryCheck(pool: Pool): Promise<Check> {
  const name = "key canary";
  const canaries = await readCanaries(pool);
  if (canaries.length === 0) {
    const fix = "fieldseal doctor --canary stores one.";
    return { name, state: "skipped", detail: "none is stored in this database", fix };
  }
  const faults = canaries.filter(({ code }) => code !== undefined);
  if (faults.every(isOfRetiredKey)) {
    const ids = canaries.filter(({ code }) => code === undefined).map(({ keyId }) => keyId);
    if (ids.length > 0) return { name, state: "ok", detail: `opens with ${ids.join(", ")}` };
  }
  const detail = faults
    .map(({ keyId, code }) => `that of key ${keyId} does not open [${code}]`)
    .join(", ");
  const isForeign = areForeign(canaries);
  return {
    name,
    state: isForeign ? "failure" : "warning",
    detail,
    fix: isForeign
      ? "These are other keys than this database was encrypted with. Write nothing before that is mended."
      : "That key is missing. Configure it as a previous key, unless it was retired on purpose.",
  };
}

const SAMPLED_VALUES = 20;

async function sampleCheck(pool: Pool, columns: readonly EncryptedColumn[]): Promise<Check> {
  let opened = 0;
  let plaintext = 0;
  const faults: string[] = [];
  for (const { schema, table, column, cipher } of columns) {
    const sql = [...(schema === undefined ? [] : [schema]), table].map(escapeIdentifier).join(".");
    const name = escapeIdentifier(column);
    const { rows } = await pool.query<{ value: string | Buffer }>(
      `SELECT ${name} AS value FROM ${sql} WHERE ${name} IS NOT NULL LIMIT ${SAMPLED_VALUES}`,
    );
    for (const { value } of rows) {
      try {
        cipher.open(value);
        opened++;
        // Where it is accepted, plaintext opens as well.
        const isPlaintext =
          cipher.options.legacy === undefined && parseEnvelope(value) === undefined;
        if (isPlaintext) plaintext++;
      } catch (error) {
        faults.push(`${table}.${column} [${reasonOf(error)}]`);
        break;
      }
    }
  }
  const name = "data";
  if (faults.length > 0) {
    const detail = `a value does not open: ${faults.join(", ")}`;
    return {
      name,
      state: "failure",
      detail,
      fix: "fieldseal verify names the rows, and what to do about keys.",
    };
  }
  const detail =
    opened === 0
      ? "no value yet"
      : plaintext > 0
        ? `${counted(opened, "value")} read, ${count(plaintext)} of them plaintext`
        : `${counted(opened, "value")} read and opened`;
  const fix = plaintext > 0 ? "fieldseal migrate plan says what encrypting it takes." : undefined;
  return { name, state: "ok", detail, fix };
}

/** "ERR_KEY_UNKNOWN, key 0a1b2c3d" */
function reasonOf(error: unknown): string {
  const code = error instanceof EncryptionError ? error.code : "ERR_DECRYPT_FAILED";
  const keyId = error instanceof KeyError ? error.keyId : undefined;
  return keyId === undefined ? code : `${code}, key ${keyId}`;
}
