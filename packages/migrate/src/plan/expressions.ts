// CHECK constraints, index expressions and generated columns, evaluated by the database itself on sampled rows with
// the values that the run would write: what fails here fails there.
import { envelopeCondition } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Direction } from "../contract.ts";
import type { Relation } from "../relation.ts";
import { silently } from "../silent-statement.ts";
import { quote, type Table } from "../table.ts";
import type { Finding } from "./contract.ts";
import { valuesOf, type Sample } from "./sample.ts";

export interface ExpressionSite {
  readonly relation: Relation;
  readonly table: Table;
  readonly sample: Sample;
  readonly direction: Direction;
}

interface Expression {
  readonly kind: "check" | "index" | "generated";
  readonly name: string;
  readonly sql: string;
  /** Numbers of the columns in it. */
  readonly columns: readonly number[];
}

export async function expressionFindings(
  client: ClientBase,
  site: ExpressionSite,
): Promise<Finding[]> {
  if (site.sample.changed.length === 0) return [];
  const findings: Finding[] = [];
  const written = writtenNumbers(site);
  for (const expression of await expressionsOf(client, site.relation)) {
    if (!expression.columns.some((number) => written.includes(number))) continue;
    const outcome = await evaluate(client, site, expression);
    if (outcome !== "holds") findings.push(describe(expression, site, outcome));
  }
  return [...findings, ...(await oversized(client, site))];
}

function writtenNumbers({ relation, table }: ExpressionSite): number[] {
  return table.slots.flatMap(({ name, assign }) => {
    const number = relation.attributes.get(name)?.number;
    return assign === undefined || number === undefined ? [] : [number];
  });
}

async function expressionsOf(client: ClientBase, { oid }: Relation): Promise<Expression[]> {
  const { rows } = await client.query<Expression>(
    `SELECT 'check' AS kind, conname AS name, pg_get_expr(conbin, conrelid) AS sql, conkey::int[] AS columns
     FROM pg_constraint WHERE conrelid = $1 AND contype = 'c' AND conkey IS NOT NULL
     UNION ALL SELECT 'index', indexrelid::regclass::text, concat_ws(', ', pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid)),
       ARRAY(SELECT refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = indexrelid
         AND refclassid = 'pg_class'::regclass AND refobjid = indrelid AND refobjsubid > 0)
     FROM pg_index WHERE indrelid = $1 AND (indexprs IS NOT NULL OR indpred IS NOT NULL)
     UNION ALL SELECT 'generated', attname, pg_get_expr(adbin, adrelid),
       ARRAY(SELECT refobjsubid FROM pg_depend d WHERE refclassid = 'pg_class'::regclass AND refobjid = adrelid AND refobjsubid > 0
         AND (d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid OR d.classid = 'pg_class'::regclass AND d.objid = adrelid AND d.objsubid = adnum))
     FROM pg_attrdef a JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = $1 AND attgenerated <> ''
     ORDER BY name`,
    [oid],
  );
  return rows;
}

type Outcome = "holds" | "is violated" | "fails";

async function evaluate(
  client: ClientBase,
  { relation, table, sample }: ExpressionSite,
  { kind, sql }: Expression,
): Promise<Outcome> {
  const values = valuesOf(table, sample.changed);
  const assigned = new Map(
    table.slots.flatMap(({ name, assign }, i) =>
      assign ? [[name, assign(`v.c${i}`)] as const] : [],
    ),
  );
  const columns = [...relation.attributes.keys()].map(
    (name) => `${assigned.get(name) ?? `t.${quote(name)}`} AS ${quote(name)}`,
  );
  // An expression names columns without their table, or the table by its bare name.
  const row = `(SELECT ${columns.join(", ")} FROM ${relation.sql} t JOIN ${values.sql} ON t.tableoid = v.leaf AND t.ctid = v.place) ${quote(relation.name)}`;
  const result = kind === "check" ? `count(*) FILTER (WHERE NOT (${sql}))` : `count(ROW(${sql}))`;
  try {
    const statement = { text: `SELECT ${result} AS count FROM ${row}`, types: values.types };
    const execute = await silently<{ count: number }>(client, statement);
    const rows = await execute(values.parameters);
    return kind === "check" && Number(rows[0]?.count) > 0 ? "is violated" : "holds";
  } catch {
    return "fails"; // its message may quote a value
  }
}

function describe(
  { kind, name, columns }: Expression,
  site: ExpressionSite,
  outcome: Outcome,
): Finding {
  const { relation, table, direction } = site;
  const column = table.migrated.find(({ column: { column: own } }) =>
    columns.includes(relation.attributes.get(own)?.number ?? 0),
  )?.column.column;
  const form = direction === "encrypt" ? "ciphertext" : "plaintext";
  const where = column === undefined ? {} : { column };
  if (kind === "check") {
    const isOwn =
      direction === "decrypt" && outcome === "is violated" && name.endsWith("_encrypted");
    return {
      severity: "refusal",
      kind: "check-constraint",
      ...where,
      message: `CHECK constraint "${name}" ${outcome === "fails" ? "fails on" : "refuses"} ${form}.`,
      fix: isOwn
        ? "fieldseal migrate finalize --undo"
        : `Check the value in the application, then: ALTER TABLE ${relation.sql} DROP CONSTRAINT ${quote(name)}`,
    };
  }
  return kind === "index"
    ? {
        severity: "refusal",
        kind: "index",
        ...where,
        message: `The expression of index ${name} fails on ${form}.`,
        fix: `DROP INDEX CONCURRENTLY ${name}`,
      }
    : {
        severity: "refusal",
        kind: "generated-column",
        ...where,
        message: `The expression of generated column "${name}" fails on ${form}.`,
        fix: `ALTER TABLE ${relation.sql} DROP COLUMN ${quote(name)}, and compute it in the application.`,
      };
}

/** A B-tree takes no longer values: a third of a page. */
const MAX_INDEXED_BYTES = 2700;

async function oversized(
  client: ClientBase,
  { relation, table, sample, direction }: ExpressionSite,
): Promise<Finding[]> {
  if (direction === "decrypt") return [];
  const findings: Finding[] = [];
  for (const { column, valueAt } of table.migrated) {
    const { rows } = await client.query<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class i ON i.oid = indexrelid
       JOIN pg_am ON pg_am.oid = relam WHERE indrelid = $1 AND amname = 'btree' AND $2 = ANY (indkey::int2[]) ORDER BY name`,
      [relation.oid, relation.attributes.get(column.column)?.number],
    );
    if (rows.length === 0) continue;
    const name = quote(column.column);
    const plain = `NOT (${envelopeCondition(`t.${name}`, column.cipher.storage)})`;
    const { rows: longest } = await client.query<{ bytes: number | null }>(
      `SELECT max(octet_length(t.${name})) AS bytes FROM ${relation.sql} t WHERE ${plain}`,
    );
    const sealed = sample.changed.map(({ cells }) => Buffer.byteLength(cells[valueAt] ?? ""));
    const ratio = column.cipher.storage === "text" ? 4 / 3 : 1;
    const largest = Math.max(0, ...sealed, ((longest[0]?.bytes ?? 0) + 9 + 16 + 32) * ratio);
    if (largest <= MAX_INDEXED_BYTES) continue;
    findings.push(
      ...rows.map(({ name: index }): Finding => ({
        severity: "refusal",
        kind: "index",
        column: column.column,
        message: `Index ${index} cannot hold ciphertext of ${Math.round(largest)} bytes; a B-tree takes ${MAX_INDEXED_BYTES}.`,
        fix: `DROP INDEX CONCURRENTLY ${index}`,
      })),
    );
  }
  return findings;
}
