// What the page says of a re-encryption: four figures, and one sentence about what is stored under which key.
import type { KeyInfo, RotationState } from "./contract.ts";
import { count, counted, duration } from "./format.ts";

export type KeyUse = Pick<KeyInfo, "values" | "objects">;
export type Figures = readonly (readonly [name: string, value: string])[];

const NO_FIGURES: Figures = [
  ["Rows and files", "–"],
  ["Speed", "–"],
  ["Remaining", "–"],
  ["Failures", "–"],
];

/** Nothing moves any more in what has ended or is paused: there the time counts that it took. */
export function figuresOf(rotation: RotationState | null): Figures {
  if (rotation === null || rotation.total === 0) return NO_FIGURES;
  const { state, done, total, rowsPerSecond, etaSeconds, workedSeconds, failures } = rotation;
  const progress = done < total ? `${count(done)} of ${count(total)}` : count(total);
  const moving: Figures =
    state === "running"
      ? [
          ["Speed", speed(rowsPerSecond)],
          ["Remaining", etaSeconds === null ? "–" : duration(etaSeconds)],
        ]
      : [
          ["Average speed", speed(workedSeconds > 0 ? done / workedSeconds : 0)],
          ["Time", workedSeconds > 0 ? duration(workedSeconds) : "–"],
        ];
  return [["Rows and files", progress], ...moving, ["Failures", count(failures)]];
}

function speed(perSecond: number): string {
  return perSecond > 0 ? `${count(Math.max(1, Math.round(perSecond)))} per second` : "–";
}

/** What is stored under other keys than the primary; null while nobody has counted. */
export function oldUseOf(keys: readonly KeyInfo[] | null): KeyUse | null {
  if (keys === null) return null;
  const old = keys.filter(({ status }) => status !== "primary");
  return {
    values: old.reduce((sum, { values }) => sum + values, 0),
    objects: old.reduce((sum, { objects }) => sum + objects, 0),
  };
}

/** Of what is counted, not of what the last run reached: a key may have been added since. */
export function sentenceOf({ values, objects }: KeyUse): string {
  if (values + objects === 0) return "Everything is under the primary key";
  const parts = [
    ...(values > 0 ? [counted(values, "value")] : []),
    ...(objects > 0 ? [counted(objects, "file")] : []),
  ];
  return `${parts.join(" and ")} under an older key`;
}
