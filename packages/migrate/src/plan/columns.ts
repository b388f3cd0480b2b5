// What concerns a column: whether ciphertext fits into its type, and what else in the database builds on its values.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Direction } from "../contract.ts";
import { addColumn, namesThereAre } from "../missing.ts";
import type { Attribute, Relation } from "../relation.ts";
import { quote } from "../table.ts";
import type { Finding } from "./contract.ts";

export interface ColumnSite {
  readonly relation: Relation;
  readonly column: EncryptedColumn;
  readonly direction: Direction;
  /** Plain column that this one takes over; its own type then needs only hold ciphertext. */
  readonly source: string | undefined;
}

export async function columnFindings(client: ClientBase, site: ColumnSite): Promise<Finding[]> {
  const { relation, column } = site;
  const attribute = relation.attributes.get(column.column);
  if (attribute === undefined) return shapeFindings(site);
  return [
    ...shapeFindings(site),
    ...(await foreignKeys(client, site, attribute)),
    ...(await keyParts(client, site, attribute)),
    ...(await indexes(client, site, attribute)),
    ...(await dependents(client, site, attribute)),
  ];
}

type ColumnShape = Pick<ColumnSite, "relation" | "column">;

/** What the catalogs alone show: whether the column and its companion are there, and of a type that holds what is written. */
export function shapeFindings(site: ColumnShape): Finding[] {
  const attribute = site.relation.attributes.get(site.column.column);
  if (attribute === undefined) return [missing(site, site.column.column)];
  return [...typeFindings(site, attribute), ...companionFindings(site)];
}

function missing({ relation, column }: ColumnShape, name: string): Finding {
  const { model, field, cipher } = column;
  return {
    severity: "refusal",
    kind: "missing",
    column: name,
    message: `The table has no column ${quote(name)}, which ${model}.${field} needs; it has ${namesThereAre(relation.attributes.keys())}.`,
    fix: `Correct the name in ${model}.${field}, or: ${addColumn(relation.sql, name, cipher.storage)}`,
  };
}

function typeFindings({ relation, column }: ColumnShape, attribute: Attribute): Finding[] {
  const { type, maxCharacters, isGenerated } = attribute;
  const { storage } = column.cipher;
  const name = column.column;
  const wanted = storage === "binary" ? "bytea" : "text";
  const alter = `ALTER TABLE ${relation.sql} ALTER COLUMN ${quote(name)} TYPE text`;
  if (isGenerated) {
    const message = `${quote(name)} is generated: PostgreSQL lets nobody write it.`;
    const fix = `ALTER TABLE ${relation.sql} ALTER COLUMN ${quote(name)} DROP EXPRESSION`;
    return [{ severity: "refusal", kind: "generated-column", column: name, message, fix }];
  }
  if (type === wanted) return [];
  if (type.startsWith("character") && wanted === "text") {
    const limit = maxCharacters === undefined ? "" : `, and takes ${maxCharacters} characters`;
    const message = `${quote(name)} is ${type}${limit}; ciphertext is longer than what it encrypts.`;
    const instant = type.startsWith("character varying") ? " (at once: no row is rewritten)" : "";
    return [
      { severity: "refusal", kind: "too-short", column: name, message, fix: alter + instant },
    ];
  }
  return [
    {
      severity: "refusal",
      kind: "column-type",
      column: name,
      message: `${quote(name)} is ${type}, and ciphertext needs ${wanted}.`,
      fix:
        `Add a column of type ${wanted}, declare that one encrypted, and name this one as its source: ` +
        "the run fills it and keeps both in step.",
    },
  ];
}

export function companionFindings(site: ColumnShape): Finding[] {
  const companion = site.column.cipher.blindIndex?.column;
  if (companion === undefined) return [];
  const attribute = site.relation.attributes.get(companion);
  if (attribute === undefined) {
    const { model, field } = site.column;
    const add = addColumn(site.relation.sql, companion, "text");
    return [
      { ...missing(site, companion), fix: `Correct the name in ${model}.${field}, or: ${add}` },
    ];
  }
  if (attribute.type === "text") return [];
  return [
    {
      severity: "refusal",
      kind: "column-type",
      column: companion,
      message: `${quote(companion)}, the blind index of ${quote(site.column.column)}, is ${attribute.type} and must be text.`,
      fix: `ALTER TABLE ${site.relation.sql} ALTER COLUMN ${quote(companion)} TYPE text`,
    },
  ];
}

