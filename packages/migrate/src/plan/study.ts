// What a plan learns of the values themselves: how many there are of each kind, how large they become, and how
// constraints take to what would be written.
import { MigrationError, type EncryptedColumn } from "@fieldseal/crypto";
import type { ClientBase } from "pg";
import type { Target } from "../contract.ts";
import { explainSuspicion } from "../legacy-guard.ts";
import type { Relation } from "../relation.ts";
import { surveyColumns, type ColumnSurvey } from "../survey.ts";
import { describeTable, qualifiedName, type Table } from "../table.ts";
import type { Estimate, Finding, PlanOptions } from "./contract.ts";
import { estimate, readWalSettings } from "./estimate.ts";
import { expressionFindings } from "./expressions.ts";
import { sampleRows, type Sample } from "./sample.ts";
import type { Shape } from "./table.ts";
import { tryWrite } from "./trial.ts";
import { rowsToWrite, valueFindings } from "./values.ts";

/** Larger tables are judged by a sample of so much of them. */
const SAMPLE_BYTES = 128 * 1024 * 1024;

/** What one table is planned with. */
export interface Work {
  readonly client: ClientBase;
  readonly target: Target;
  readonly options: PlanOptions & Required<Pick<PlanOptions, "direction" | "sampleRows">>;
}

/** Plain column that a column takes over. */
export function sourceOf(
  { target, options }: Work,
  { column }: EncryptedColumn,
): string | undefined {
  return options.sources?.[qualifiedName(target, column)];
}

export interface Values {
  readonly rows: number;
  readonly isSampled: boolean;
  readonly surveys: readonly ColumnSurvey[];
  readonly estimate: Estimate | undefined;
  readonly findings: readonly Finding[];
}

/** @param found what is known to be wrong already */
export async function studyValues(
  work: Work,
  {
    relation,
    shape,
    findings: found,
  }: { readonly relation: Relation; readonly shape: Shape; readonly findings: readonly Finding[] },
): Promise<Values> {
  const { client, target, options } = work;
  const isSampled = options.exact !== true && shape.bytes.table > SAMPLE_BYTES;
  const samplePercent = isSampled ? (100 * SAMPLE_BYTES) / shape.bytes.table : undefined;
  const counted = await surveyColumns(client, relation, target.columns, {
    samplePercent,
    sourceOf: (column) => sourceOf(work, column),
  });
  const surveys = counted.map((survey) => scale(survey, samplePercent));
  const rows = surveys[0]?.rows ?? 0;
  const findings = surveys.flatMap((survey, i) =>
    valueFindings(target.columns[i] as EncryptedColumn, {
      survey,
      direction: options.direction,
      hasSource: sourceOf(work, target.columns[i] as EncryptedColumn) !== undefined,
    }),
  );
  const table = await describe(work, [...found, ...findings]);
  if (!("slots" in table)) {
    return {
      rows,
      isSampled,
      surveys,
      estimate: undefined,
      findings: [...findings, ...table.findings],
    };
  }
  const studied = await studySample(work, { relation, shape, table, surveys });
  return {
    rows,
    isSampled,
    surveys,
    estimate: studied.estimate,
    findings: [...findings, ...studied.findings],
  };
}

async function studySample(
  { client, options }: Work,
  site: {
    readonly relation: Relation;
    readonly shape: Shape;
    readonly table: Table;
    readonly surveys: readonly ColumnSurvey[];
  },
): Promise<Pick<Values, "estimate" | "findings">> {
  const { relation, shape, table, surveys } = site;
  const { direction } = options;
  const rows = surveys[0]?.rows ?? 0;
  const sample = await sampleRows(client, {
    relation,
    table,
    direction,
    samplePercent: spread(rows, options.sampleRows),
    limit: options.sampleRows,
  });
  const trial =
    options.trial === true ? await tryWrite(client, { relation, table, sample }) : undefined;
  const findings = [
    ...wrongLegacyKey(sample, table),
    ...unreadable(sample, rows),
    ...(await expressionFindings(client, { relation, table, sample, direction })),
    ...(trial?.findings ?? []),
  ];
  return {
    findings,
    estimate: estimate({
      rows,
      rowsToWrite: rowsToWrite(table.columns, { surveys, direction, sample }),
      shape,
      sample,
      wal: await readWalSettings(client),
      writeMsPerRow: trial?.millisecondsPerRow,
    }),
  };
}

/** Percent of the pages that gives about four times the rows asked for: the first ones would all be of one place. */
function spread(rows: number, wanted: number): number | undefined {
  const percent = (400 * wanted) / Math.max(1, rows);
  return percent < 50 ? percent : undefined;
}

function wrongLegacyKey({ suspicion }: Sample, table: Table): Finding[] {
  if (suspicion === undefined) return [];
  const { column } = suspicion;
  return [{ severity: "refusal", kind: "key", column, ...explainSuspicion(table, suspicion) }];
}

const KEY_CODES = ["ERR_KEY_UNKNOWN", "ERR_KEY_DISABLED", "ERR_KEY_DESTROYED"];

function unreadable({ poison, rows: sampled }: Sample, rows: number): Finding[] {
  const columns = Map.groupBy(poison, ({ column, code }) => JSON.stringify([column, code]));
  return [...columns.values()].map((of) => {
    const { column, code } = of[0] as (typeof of)[number];
    const share = `${of.length} of ${sampled} sampled rows`;
    const estimated = Math.round((of.length / sampled) * rows);
    return {
      severity: "warning",
      kind: "unreadable",
      column,
      message: `${share} cannot be read (${code}), about ${estimated} in all: the run leaves them as they are and ends "partial".`,
      fix: KEY_CODES.includes(code)
        ? "Add the key that wrote them to the keyring."
        : '"fieldseal verify" names them; correct or delete them.',
    };
  });
}

/** The engine's own view; its refusal when nothing else explains that. */
async function describe(
  { client, target, options }: Work,
  found: readonly Finding[],
): Promise<Table | { readonly findings: readonly Finding[] }> {
  try {
    return await describeTable(client, target, options);
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    const isExplained = found.some(({ severity }) => severity === "refusal");
    const { message } = error;
    return { findings: isExplained ? [] : [{ severity: "refusal", kind: "missing", message }] };
  }
}

function scale(survey: ColumnSurvey, samplePercent: number | undefined): ColumnSurvey {
  if (samplePercent === undefined) return survey;
  const all = (count: number): number => Math.round((count * 100) / samplePercent);
  return {
    rows: all(survey.rows),
    nulls: all(survey.nulls),
    others: all(survey.others),
    envelopes: survey.envelopes.map((one) => ({ ...one, values: all(one.values) })),
  };
}
