// Boxes for tests: what a test does not care about has a default.
import type { Box } from "../src/editor/box.ts";

export function box(fields: Partial<Box> = {}): Box {
  return {
    id: "a",
    label: "person",
    note: null,
    confidence: null,
    x: 10,
    y: 10,
    width: 20,
    height: 20,
    ...fields,
  };
}
