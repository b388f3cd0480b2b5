// The public surface of @fieldseal/migrate.
export type {
  ColumnFindings,
  Direction,
  FoundRow,
  PlaintextRow,
  PoisonRow,
  Progress,
  RunOptions,
  RunReport,
  RunState,
  UnreadableRow,
} from "./contract.ts";
export { cancelRun, listRuns, pauseRun, resumeRun } from "./control.ts";
export {
  finalizeColumns,
  undoFinalize,
  type FinalizedColumn,
  type FinalizeOptions,
  type FinalizeProgress,
  type FinalizeStep,
} from "./finalize.ts";
export type { LockOptions } from "./short-lock.ts";
export type { ColumnSurvey, EnvelopeCount } from "./survey.ts";
export { dropSources } from "./drop-sources.ts";
export { migrate } from "./migrate.ts";
export { DEFAULT_LEASE_MS } from "./run.ts";
export type {
  ColumnFrom,
  ColumnPlan,
  ColumnTo,
  Estimate,
  Finding,
  FindingKind,
  MigrationPlan,
  PlanOptions,
  Severity,
  TablePlan,
} from "./plan/contract.ts";
export { planMigration } from "./plan/plan-migration.ts";
export { refuseSharedSessions } from "./pooler.ts";
export { findUnfitColumns, type UnfitColumn } from "./plan/unfit-columns.ts";
export type {
  Remnant,
  RemnantKind,
  ScrubbedTable,
  ScrubOptions,
  ScrubProgress,
  ScrubReport,
  ScrubStep,
} from "./scrub/contract.ts";
export { scrubColumns } from "./scrub/scrub-columns.ts";
export type { ColumnDeclaration } from "./schema-migrations/column-declaration.ts";
export {
  decryptColumns,
  encryptColumns,
  type EncryptColumnsOptions,
  type SchemaMigrationOptions,
} from "./schema-migrations/encrypt-columns.ts";
export type {
  MigrationHost,
  MikroOrmMigration,
  SequelizeQueryInterface,
} from "./schema-migrations/host.ts";
export { runSlice, type SliceOptions, type SliceReport } from "./slice.ts";
export { verifyColumns, type VerifyOptions } from "./verify.ts";
