// Test kit: counters, and the conformance suite that every adapter runs.
export { countOperations, type OperationCounts } from "./testing/count-operations.ts";
