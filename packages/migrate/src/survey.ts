// What the values of a table look like from outside: counted by the database, nothing is fetched and nothing opened.
import {
  envelopeCondition,
  formatKeyId,
  parseTextPrefix,
  type EncryptedColumn,
  type SuiteName,
} from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Relation } from "./relation.ts";
import { quote } from "./table.ts";
import { inTransaction } from "./transaction.ts";

/** Envelopes of one suite and key. */
export interface EnvelopeCount {
  readonly suite: SuiteName;
  readonly keyId: string;
  readonly values: number;
}

export interface ColumnSurvey {
  readonly rows: number;
  readonly nulls: number;
  readonly envelopes: readonly EnvelopeCount[];
  /** Values that are no envelope: plaintext, or the legacy layout. */
  readonly others: number;
}

export interface SurveyOptions {
  /** Percent of the table's pages to look at; the counts are of these alone. Defaults to all, exactly. */
  readonly samplePercent?: number | undefined;
  /** Plain column that a column takes over: where the latter is NULL, that one's value counts. Defaults to none. */
  readonly sourceOf?: (column: EncryptedColumn) => string | undefined;
}

interface Group {
  readonly place: number;
  /** First twelve characters of an envelope; "" of other values; null of NULL. */
  readonly prefix: string | null;
  readonly count: string;
}

/**
 * All columns in one read of the table. Only the head of an envelope leaves the database: suite and key id, never a
 * part of a value.
 */
export async function surveyColumns(
  client: ClientBase,
  relation: Relation,
  columns: readonly EncryptedColumn[],
  { samplePercent, sourceOf }: SurveyOptions = {},
): Promise<ColumnSurvey[]> {
  const heads = columns.map(
    (column, i) => `${headOf(column, relation, sourceOf?.(column))} AS h${i}`,
  );
  const names = columns.map((_, i) => `h${i}`);
  const sample = samplePercent === undefined ? "" : `TABLESAMPLE SYSTEM (${samplePercent})`;
  const prefix = names.map((name) => `WHEN GROUPING(${name}) = 0 THEN ${name}`);
  const place = names.map((name, i) => `WHEN GROUPING(${name}) = 0 THEN ${i}`);
  const { rows } = await client.query<Group>(
    `SELECT CASE ${place.join(" ")} END AS place, CASE ${prefix.join(" ")} END AS prefix, count(*)
     FROM (SELECT ${heads.join(", ")} FROM ${relation.sql} ${sample}) s
     GROUP BY GROUPING SETS (${names.map((name) => `(${name})`).join(", ")})`,
  );
  return columns.map((_, i) => summarise(rows.filter(({ place: at }) => at === i)));
}

/**
 * The same of a whole table: rows that a policy hides are an error, since a table would pass for complete without them; and
 * the limit that a role has for its statements is none for the time that reading takes.
 */
export function surveyAll(
  client: ClientBase,
  relation: Relation,
  columns: readonly EncryptedColumn[],
): Promise<ColumnSurvey[]> {
  return inTransaction(client, async () => {
    await client.query("SET LOCAL row_security = off; SET LOCAL statement_timeout = 0");
    return surveyColumns(client, relation, columns);
  });
}

function headOf(
  { column, cipher }: EncryptedColumn,
  relation: Relation,
  source: string | undefined,
): string {
  const name = quote(column);
  const type = relation.attributes.get(column)?.type ?? "text";
  const isNull =
    source === undefined
      ? `${name} IS NULL`
      : `coalesce(${name}::text, ${quote(source)}::text) IS NULL`;
  // A column of another type than its envelopes holds plain values, to be taken over by another column.
  const [condition, prefix] =
    type === "bytea"
      ? [envelopeCondition(name, "binary"), `encode(substr(${name}, 1, 9), 'base64')`]
      : cipher.storage === "binary"
        ? ["false", "''"]
        : [envelopeCondition(`${name}::text`, "text"), `substr(${name}::text, 1, 12)`];
  return `CASE WHEN ${isNull} THEN NULL WHEN ${condition} THEN ${prefix} COLLATE "C" ELSE '' END`;
}

function summarise(groups: readonly Group[]): ColumnSurvey {
  const counts = groups.map(({ prefix, count }) => ({ prefix, values: Number(count) }));
  const envelopes = new Map<string, EnvelopeCount>();
  let [rows, nulls, others] = [0, 0, 0];
  for (const { prefix, values } of counts) {
    rows += values;
    const header = prefix === null ? undefined : parseTextPrefix(prefix);
    if (prefix === null) nulls += values;
    else if (header === undefined) others += values;
    else {
      const keyId = formatKeyId(header.keyId);
      const name = `${header.suite} ${keyId}`; // content types and padding are of no interest here
      const before = envelopes.get(name)?.values ?? 0;
      envelopes.set(name, { suite: header.suite, keyId, values: before + values });
    }
  }
  return { rows, nulls, others, envelopes: [...envelopes.values()] };
}
