// The end of a migration: from here on the database itself refuses what is no envelope.
import {
  envelopeCondition,
  envelopeConstraintName,
  MigrationError,
  type EncryptedColumn,
} from "@fieldseal/crypto";
import type { ClientBase, Pool } from "pg";
import { databaseError, withClient } from "./connections.ts";
import type { Target } from "./contract.ts";
import {
  dropFence,
  fencedColumns,
  fenceOf,
  findConstraint,
  giveFenceItsName,
  hasFence,
  raiseFence,
} from "./fence.ts";
import { refuseForeignFunction } from "./ownership.ts";
import { companionFindings } from "./plan/columns.ts";
import { displayName, requireRelation, type Relation } from "./relation.ts";
import { withShortLock, type LockOptions } from "./short-lock.ts";
import { surveyAll } from "./survey.ts";
import { groupByTable, quote } from "./table.ts";

export interface FinalizeOptions extends LockOptions {
  /**
   * Raises the fence although values are left that are no envelope: from then on nobody adds another, and the next run
   * ends. Writers that still store plaintext fail. Defaults to false: such a table is reported and left as it is.
   */
  readonly fenceFirst?: boolean;
  /** Called before each step. */
  readonly onStep?: (step: FinalizeProgress) => void;
}

export interface FinalizeProgress {
  readonly table: string;
  /** Undefined in steps of the whole table. */
  readonly column: string | undefined;
  readonly step: FinalizeStep;
}

export type FinalizeStep = "survey" | "fence" | "constraint" | "validate" | "undo";

export interface FinalizedColumn {
  readonly model: string;
  readonly field: string;
  readonly table: string;
  readonly column: string;
  /** Values that are no envelope: plaintext, or the legacy layout. Above 0 nothing of this column is finalized. */
  readonly remaining: number;
  readonly hasFence: boolean;
  /** Name of the CHECK constraint; undefined without one. */
  readonly constraint: string | undefined;
  /** The database has read every row and vouches for it. */
  readonly isValidated: boolean;
  /** What this call changed; empty when all stood already. */
  readonly changes: readonly ("fence" | "constraint" | "validate" | "undo")[];
  /** Options that have done their work: the column can turn strict without them. */
  readonly obsoleteOptions: readonly ("plaintext" | "legacy")[];
}

/**
 * Installs a fence (a trigger that refuses plaintext, naming no value) and a validated CHECK constraint on every table
 * whose values are all envelopes. Each step takes its lock for milliseconds, and gives up and tries again rather than
 * wait in front of the application; validation locks nobody out. Everything that stands already is left as it is.
 *
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET` when a column still writes what the guards would refuse,
 * `ERR_MIGRATE_BUSY`
 * @example
 * ```ts
 * const report = await finalizeColumns(pool, encryptedColumns(sequelize));
 * const open = report.filter(({ isValidated }) => !isValidated);
 * ```
 */
export async function finalizeColumns(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: FinalizeOptions = {},
): Promise<FinalizedColumn[]> {
  columns.forEach(refuseInsecureWrites);
  return eachTable(pool, columns, async (client, target) => {
    const relation = await requireRelation(client, target);
    refuseWithoutCompanion(target, relation);
    return finalizeTable({ client, target, relation, options });
  });
}

/**
 * Takes fences and CHECK constraints away again, before a `decrypt` run for example.
 * @throws {@link MigrationError} `ERR_MIGRATE_TARGET`, `ERR_MIGRATE_BUSY`
 */
export async function undoFinalize(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  options: Omit<FinalizeOptions, "fenceFirst"> = {},
): Promise<FinalizedColumn[]> {
  return eachTable(pool, columns, async (client, target) => {
    const relation = await requireRelation(client, target);
    return undoTable({ client, target, relation, options });
  });
}

interface Work {
  readonly client: ClientBase;
  readonly target: Target;
  readonly relation: Relation;
  readonly options: FinalizeOptions;
}

async function eachTable(
  pool: Pool,
  columns: readonly EncryptedColumn[],
  action: (client: ClientBase, target: Target) => Promise<FinalizedColumn[]>,
): Promise<FinalizedColumn[]> {
  return withClient(pool, async (client) => {
    const reports: FinalizedColumn[] = [];
    for (const target of groupByTable(columns)) {
      try {
        reports.push(...(await action(client, target)));
      } catch (error) {
        // PostgreSQL's own messages may quote a row.
        throw databaseError(error, { table: target.table, what: "a step" });
      }
    }
    return reports;
  });
}

async function finalizeTable(work: Work): Promise<FinalizedColumn[]> {
  const { client, target, relation, options } = work;
  const fenced = await fencedColumns(client, relation);
  const fence = fenceOf(relation, [...fenced, ...target.columns.map(({ column }) => column)]);
  let isFenced = await hasFence(client, relation, fence);
  announce(work, "survey");
  const before = await surveyAll(client, relation, target.columns);
  const isComplete = before.every(({ others }) => others === 0);
  const raises = !isFenced && (isComplete || options.fenceFirst === true);
  if (raises) {
    announce(work, "fence");
    await refuseForeignFunction(client, fence.functionSql);
    const renamed = await giveFenceItsName(client, relation, fence);
    const statements = [...renamed, ...raiseFence(relation, fence)];
    await withShortLock(client, relation, { statements, options });
    isFenced = true;
  }
  const reports: FinalizedColumn[] = [];
  for (const [i, column] of target.columns.entries()) {
    const others = before[i]?.others ?? 0;
    const constrained = await constrain(work, { column, remaining: others });
    const changes = raises ? (["fence"] as const) : [];
    reports.push({
      ...identity(column),
      ...constrained,
      hasFence: isFenced,
      changes: [...changes, ...constrained.changes],
      obsoleteOptions: constrained.isValidated ? obsoleteOptions(column) : [],
    });
  }
  return reports;
}

