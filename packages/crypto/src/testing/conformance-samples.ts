// Values, fields and names that the parts of the conformance suite share.
import { randomUUID } from "node:crypto";
import type { ConformanceField, ConformanceRecord } from "./conformance-harness.ts";

/** One value per type, each with something that careless code loses. */
export const SAMPLE: ConformanceRecord = Object.freeze({
  label: "naïve 🦭 $1 :name 'quoted' \\ back",
  box: { label: "car", corners: [1, 2.5, -3, 0], nested: { empty: {}, nothing: null } },
  frame: Buffer.from([0, 255, 1, 254, 0, 92, 39]),
  thumb: Buffer.from("a small picture").toString("base64"),
});

export const TYPES: Readonly<Record<string, ConformanceField["type"]>> = {
  label: "text",
  box: "json",
  frame: "binary",
  thumb: "base64",
};

/** Fields of all four types with the same options. */
export function fieldsOf(options: ConformanceField["options"]): Record<string, ConformanceField> {
  return Object.fromEntries(Object.entries(TYPES).map(([name, type]) => [name, { type, options }]));
}

/** A name that no other model of the run has. */
export function uniqueName(base: string): string {
  return `${base}_${randomUUID().replaceAll("-", "").slice(0, 12)}`;
}
