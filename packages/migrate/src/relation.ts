// A table as PostgreSQL's catalogs describe it: what planning, fences and scrubbing must know beyond the engine's view.
import { MigrationError } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Target } from "./contract.ts";
import { TABLE_OID, addColumn, fixOfMissingTable, namesThereAre } from "./missing.ts";
import { quote } from "./table.ts";

export interface Attribute {
  readonly name: string;
  /** Number in the catalogs. */
  readonly number: number;
  /** As `character varying(80)`. */
  readonly type: string;
  /** The most characters it takes; undefined without a limit. */
  readonly maxCharacters: number | undefined;
  /** `GENERATED ALWAYS AS`, of an expression or an identity: nobody may write it. */
  readonly isGenerated: boolean;
}

export interface Relation {
  readonly oid: number;
  /** Of the catalogs, whatever the search path said. */
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`: "r" table, "p" partitioned table, "v" view ... */
  readonly kind: string;
  /** Quoted, with its schema. */
  readonly sql: string;
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** As messages name a table. */
export function displayName({ schema, table }: Pick<Target, "schema" | "table">): string {
  return schema === undefined ? table : `${schema}.${table}`;
}

export async function findRelation(
  client: ClientBase,
  { schema, table }: Pick<Target, "schema" | "table">,
): Promise<Relation | undefined> {
  const { rows } = await client.query<{ oid: number; schema: string; name: string; kind: string }>(
    `SELECT c.oid, nspname AS schema, relname AS name, relkind AS kind
     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = ${TABLE_OID}`,
    [schema, table],
  );
  const [found] = rows;
  if (found === undefined) return undefined;
  const { rows: attributes } = await client.query<Attribute & { maxCharacters: number | null }>(
    `SELECT attname AS name, attnum AS number, format_type(atttypid, atttypmod) AS type,
       CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4 THEN atttypmod - 4 END AS "maxCharacters",
       attgenerated <> '' OR attidentity = 'a' AS "isGenerated"
     FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [found.oid],
  );
  return {
    ...found,
    sql: `${quote(found.schema)}.${quote(found.name)}`,
    attributes: new Map(
      attributes.map((one) => [
        one.name,
        { ...one, maxCharacters: one.maxCharacters ?? undefined },
      ]),
    ),
  };
}

/** @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when the table or a column of the target is missing */
export async function requireRelation(client: ClientBase, target: Target): Promise<Relation> {
  const relation = await findRelation(client, target);
  const name = displayName(target);
  if (relation === undefined) {
    throw new MigrationError(
      "ERR_MIGRATE_TARGET",
      `Table "${name}" does not exist, or this role may not see it. ${await fixOfMissingTable(client, target)}.`,
      { table: target.table },
    );
  }
  const missing = target.columns.find(({ column }) => !relation.attributes.has(column));
  if (missing) {
    const { model, field, column, cipher } = missing;
    throw new MigrationError(
      "ERR_MIGRATE_TARGET",
      `Table "${name}" has no column "${column}", which ${model}.${field} names; it has ${namesThereAre(relation.attributes.keys())}. ` +
        `Correct the name there, or: ${addColumn(relation.sql, column, cipher.storage)}.`,
      { table: target.table },
    );
  }
  return relation;
}
