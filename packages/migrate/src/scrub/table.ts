// What a table still holds of values from before: looked up in catalogs and counted in the database.
import { envelopeCondition, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Relation } from "../relation.ts";
import { quote } from "../table.ts";
import type { Remnant } from "./contract.ts";

export interface ScrubSite {
  readonly relation: Relation;
  /** Quoted names of the tables that hold the rows. */
  readonly leaves: readonly string[];
  readonly columns: readonly EncryptedColumn[];
  readonly isRewritten: boolean;
}

export async function tableRemnants(client: ClientBase, site: ScrubSite): Promise<Remnant[]> {
  return [deadRows(site), ...(await droppedColumns(client, site)), await statistics(client, site)];
}

function rewriteFix({ leaves }: ScrubSite): string {
  const [first] = leaves;
  const sql = `VACUUM FULL ${first}${leaves.length > 1 ? " and the other partitions" : ""}`;
  return `"fieldseal migrate scrub --rewrite" (scrubColumns with rewrite: true), or ${sql}; both lock the table. pg_repack keeps it usable.`;
}

function deadRows(site: ScrubSite): Remnant {
  if (site.isRewritten) {
    return {
      kind: "dead-rows",
      state: "removed",
      message: "The table's files were written anew: they hold no replaced row.",
    };
  }
  return {
    kind: "dead-rows",
    state: "remains",
    message:
      "The bytes of replaced rows stay in the table's files until other rows happen to overwrite them; VACUUM only lets that happen.",
    fix: rewriteFix(site),
  };
}

async function droppedColumns(client: ClientBase, site: ScrubSite): Promise<Remnant[]> {
  const { rows } = await client.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND attisdropped",
    [site.relation.oid],
  );
  const count = rows[0]?.count ?? 0;
  if (count === 0) return [];
  if (site.isRewritten) {
    const message = `The rows were written anew without the values of ${count} dropped columns.`;
    return [{ kind: "dropped-columns", state: "removed", message }];
  }
  return [
    {
      kind: "dropped-columns",
      state: "remains",
      message: `${count} columns were dropped: each row keeps their values until it is written anew.`,
      fix: rewriteFix(site),
    },
  ];
}

/** `pg_stats` keeps the most common values of each column, and some hundred others, as they were at the last ANALYZE. */
async function statistics(client: ClientBase, { relation, columns }: ScrubSite): Promise<Remnant> {
  // The view shows a role what it may read, and nothing of a table whose rows a policy hides from it.
  const { rows: looks } = await client.query<{ isHidden: boolean }>(
    `SELECT row_security_active($1::oid) OR NOT bool_and(has_column_privilege($1::oid, name, 'SELECT')) AS "isHidden"
     FROM unnest($2::text[]) AS c(name)`,
    [relation.oid, columns.map(({ column }) => column)],
  );
  if (looks[0]?.isHidden === true) {
    return {
      kind: "statistics",
      state: "unknown",
      message:
        "The planner's statistics (pg_stats) of the encrypted columns are hidden from this role.",
      fix: "Look as a role that reads every row: the table's owner without FORCE ROW LEVEL SECURITY, or one with BYPASSRLS.",
    };
  }
  const kept: string[] = [];
  for (const { column, cipher } of columns) {
    const isEnvelope = envelopeCondition(
      cipher.storage === "binary" ? "v::bytea" : "v",
      cipher.storage,
    );
    const { rows } = await client.query<{ isKept: boolean }>(
      `SELECT EXISTS (
         SELECT 1 FROM pg_stats s,
           unnest(coalesce(most_common_vals::text::text[], '{}') || coalesce(histogram_bounds::text::text[], '{}')) AS v
         WHERE attname = $3 AND NOT (${isEnvelope}) AND (schemaname, tablename) IN (
           SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE c.oid IN (SELECT $1::oid UNION ALL SELECT relid FROM pg_partition_tree($2::regclass)))) AS "isKept"`,
      [relation.oid, relation.sql, column],
    );
    if (rows[0]?.isKept === true) kept.push(quote(column));
  }
  if (kept.length === 0) {
    const message = "The planner's statistics hold no plaintext of the encrypted columns.";
    return { kind: "statistics", state: "removed", message };
  }
  return {
    kind: "statistics",
    state: "remains",
    message: `The planner's statistics (pg_stats) show plaintext of ${kept.join(", ")}.`,
    fix: `As the table's owner: ANALYZE ${relation.sql}. If values are still plaintext, migrate them first.`,
  };
}
