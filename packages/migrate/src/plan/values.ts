// What a survey says about a run: what there is to do, and which values it would have to leave.
import type { EncryptedColumn } from "@fieldseal/crypto";
import type { Direction } from "../contract.ts";
import type { ColumnSurvey } from "../survey.ts";
import type { ColumnFrom, Finding } from "./contract.ts";
import type { Sample } from "./sample.ts";

export function fromOf({ cipher }: EncryptedColumn, survey: ColumnSurvey): ColumnFrom {
  const { nulls, others, envelopes } = survey;
  const isLegacy = cipher.options.legacy !== undefined;
  return {
    nulls,
    plaintext: isLegacy ? 0 : others,
    legacy: isLegacy ? others : 0,
    envelopes,
  };
}

export interface ValueSite {
  readonly survey: ColumnSurvey;
  readonly direction: Direction;
  readonly hasSource: boolean;
}

export function valueFindings(column: EncryptedColumn, site: ValueSite): Finding[] {
  const { survey, direction, hasSource } = site;
  const { model, field, cipher } = column;
  const { plaintext, legacy, suite, onEncryptFailure } = cipher.options;
  const where = { column: column.column };
  const findings: Finding[] = [];
  if (survey.others > 0 && plaintext !== "accept" && legacy === undefined && !hasSource) {
    findings.push({
      severity: "refusal",
      kind: "plaintext",
      ...where,
      message: `${survey.others} values are no envelope, and ${model}.${field} accepts none: they would be left as they are.`,
      fix: 'Declare plaintext: "accept" (or legacy, for the legacy layout) until the migration is done.',
    });
  }
  if (direction === "encrypt" && suite === "aes-256-cbc") {
    findings.push({
      severity: "refusal",
      kind: "insecure-write",
      ...where,
      message: `${model}.${field} still writes the legacy layout: the application would undo the migration.`,
      fix: 'Take suite: "aes-256-cbc" out of its options and deploy; legacy goes on reading.',
    });
  }
  if (direction === "encrypt" && onEncryptFailure !== undefined && onEncryptFailure !== "throw") {
    findings.push({
      severity: "warning",
      kind: "insecure-write",
      ...where,
      message: `${model}.${field} stores plaintext whenever encryption fails; finalize will refuse that.`,
      fix: "Take onEncryptFailure out of its options.",
    });
  }
  return findings;
}

/** Values of a column that are not in their final form. */
function staleValues(
  { cipher }: EncryptedColumn,
  survey: ColumnSurvey,
  direction: Direction,
): number {
  const counted = survey.envelopes.filter(
    ({ suite, keyId }) =>
      direction === "decrypt" || suite !== cipher.suite || keyId !== cipher.primaryKeyId,
  );
  const others = direction === "encrypt" || cipher.options.legacy !== undefined ? survey.others : 0;
  return others + counted.reduce((sum, { values }) => sum + values, 0);
}

/** A row is written once, whichever of its columns is stale: between the largest count and their sum. */
export function rowsToWrite(
  columns: readonly EncryptedColumn[],
  run: {
    readonly surveys: readonly ColumnSurvey[];
    readonly direction: Direction;
    readonly sample: Sample;
  },
): number {
  const { surveys, direction, sample } = run;
  const rows = surveys[0]?.rows ?? 0;
  const stale = surveys.map((survey, i) =>
    staleValues(columns[i] as EncryptedColumn, survey, direction),
  );
  const sampled = sample.rows === 0 ? 0 : Math.round((sample.changed.length / sample.rows) * rows);
  const least = Math.max(0, ...stale);
  const most = Math.min(
    rows,
    stale.reduce((sum, count) => sum + count, 0),
  );
  // Blind indexes that are empty, and padding, show in the sample only.
  const isVisible = columns.every(
    ({ cipher }) => !cipher.blindIndex && cipher.options.pad === undefined,
  );
  return Math.max(least, Math.min(isVisible ? most : rows, sampled));
}
