// Export and import of what people drew. An export decrypts everything; whoever calls this logs it.
import { randomUUID } from "node:crypto";
import { extname } from "node:path";
import type { ImportResult } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import { type FrameRow } from "../database/models.ts";
import { type CocoInput, type ExportedBox, type ExportedFrame, fromCoco } from "./coco.ts";
import { boxOf, readFrame } from "./frame-detail.ts";
import { saveFrame } from "./save-frame.ts";

export interface Exported {
  readonly frames: readonly ExportedFrame[];
  readonly labels: readonly string[];
}

export async function readForExport({ models }: Database): Promise<Exported> {
  const { Frame, AnnotationExample, Label } = models;
  const [frames, examples, labels] = await Promise.all([
    Frame.findAll({
      order: [
        ["capturedAt", "ASC"],
        ["id", "ASC"],
      ],
    }),
    AnnotationExample.findAll({ order: [["position", "ASC"]] }),
    Label.findAll({ order: [["position", "ASC"]] }),
  ]);
  const boxes = Map.groupBy(examples, ({ frameId }) => frameId);
  const names = uniqueNames(frames);
  return {
    frames: frames.map((frame) => ({
      id: frame.id,
      fileName: names.get(frame.id) ?? frame.name,
      width: frame.width,
      height: frame.height,
      capturedAt: frame.capturedAt,
      boxes: (boxes.get(frame.id) ?? []).map(boxOf),
    })),
    labels: labels.map(({ name }) => name),
  };
}

/** Two frames may have one name; a file in a data set may not. */
function uniqueNames(frames: readonly FrameRow[]): ReadonlyMap<string, string> {
  const counts = new Map<string, number>();
  return new Map(
    frames.map(({ id, name }) => {
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      if (count === 1) return [id, name];
      const end = extname(name);
      return [id, `${name.slice(0, name.length - end.length)}-${count}${end}`];
    }),
  );
}

/** Adds the boxes of a file to the frames with the names it gives. What is there already is not added again. */
export async function importCoco(
  database: Database,
  file: CocoInput,
  user: string,
): Promise<ImportResult> {
  const known = await database.models.Frame.findAll({
    order: [
      ["capturedAt", "ASC"],
      ["id", "ASC"],
    ],
  });
  const idByName = new Map([...uniqueNames(known)].map(([id, name]) => [name, id]));
  const skipped: { file: string; reason: string }[] = [];
  let frames = 0;
  let boxes = 0;
  for (const imported of fromCoco(file)) {
    const id = idByName.get(imported.fileName);
    if (id === undefined) {
      skipped.push({ file: imported.fileName, reason: "no frame has this name" });
      continue;
    }
    const { added, outside } = await addBoxes(database, id, imported.boxes, user);
    if (outside > 0) {
      skipped.push({
        file: imported.fileName,
        reason: `${outside} of its boxes lie outside of the picture`,
      });
    }
    if (added > 0) frames += 1;
    boxes += added;
  }
  return { frames, boxes, skipped };
}

async function addBoxes(
  database: Database,
  frameId: string,
  imported: readonly ExportedBox[],
  user: string,
): Promise<{ added: number; outside: number }> {
  // Somebody may be drawing in the frame: then it is read again.
  for (;;) {
    const frame = await readFrame(database, frameId);
    const whole = imported.map(toPixels);
    const inside = whole.filter(
      ({ x, y, width, height }) =>
        x >= 0 && y >= 0 && x + width <= frame.width && y + height <= frame.height,
    );
    const present = new Set(frame.boxes.map(identityOf));
    const added = inside
      .filter((box) => !present.has(identityOf(box)))
      .map((box) => ({ ...box, id: randomUUID(), note: null }));
    const outside = whole.length - inside.length;
    if (added.length === 0) return { added: 0, outside };
    const input = {
      version: frame.version,
      isReviewed: frame.isReviewed,
      boxes: [...frame.boxes, ...added],
    };
    const result = await saveFrame(database, frameId, input, user);
    if (result.kind === "saved") return { added: added.length, outside };
  }
}

function toPixels(box: ExportedBox): ExportedBox {
  const x = Math.round(box.x);
  const y = Math.round(box.y);
  const width = Math.max(1, Math.round(box.x + box.width) - x);
  const height = Math.max(1, Math.round(box.y + box.height) - y);
  return { ...box, x, y, width, height };
}

function identityOf({ x, y, width, height, label }: ExportedBox): string {
  return JSON.stringify([x, y, width, height, label]);
}
