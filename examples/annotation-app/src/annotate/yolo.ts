// YOLO: a text file per frame, a line per box: class, centre and size as shares of the picture; data.yaml has the names.
import { strToU8, zipSync } from "fflate";
import type { ExportedBox, ExportedFrame } from "./coco.ts";
import { UniqueNames } from "./unique-names.ts";

export function toYoloZip(frames: readonly ExportedFrame[], labels: readonly string[]): Uint8Array {
  const classes = new Map(labels.map((name, i) => [name, i]));
  const classOf = (label: string): number => {
    const found = classes.get(label);
    if (found === undefined) throw new Error("A label has no class.");
    return found;
  };
  const files: Record<string, Uint8Array> = { "data.yaml": strToU8(dataYaml(labels)) };
  const stems = new UniqueNames();
  for (const frame of frames) {
    const lines = frame.boxes.map((box) => line(box, frame, classOf(box.label)));
    files[`labels/${stems.take(stemOf(frame.fileName))}.txt`] = strToU8(
      lines.map((text) => `${text}\n`).join(""),
    );
  }
  return zipSync(files);
}

function line(box: ExportedBox, frame: ExportedFrame, classId: number): string {
  const shares = [
    (box.x + box.width / 2) / frame.width,
    (box.y + box.height / 2) / frame.height,
    box.width / frame.width,
    box.height / frame.height,
  ];
  // Exact to a hundredth of a pixel in the widest picture that is taken.
  return [classId, ...shares.map((share) => share.toFixed(8))].join(" ");
}

/** JSON strings are YAML strings, once what YAML does not allow as it is stands escaped. */
function dataYaml(labels: readonly string[]): string {
  const quoted = (name: string): string =>
    JSON.stringify(name).replaceAll(
      /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  const names = labels.map((name, i) => `  ${i}: ${quoted(name)}`);
  return ["path: .", "train: images", "val: images", "names:", ...names, ""].join("\n");
}

/** Without folders: a name is never a path. */
function stemOf(fileName: string): string {
  const stem = fileName.replace(/\.[A-Za-z0-9]+$/, "").replaceAll(/[/\\:*?"<>|]/g, "_");
  return stem === "" ? "unnamed" : stem;
}