async function foreignKeys(
  client: ClientBase,
  { relation, column }: ColumnSite,
  { number }: Attribute,
): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string; table: string }>(
    `SELECT conname AS name, conrelid::regclass::text AS table FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
       AND (conrelid = $1 AND $2 = ANY (conkey) OR confrelid = $1 AND $2 = ANY (confkey)) ORDER BY 2, 1`,
    [relation.oid, number],
  );
  return rows.map(({ name, table }) => ({
    severity: "refusal",
    kind: "foreign-key",
    column: column.column,
    message: `Foreign key "${name}" of ${table} compares ${quote(column.column)} with another column: ciphertexts differ.`,
    fix: `Refer to a key that holds no personal data, then: ALTER TABLE ${table} DROP CONSTRAINT "${name}"`,
  }));
}

/** Engine and PostgreSQL find rows by these. */
async function keyParts(
  client: ClientBase,
  { relation, column }: ColumnSite,
  { number }: Attribute,
): Promise<Finding[]> {
  const { rows } = await client.query<{ isPartitionKey: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM pg_partitioned_table WHERE partrelid = $1 AND $2 = ANY (partattrs::int2[])) AS "isPartitionKey"`,
    [relation.oid, number],
  );
  const isPrimary = column.primaryKey.includes(column.column);
  const what = isPrimary ? "primary" : rows[0]?.isPartitionKey === true ? "partition" : undefined;
  if (what === undefined) return [];
  return [
    {
      severity: "refusal",
      kind: "primary-key",
      column: column.column,
      message: `${quote(column.column)} is part of the ${what} key, by which rows are found.`,
      fix: "Give rows a key that says nothing about anybody, and keep the value beside it.",
    },
  ];
}

async function indexes(
  client: ClientBase,
  { relation, column, direction }: ColumnSite,
  { number }: Attribute,
): Promise<Finding[]> {
  if (direction === "decrypt" || column.cipher.isDeterministic) return [];
  const { rows } = await client.query<{ name: string; isUnique: boolean }>(
    `SELECT indexrelid::regclass::text AS name, indisunique AS "isUnique" FROM pg_index
     WHERE indrelid = $1 AND ($2 = ANY (indkey::int2[]) OR EXISTS (
       SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = indexrelid
         AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND refobjsubid = $2)) ORDER BY name`,
    [relation.oid, number],
  );
  return rows.map(({ name, isUnique }) => ({
    severity: "warning",
    kind: "index",
    column: column.column,
    message: isUnique
      ? `Unique index ${name} no longer finds equal values of ${quote(column.column)}: their ciphertexts differ.`
      : `Index ${name} finds nothing in ciphertext, and costs time and room at every write.`,
    fix: isUnique
      ? "Declare the column deterministic, or move UNIQUE to a blind index that cuts nothing off."
      : `DROP INDEX CONCURRENTLY ${name}; for equality, declare a blindIndex.`,
  }));
}

/** Views show ciphertext; materialized views and generated columns keep plaintext of their own. */
async function dependents(
  client: ClientBase,
  { relation, column }: ColumnSite,
  { number }: Attribute,
): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string; kind: "m" | "v" | "g" }>(
    `SELECT DISTINCT c.oid::regclass::text AS name, relkind AS kind FROM pg_depend d
       JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = ev_class
     WHERE d.classid = 'pg_rewrite'::regclass AND refobjid = $1 AND refobjsubid = $2 AND c.oid <> $1
     UNION ALL SELECT attname, 'g' FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
       JOIN pg_attribute t ON attrelid = adrelid AND attnum = adnum AND attgenerated <> ''
     WHERE d.classid = 'pg_attrdef'::regclass AND refobjid = $1 AND refobjsubid = $2 AND adrelid = $1 AND adnum <> $2
     UNION ALL SELECT attname, 'g' FROM pg_depend d JOIN pg_attribute t ON attrelid = objid AND attnum = objsubid AND attgenerated <> ''
     WHERE d.classid = 'pg_class'::regclass AND objid = $1 AND refobjid = $1 AND refobjsubid = $2 AND objsubid <> $2
     ORDER BY name`,
    [relation.oid, number],
  );
  const seen = new Map(rows.map((row) => [row.name, row]));
  return [...seen.values()].map(({ name, kind }): Finding => {
    const own = quote(column.column);
    if (kind === "g") {
      return {
        severity: "warning",
        kind: "generated-column",
        column: column.column,
        message: `Generated column "${name}" is computed from ${own}: of ciphertext afterwards, if its expression takes that at all.`,
        fix: `ALTER TABLE ${relation.sql} DROP COLUMN ${quote(name)}, and compute it in the application.`,
      };
    }
    return {
      severity: "warning",
      kind: "dependent-view",
      column: column.column,
      message:
        kind === "m"
          ? `Materialized view ${name} keeps plaintext of ${own} until it is refreshed.`
          : `View ${name} shows ciphertext of ${own} afterwards.`,
      fix:
        kind === "m"
          ? `REFRESH MATERIALIZED VIEW ${name} after the run.`
          : "Leave the column out of it.",
    };
  });
}
