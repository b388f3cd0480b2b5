// What concerns a table as a whole: its kind and size, its key, who may write it, and what fires on a write.
import type { ClientBase } from "pg";
import type { Target } from "../contract.ts";
import { FENCE, fencedColumns } from "../fence.ts";
import type { Relation } from "../relation.ts";
import { quote } from "../table.ts";
import type { Finding, TablePlan } from "./contract.ts";

export interface Leaf {
  readonly oid: number;
  readonly sql: string;
  readonly kind: string;
}

export interface Shape {
  readonly leaves: readonly Leaf[];
  readonly bytes: TablePlan["bytes"];
  /** Of the catalogs; below 0 where the table was never analysed. */
  readonly rowsGuessed: number;
  readonly indexes: number;
}

/** The table, or the leaves of a partitioned one, and what they take on disk. */
export async function shapeOf(client: ClientBase, relation: Relation): Promise<Shape> {
  const { rows } = await client.query<
    Leaf & Record<"heap" | "toast" | "indexBytes" | "rows" | "indexes", string>
  >(
    `WITH RECURSIVE tree AS (
       SELECT $1::oid AS oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid
     )
     SELECT c.oid, format('%I.%I', nspname, relname) AS sql, relkind AS kind, reltuples AS rows,
       pg_relation_size(c.oid) AS heap, pg_indexes_size(c.oid) AS "indexBytes",
       CASE WHEN reltoastrelid <> 0 THEN pg_total_relation_size(reltoastrelid) ELSE 0 END AS toast,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) AS indexes
     FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind <> 'p' ORDER BY sql`,
    [relation.oid],
  );
  const sum = (name: "heap" | "toast" | "indexBytes" | "rows"): number =>
    rows.reduce((total, row) => total + Number(row[name]), 0);
  return {
    leaves: rows.map(({ oid, sql, kind }) => ({ oid, sql, kind })),
    bytes: { table: sum("heap"), toast: sum("toast"), indexes: sum("indexBytes") },
    rowsGuessed: sum("rows"),
    indexes: Math.max(0, ...rows.map(({ indexes }) => Number(indexes))),
  };
}

export async function tableFindings(
  client: ClientBase,
  {
    target,
    relation,
    shape,
    isTried,
  }: {
    readonly target: Target;
    readonly relation: Relation;
    readonly shape: Shape;
    /** A trial shows what triggers do. */
    readonly isTried: boolean;
  },
): Promise<Finding[]> {
  const foreign = shape.leaves.find(({ kind }) => kind !== "r");
  if (foreign) return [notATable(foreign)];
  return [
    ...(await keyFindings(client, target, relation)),
    ...(await privilegeFindings(client, target, relation)),
    ...(await rowSecurity(client, relation)),
    ...(await triggers(client, target, { relation, shape, isTried })),
    ...(await replicaIdentity(client, shape)),
    ...(await vacuum(client, shape)),
    ...(relation.kind === "p" ? [partitions(shape)] : []),
  ];
}

function notATable({ sql }: Leaf): Finding {
  return {
    severity: "refusal",
    kind: "missing",
    message: `${sql} is a view or a foreign table: its rows are elsewhere.`,
    fix: "Migrate the table behind it, in the database where it is.",
  };
}

function partitions({ leaves }: Shape): Finding {
  const message = `A partitioned table of ${leaves.length} leaves: they are migrated one after the other.`;
  return { severity: "note", kind: "partitions", message };
}

