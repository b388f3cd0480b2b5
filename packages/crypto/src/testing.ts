// Test kit: counters, and the conformance suite that every adapter runs.
export { describeConformance } from "./testing/conformance.ts";
export {
  Not,
  type ConformanceCondition,
  type ConformanceDefinition,
  type ConformanceField,
  type ConformanceHarness,
  type ConformanceModel,
  type ConformanceRecord,
  type TestFramework,
} from "./testing/conformance-harness.ts";
export { countOperations, type OperationCounts } from "./testing/count-operations.ts";
