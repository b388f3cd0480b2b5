// YOLO: a text file per frame, a line per box: class, centre and size as shares of the picture; data.yaml has the names.
import { strToU8, zipSync } from "fflate";
import type { ExportedBox, ExportedFrame } from "./coco.ts";

export function toYoloZip(frames: readonly ExportedFrame[], labels: readonly string[]): Uint8Array {
  const classes = new Map(labels.map((name, i) => [name, i]));
  const files: Record<string, Uint8Array> = { "data.yaml": strToU8(dataYaml(labels)) };
  for (const frame of frames) {
    const lines = frame.boxes.map((box) => line(box, frame, classes.get(box.label) ?? 0));
    files[`labels/${stemOf(frame.fileName)}.txt`] = strToU8(
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
  return [classId, ...shares.map((share) => share.toFixed(6))].join(" ");
}

/** JSON strings are YAML strings, whatever a label holds. */
function dataYaml(labels: readonly string[]): string {
  const names = labels.map((name, i) => `  ${i}: ${JSON.stringify(name)}`);
  return ["path: .", "train: images", "val: images", "names:", ...names, ""].join("\n");
}

/** Without folders: a name is never a path. */
function stemOf(fileName: string): string {
  return fileName.replace(/\.[A-Za-z0-9]+$/, "").replaceAll(/[/\\:*?"<>|]/g, "_");
}