async function keyFindings(
  client: ClientBase,
  { primaryKey }: Target,
  relation: Relation,
): Promise<Finding[]> {
  const refuse = (message: string, fix: string): Finding[] => [
    { severity: "refusal", kind: "primary-key", message, fix },
  ];
  if (primaryKey.length === 0) {
    return refuse(
      "The model has no primary key, so that a row that was read could not be found again to be written.",
      `ALTER TABLE ${relation.sql} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, and declare it.`,
    );
  }
  const names = primaryKey.map(quote).join(", ");
  const numbers = primaryKey.map((name) => relation.attributes.get(name)?.number);
  const missing = primaryKey.filter((_, i) => numbers[i] === undefined);
  if (missing.length > 0) {
    return refuse(
      `The model's primary key names ${missing.map(quote).join(", ")}, which the table does not have.`,
      "Correct the declaration.",
    );
  }
  const { rows } = await client.query(
    `SELECT 1 FROM pg_index WHERE indrelid = $1 AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
       AND (indkey::int2[])[0:indnkeyatts - 1] <@ $2::int2[]`,
    [relation.oid, numbers],
  );
  if (rows.length > 0) return nullableKey(client, primaryKey, relation);
  return refuse(
    `The model's primary key is ${names}, but no unique index of the table vouches for it: each batch would search the ` +
      "whole table, and two rows could have one key.",
    `ALTER TABLE ${relation.sql} ADD PRIMARY KEY (${names})`,
  );
}

async function nullableKey(
  client: ClientBase,
  primaryKey: readonly string[],
  { oid, sql }: Relation,
): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute JOIN pg_type y ON y.oid = atttypid
     WHERE attrelid = $1 AND attname = ANY ($2) AND NOT (attnotnull OR typnotnull) ORDER BY attnum`,
    [oid, primaryKey],
  );
  return rows.map(({ name }) => ({
    severity: "refusal",
    kind: "primary-key",
    column: name,
    message: `Column "${name}" of the model's primary key may be NULL, and such a row could not be found again.`,
    fix: `ALTER TABLE ${sql} ALTER COLUMN ${quote(name)} SET NOT NULL, or declare another key.`,
  }));
}

async function privilegeFindings(
  client: ClientBase,
  { columns, primaryKey }: Target,
  relation: Relation,
): Promise<Finding[]> {
  const written = columns.flatMap(({ column, cipher }) => [
    column,
    cipher.blindIndex?.column ?? column,
  ]);
  const known = (names: readonly string[]): string[] =>
    names.filter((name) => relation.attributes.has(name));
  const { rows } = await client.query<{ role: string; name: string; privilege: string }>(
    `SELECT current_user AS role, name, privilege FROM (
       SELECT unnest($2::text[]) AS name, 'SELECT' AS privilege UNION SELECT unnest($3::text[]), 'UPDATE'
     ) needed WHERE NOT has_column_privilege($1::oid, name, privilege)`,
    [relation.oid, known([...primaryKey, ...written]), known(written)],
  );
  return rows.map(({ role, name, privilege }) => ({
    severity: "refusal",
    kind: "privilege",
    column: name,
    message: `Role "${role}" may not ${privilege} column "${name}".`,
    fix: `GRANT ${privilege} ON ${relation.sql} TO "${role}"`,
  }));
}

async function rowSecurity(client: ClientBase, relation: Relation): Promise<Finding[]> {
  const { rows } = await client.query<{ isActive: boolean }>(
    `SELECT row_security_active($1::oid) AS "isActive"`,
    [relation.oid],
  );
  if (rows[0]?.isActive !== true) return [];
  return [
    {
      severity: "refusal",
      kind: "row-security",
      message:
        "Row-level security applies to this role: rows that it hides would silently stay as they are.",
      fix: "Use the table's owner without FORCE ROW LEVEL SECURITY, or a role with BYPASSRLS.",
    },
  ];
}