type Constrained = Pick<FinalizedColumn, "remaining" | "constraint" | "isValidated" | "changes">;

const CHECK_VIOLATION = "23514";

async function constrain(
  work: Work,
  { column, remaining }: { readonly column: EncryptedColumn; readonly remaining: number },
): Promise<Constrained> {
  const { client, relation, options } = work;
  const found = await findConstraint(client, relation, column);
  const { name = envelopeConstraintName(relation.name, column.column), isValidated = false } =
    found ?? {};
  if (isValidated) return { remaining: 0, constraint: name, isValidated, changes: [] };
  if (remaining > 0) return { remaining, constraint: found?.name, isValidated, changes: [] };
  if (found === undefined) {
    announce(work, "constraint", column.column);
    const condition = envelopeCondition(quote(column.column), column.cipher.storage);
    const sql = `ALTER TABLE ${relation.sql} ADD CONSTRAINT ${quote(name)} CHECK (${condition}) NOT VALID`;
    await withShortLock(client, relation, { statements: [sql], options });
  }
  announce(work, "validate", column.column);
  const added = found === undefined ? (["constraint"] as const) : [];
  if (await validate(work, name)) {
    return { remaining: 0, constraint: name, isValidated: true, changes: [...added, "validate"] };
  }
  // A row came in before the fence. The constraint would refuse every change of it, in other columns too.
  if (found === undefined) {
    await withShortLock(client, relation, {
      statements: [dropConstraint(relation, name)],
      options,
    });
  }
  const [left] = await surveyAll(client, relation, [column]);
  return {
    remaining: left?.others ?? 0,
    constraint: found?.name,
    isValidated: false,
    changes: [],
  };
}

/** Reads the whole table under a lock that only other changes of the table wait for. */
async function validate({ client, relation, options }: Work, name: string): Promise<boolean> {
  const sql = `ALTER TABLE ${relation.sql} VALIDATE CONSTRAINT ${quote(name)}`;
  try {
    await withShortLock(client, relation, {
      statements: ["SET LOCAL statement_timeout = 0", sql],
      options,
    });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === CHECK_VIOLATION) return false;
    throw error;
  }
}

async function undoTable(work: Work): Promise<FinalizedColumn[]> {
  const { client, target, relation, options } = work;
  const fenced = await fencedColumns(client, relation);
  const undone = target.columns.map(({ column }) => column);
  const others = fenced.filter((column) => !undone.includes(column));
  const constraints: string[] = [];
  for (const column of target.columns) {
    const found = await findConstraint(client, relation, column);
    if (found) constraints.push(found.name);
  }
  const isFenced = others.length < fenced.length;
  const isUndone = isFenced || constraints.length > 0;
  if (isUndone) {
    announce(work, "undo");
    const statements = [
      ...constraints.map((name) => dropConstraint(relation, name)),
      ...(others.length > 0 ? raiseFence : dropFence)(relation, fenceOf(relation, others)),
    ];
    await withShortLock(client, relation, { statements, options });
  }
  const surveys = await surveyAll(client, relation, target.columns);
  return target.columns.map((column, i) => ({
    ...identity(column),
    remaining: surveys[i]?.others ?? 0,
    hasFence: false,
    constraint: undefined,
    isValidated: false,
    changes: isUndone ? ["undo"] : [],
    obsoleteOptions: [],
  }));
}

function dropConstraint(relation: Relation, name: string): string {
  return `ALTER TABLE ${relation.sql} DROP CONSTRAINT IF EXISTS ${quote(name)}`;
}

function announce({ target, options }: Work, step: FinalizeStep, column?: string): void {
  options.onStep?.({ table: displayName(target), column, step });
}

function identity({ model, field, table, column }: EncryptedColumn) {
  return { model, field, table, column };
}

function obsoleteOptions({ cipher }: EncryptedColumn): FinalizedColumn["obsoleteOptions"] {
  const { plaintext, legacy } = cipher.options;
  return [
    ...(plaintext === "accept" ? (["plaintext"] as const) : []),
    ...(legacy !== undefined ? (["legacy"] as const) : []),
  ];
}

/** A strict table whose blind index has nowhere to be stored takes no row from the application. */
function refuseWithoutCompanion({ table, columns }: Target, relation: Relation): void {
  const [finding] = columns.flatMap((column) => companionFindings({ relation, column }));
  if (finding === undefined) return;
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `Table "${table}" cannot be finalized. ${finding.message} ${finding.fix}.`,
    { table },
  );
}

/** The guards would turn what these options store into errors of the application. */
function refuseInsecureWrites({ model, field, table, cipher }: EncryptedColumn): void {
  const { suite, onEncryptFailure } = cipher.options;
  const option =
    suite === "aes-256-cbc"
      ? 'suite: "aes-256-cbc"'
      : onEncryptFailure === "insecure-store-plaintext"
        ? 'onEncryptFailure: "insecure-store-plaintext"'
        : undefined;
  if (option === undefined) return;
  throw new MigrationError(
    "ERR_MIGRATE_TARGET",
    `Table "${table}" cannot be finalized: with ${option}, ${model}.${field} stores values that the constraint would ` +
      "refuse. Take the option out and deploy, then finalize.",
    { table },
  );
}
