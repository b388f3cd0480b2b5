// The public surface of @fieldseal/migrate.
export type {
  ColumnFindings,
  Direction,
  PoisonRow,
  Progress,
  RunOptions,
  RunReport,
  RunState,
} from "./contract.ts";
export { cancelRun, listRuns, pauseRun } from "./control.ts";
export { migrate } from "./migrate.ts";
export { verifyColumns, type VerifyOptions } from "./verify.ts";
