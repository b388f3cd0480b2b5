// What a run would do and meet, before it does anything.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { Pool } from "pg";
import { FORMS, withClient } from "../connections.ts";
import type { Direction } from "../contract.ts";
import { fixOfMissingTable } from "../missing.ts";
import { displayName, findRelation, type Relation } from "../relation.ts";
import { refuseSharedSessions } from "../pooler.ts";
import { refuseDescribedTwice } from "../refusals.ts";
import { SILENCE } from "../silent-statement.ts";
import { refuseUnknownColumns } from "../sources.ts";
import type { ColumnSurvey } from "../survey.ts";
import { groupByTable } from "../table.ts";
import { columnFindings } from "./columns.ts";
import type {
  ColumnPlan,
  ColumnTo,
  Finding,
  MigrationPlan,
  PlanOptions,
  TablePlan,
} from "./contract.ts";
import { serverFindings } from "./server.ts";
import { sourceOf, studyValues, type Work } from "./study.ts";
import { fenceFindings, shapeOf, tableFindings } from "./table.ts";
import { fromOf } from "./values.ts";

const DEFAULTS = { direction: "encrypt" as Direction, sampleRows: 500, maxSnapshotAgeSeconds: 300 };

/**
 * What a run of these columns would do: rows, bytes, write-ahead log, time; what the columns hold now, and under which
 * keys; and everything that would make it fail, or surprise somebody afterwards, with a fix each. Changes nothing.
 *
 * @returns `isPossible` is false when there is a refusal
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when `sources` names a column that is none of these, two models
 * describe one column, or through a pooler in transaction mode
 * @example
 * ```ts
 * const plan = await planMigration(pool, encryptedColumns(sequelize));
 * for (const { table, findings } of plan.tables) console.log(table, findings);
 * ```
 */
export async function planMigration(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: PlanOptions = {},
): Promise<MigrationPlan> {
  refuseUnknownColumns(columns, options);
  const complete = { ...DEFAULTS, ...options };
  await refuseSharedSessions(pool);
  return withClient(pool, async (client) => {
    await client.query(`SET statement_timeout = 0; ${FORMS}; ${SILENCE}`);
    await refuseDescribedTwice(client, columns, options);
    const findings = await serverFindings(client, complete);
    const tables: TablePlan[] = [];
    for (const target of groupByTable(columns)) {
      complete.signal?.throwIfAborted();
      tables.push(await planTable({ client, target, options: complete }));
    }
    const all = [...findings, ...tables.flatMap((table) => table.findings)];
    const isPossible = all.every(({ severity }) => severity !== "refusal");
    return { direction: complete.direction, isPossible, tables, findings: bySeverity(findings) };
  });
}

async function planTable(work: Work): Promise<TablePlan> {
  const { client, target } = work;
  const relation = await findRelation(client, target);
  if (relation === undefined) {
    return unplanned(work, await fixOfMissingTable(client, target));
  }
  const shape = await shapeOf(client, relation);
  const findings = await tableFindings(client, {
    target,
    relation,
    shape,
    isTried: work.options.trial === true,
  });
  if (work.options.direction === "decrypt") {
    const written = target.columns.filter((column) => sourceOf(work, column) === undefined);
    const names = written.map(({ column }) => column);
    findings.push(...(await fenceFindings(client, relation, names)));
  }
  for (const column of target.columns) {
    const source = sourceOf(work, column);
    const site = { relation, column, direction: work.options.direction, source };
    findings.push(...(await columnFindings(client, site)));
  }
  const isReadable = findings.every(
    ({ kind, severity }) => (kind !== "missing" && kind !== "privilege") || severity !== "refusal",
  );
  const values = isReadable ? await studyValues(work, { relation, shape, findings }) : undefined;
  return {
    schema: target.schema,
    table: target.table,
    rows: values?.rows ?? Math.max(0, shape.rowsGuessed),
    isSampled: values?.isSampled ?? false,
    bytes: shape.bytes,
    partitions: relation.kind === "p" ? shape.leaves.map(({ sql }) => sql) : [],
    columns: target.columns.map((column, i) =>
      columnPlan(work, { column, relation, survey: values?.surveys[i] }),
    ),
    estimate: values?.estimate,
    findings: bySeverity([...findings, ...(values?.findings ?? [])]),
  };
}

function unplanned(work: Work, fix: string): TablePlan {
  const { target } = work;
  const message = `Table "${displayName(target)}" does not exist, or this role may not see it.`;
  return {
    schema: target.schema,
    table: target.table,
    rows: 0,
    isSampled: false,
    bytes: { table: 0, toast: 0, indexes: 0 },
    partitions: [],
    columns: target.columns.map((column) =>
      columnPlan(work, { column, relation: undefined, survey: undefined }),
    ),
    estimate: undefined,
    findings: [{ severity: "refusal", kind: "missing", message, fix }],
  };
}

function columnPlan(
  work: Work,
  {
    column,
    relation,
    survey,
  }: {
    readonly column: EncryptedColumn;
    readonly relation: Relation | undefined;
    readonly survey: ColumnSurvey | undefined;
  },
): ColumnPlan {
  return {
    model: column.model,
    field: column.field,
    column: column.column,
    type: relation?.attributes.get(column.column)?.type,
    source: sourceOf(work, column),
    from: survey && fromOf(column, survey),
    to: toOf(column, work.options.direction),
  };
}

function toOf({ cipher }: EncryptedColumn, direction: Direction): ColumnTo {
  const isEncrypting = direction === "encrypt";
  return {
    form: isEncrypting ? "envelopes" : "plaintext",
    suite: isEncrypting ? cipher.suite : undefined,
    keyId: isEncrypting ? cipher.primaryKeyId : undefined,
    storage: cipher.storage,
    blindIndex: isEncrypting ? cipher.blindIndex?.column : undefined,
  };
}

const ORDER = ["refusal", "warning", "note"];

function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}