/** Of finished columns that the way back would write: nothing but envelopes may come in. */
export async function fenceFindings(
  client: ClientBase,
  relation: Relation,
  written: readonly string[],
): Promise<Finding[]> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_trigger WHERE tgrelid = $1 AND tgname = $2 AND tgenabled IN ('O', 'A')`,
    [relation.oid, FENCE],
  );
  const fenced = rowCount === 0 ? [] : await fencedColumns(client, relation);
  return fenced
    .filter((name) => written.includes(name))
    .map((name) => ({
      severity: "refusal",
      kind: "trigger",
      column: name,
      message: `The fence of "fieldseal migrate finalize" refuses plaintext of "${name}".`,
      fix: "fieldseal migrate finalize --undo",
    }));
}

/** Triggers that fire on an UPDATE of these columns; those of a partitioned table are copied to its partitions. */
async function triggers(
  client: ClientBase,
  { columns }: Target,
  {
    relation,
    shape,
    isTried,
  }: { readonly relation: Relation; readonly shape: Shape; readonly isTried: boolean },
): Promise<Finding[]> {
  const names = new Map(shape.leaves.map(({ oid, sql }) => [oid, ` of ${sql}`]));
  names.set(relation.oid, "");
  const written = columns.flatMap(({ column, cipher }) => [
    column,
    cipher.blindIndex?.column ?? column,
  ]);
  const { rows } = await client.query<{
    name: string;
    oid: number;
    timing: string;
    function: string;
  }>(
    `SELECT tgname AS name, tgrelid AS oid, tgfoid::regproc::text AS function,
       CASE WHEN tgtype & 2 <> 0 THEN 'before' ELSE 'after' END || CASE WHEN tgtype & 1 <> 0 THEN ' each row' ELSE '' END AS timing
     FROM pg_trigger WHERE tgrelid = ANY ($1) AND tgparentid = 0 AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 16 <> 0
       AND tgname !~ 'fieldseal' AND (tgattr = '' OR EXISTS (SELECT FROM pg_attribute
         WHERE attrelid = tgrelid AND attnum = ANY (tgattr::int2[]) AND attname = ANY ($2))) ORDER BY name, oid`,
    [[...names.keys()], written],
  );
  const trial = isTried
    ? ""
    : ' "fieldseal migrate plan --trial" (trial: true) shows what it does to a write.';
  return rows.map(({ name, oid, timing, function: body }) => ({
    severity: "warning",
    kind: "trigger",
    message:
      `Trigger "${name}"${names.get(oid)} (${body}) runs ${timing} that the engine writes: an update time changes, an audit ` +
      "table fills. If it changes an encrypted column, the run stops, with nothing written.",
    fix: `Let its function see that only encrypted columns change, or accept it.${trial}`,
  }));
}

/** Without an identity, logical replication makes PostgreSQL refuse every UPDATE. */
async function replicaIdentity(client: ClientBase, { leaves }: Shape): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT c.oid::regclass::text AS name FROM pg_class c
     JOIN pg_publication_tables p ON p.schemaname = c.relnamespace::regnamespace::name AND p.tablename = c.relname
     JOIN pg_publication pub ON pub.pubname = p.pubname AND pub.pubupdate
     WHERE c.oid = ANY ($1) AND (relreplident = 'n' OR relreplident = 'd'
       AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisprimary))`,
    [leaves.map(({ oid }) => oid)],
  );
  return rows.map(({ name }) => ({
    severity: "refusal",
    kind: "replica-identity",
    message: `${name} is published by logical replication without a replica identity: PostgreSQL refuses to update it.`,
    fix: `ALTER TABLE ${name} ADD PRIMARY KEY ..., or REPLICA IDENTITY FULL.`,
  }));
}

async function vacuum(client: ClientBase, { leaves }: Shape): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class WHERE oid = ANY ($1)
       AND (NOT current_setting('autovacuum')::bool OR 'autovacuum_enabled=false' = ANY (reloptions)) ORDER BY 1 LIMIT 3`,
    [leaves.map(({ oid }) => oid)],
  );
  return rows.map(({ name }) => ({
    severity: "warning",
    kind: "vacuum",
    message: `Autovacuum is off for ${name}: the row versions that the run replaces would double it.`,
    fix: "Switch it on for the time of the run.",
  }));
}
