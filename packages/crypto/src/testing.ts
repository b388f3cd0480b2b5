// Test kit: counters, and the conformance suite that every adapter runs.
export { describeConformance } from "./testing/conformance.ts";
export type {
  ConformanceDefinition,
  ConformanceField,
  ConformanceHarness,
  ConformanceModel,
  ConformanceRecord,
  TestFramework,
} from "./testing/conformance-harness.ts";
export { countOperations, type OperationCounts } from "./testing/count-operations.ts";
