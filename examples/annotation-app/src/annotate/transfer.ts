// Export and import of what people drew. An export decrypts everything; whoever calls this logs it.
import { randomUUID } from "node:crypto";
import { type Order, Transaction } from "sequelize";
import type { ImportResult } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import { type FrameRow } from "../database/models.ts";
import { type CocoInput, type ExportedBox, type ExportedFrame, fromCoco } from "./coco.ts";
import { boxOf, readFrame } from "./frame-detail.ts";
import { labelKey } from "./labels.ts";
import { MAX_BOXES, saveFrame } from "./save-frame.ts";
import { UniqueNames } from "./unique-names.ts";

export interface Exported {
  readonly frames: readonly ExportedFrame[];
  readonly labels: readonly string[];
}

/** As it was at one moment: a save in between would give boxes whose labels are not in the list. */
export async function readForExport({ sequelize, models }: Database): Promise<Exported> {
  const { Frame, AnnotationExample, Label } = models;
  const isolationLevel = Transaction.ISOLATION_LEVELS.REPEATABLE_READ;
  return sequelize.transaction({ isolationLevel, readOnly: true }, async (transaction) => {
    const frames = await Frame.findAll({ order: FRAME_ORDER, transaction });
    const byPosition: Order = [["position", "ASC"]];
    const examples = await AnnotationExample.findAll({ order: byPosition, transaction });
    const labels = await Label.findAll({ order: byPosition, transaction });
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
      // Whatever became of the list, no box loses its label.
      labels: [
        ...new Set([...labels.map(({ name }) => name), ...examples.map(({ label }) => label)]),
      ],
    };
  });
}

const FRAME_ORDER: Order = [
  ["capturedAt", "ASC"],
  ["id", "ASC"],
];

/** Two frames may have one name; a file in a data set may not. */
function uniqueNames(frames: readonly FrameRow[]): ReadonlyMap<string, string> {
  const names = new UniqueNames();
  return new Map(frames.map(({ id, name }) => [id, names.take(name)]));
}

/** Adds the boxes of a file to the frames with the names it gives. What is there already is not added again. */
export async function importCoco(
  database: Database,
  file: CocoInput,
  user: string,
): Promise<ImportResult> {
  const known = await database.models.Frame.findAll({ order: FRAME_ORDER });
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
    if (imported.boxes.length === 0) continue;
    const { added, outside, isFull } = await addBoxes(database, id, imported.boxes, user);
    if (isFull) {
      const reason = `a frame can have ${MAX_BOXES} boxes at most; none of these was added`;
      skipped.push({ file: imported.fileName, reason });
    }
    if (outside > 0) {
      skipped.push({
        file: imported.fileName,
        reason: `${outside} of its boxes ${outside === 1 ? "lies" : "lie"} outside of the picture`,
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
): Promise<{ added: number; outside: number; isFull: boolean }> {
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
    const isFull = frame.boxes.length + added.length > MAX_BOXES;
    if (added.length === 0 || isFull) return { added: 0, outside, isFull };
    const input = {
      version: frame.version,
      isReviewed: frame.isReviewed,
      boxes: [...frame.boxes, ...added],
    };
    const result = await saveFrame(database, frameId, input, user);
    if (result.kind === "saved") return { added: added.length, outside, isFull };
  }
}

function toPixels(box: ExportedBox): ExportedBox {
  // Adding 0 makes 0 of -0, which is another value to an encrypted column.
  const x = Math.round(box.x) + 0;
  const y = Math.round(box.y) + 0;
  const width = Math.max(1, Math.round(box.x + box.width) - x);
  const height = Math.max(1, Math.round(box.y + box.height) - y);
  return { ...box, x, y, width, height };
}

function identityOf({ x, y, width, height, label }: ExportedBox): string {
  return JSON.stringify([x, y, width, height, labelKey(label)]);
}
