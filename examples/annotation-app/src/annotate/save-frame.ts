// Saving the boxes of a frame: only under the version that the saver saw, and only rows that differ are written.
import type { Transaction } from "sequelize";
import { z } from "zod";
import type { AnnotationBox, SaveConflict, SavedFrame } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import type { AnnotationExampleRow, Detection, FrameReviewRow } from "../database/models.ts";
import { notFound, Problem } from "../http/problem.ts";
import { nameText, plainText } from "../http/plain-text.ts";
import { boxOf, readFrame } from "./frame-detail.ts";
import { spellAsKnown } from "./labels.ts";

const pixels = z.number().int().min(0).max(100_000);

/** In one frame. */
export const MAX_BOXES = 2000;

export const Box = z.object({
  id: z.uuid(),
  x: pixels,
  y: pixels,
  width: pixels.min(1),
  height: pixels.min(1),
  label: nameText(64),
  note: plainText(2000).nullable(),
  confidence: z.number().min(0).max(1).nullable(),
});

export const SaveRequest = z.object({
  version: z.number().int().min(0),
  isReviewed: z.boolean(),
  boxes: z.array(Box).max(MAX_BOXES),
});

export type SaveInput = z.infer<typeof SaveRequest>;

export type SaveResult =
  | { readonly kind: "saved"; readonly saved: SavedFrame; readonly summary: string }
  | { readonly kind: "conflict"; readonly conflict: SaveConflict };

export async function saveFrame(
  database: Database,
  frameId: string,
  input: SaveInput,
  user: string,
): Promise<SaveResult> {
  const { sequelize } = database;
  await refuseOutside(database, frameId, input.boxes);
  const result = await sequelize.transaction(async (transaction) => {
    const review = await lockReview(database, frameId, transaction);
    if (review.version !== input.version) return undefined;
    const boxes = await spellAsKnown(database, input.boxes, transaction);
    const changes = await writeBoxes(database, frameId, boxes, transaction);
    const version = review.version + 1;
    await database.models.FrameReview.update(
      { version, isReviewed: input.isReviewed, savedBy: user, savedAt: new Date() },
      { where: { frameId }, transaction },
    );
    return { version, summary: summaryOf(changes, review.isReviewed, input.isReviewed) };
  });
  if (!result) return { kind: "conflict", conflict: await conflictOf(database, frameId) };
  return { kind: "saved", saved: { version: result.version }, summary: result.summary };
}

/** The review row of a frame, made at its first save, and locked until the end of the transaction. */
async function lockReview(
  { models }: Database,
  frameId: string,
  transaction: Transaction,
): Promise<FrameReviewRow> {
  const { FrameReview } = models;
  const first = { frameId, version: 0, isReviewed: false, savedBy: null, savedAt: null };
  await FrameReview.bulkCreate([first], { ignoreDuplicates: true, transaction });
  const review = await FrameReview.findByPk(frameId, { transaction, lock: true });
  if (!review) throw notFound("frame");
  return review;
}

export interface Changes {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** Makes the stored examples of a frame those given, in their order. */
export async function writeBoxes(
  { models }: Database,
  frameId: string,
  boxes: readonly AnnotationBox[],
  transaction: Transaction,
): Promise<Changes> {
  const { AnnotationExample } = models;
  const stored = await AnnotationExample.findAll({ where: { frameId }, transaction });
  const byId = new Map(stored.map((row) => [row.id, row]));
  const kept = new Set(boxes.map(({ id }) => id));
  if (kept.size < boxes.length) throw new Problem(422, "INVALID", "Two boxes have one id.");
  const removed = stored.map(({ id }) => id).filter((id) => !kept.has(id));
  if (removed.length > 0) await AnnotationExample.destroy({ where: { id: removed }, transaction });

  const detections = await detectionsOf(models, frameId, transaction);
  const created: AnnotationExampleRow[] = [];
  let changed = 0;
  for (const [position, box] of boxes.entries()) {
    const row = byId.get(box.id);
    if (!row) {
      created.push(exampleOf(frameId, position, box, detections.get(box.id) ?? null));
      continue;
    }
    const isSame = sameBox(boxOf(row), box);
    if (!isSame) changed += 1;
    if (!isSame || row.position !== position) {
      const fields = exampleOf(frameId, position, box, row.originalDetection);
      await row.update(fields, { transaction });
    }
  }
  await AnnotationExample.bulkCreate(created, { transaction }).catch(refuseForeignIds);
  return { added: created.length, changed, removed: removed.length };
}

function refuseForeignIds(error: unknown): never {
  const isTaken = error instanceof Error && error.name === "SequelizeUniqueConstraintError";
  throw isTaken ? new Problem(422, "INVALID", "A box has the id of one in another frame.") : error;
}

export function exampleOf(
  frameId: string,
  position: number,
  box: AnnotationBox,
  originalDetection: Detection | null,
): AnnotationExampleRow {
  const { id, x, y, width, height, label, note, confidence } = box;
  const owned = { of: id, x, y, width, height };
  return { id, frameId, position, label, box: owned, originalDetection, confidence, note };
}

function sameBox(one: AnnotationBox, other: AnnotationBox): boolean {
  const fields = ["x", "y", "width", "height", "label", "note", "confidence"] as const;
  return fields.every((field) => one[field] === other[field]);
}

/** A box that a person took over from the detector keeps what the detector saw. */
async function detectionsOf(
  { EventDetection }: Database["models"],
  frameId: string,
  transaction: Transaction,
): Promise<ReadonlyMap<string, Detection>> {
  const rows = await EventDetection.findAll({ where: { frameId }, transaction });
  return new Map(
    rows.flatMap(({ id, label, score, box }) => (box ? [[id, { ...box, label, score }]] : [])),
  );
}

async function refuseOutside(
  { models }: Database,
  frameId: string,
  boxes: readonly AnnotationBox[],
): Promise<void> {
  const frame = await models.Frame.findByPk(frameId, { attributes: ["id", "width", "height"] });
  if (!frame) throw notFound("frame");
  const outside = boxes.findIndex(
    ({ x, y, width, height }) => x + width > frame.width || y + height > frame.height,
  );
  if (outside >= 0) throw new Problem(422, "INVALID", `boxes.${outside}: outside of the picture`);
}

async function conflictOf(database: Database, frameId: string): Promise<SaveConflict> {
  const [current, review] = await Promise.all([
    readFrame(database, frameId),
    database.models.FrameReview.findByPk(frameId),
  ]);
  return {
    current,
    savedBy: review?.savedBy ?? "somebody",
    savedAt: (review?.savedAt ?? new Date()).toISOString(),
  };
}

function summaryOf(changes: Changes, was: boolean, is: boolean): string {
  const { added, changed, removed } = changes;
  const review = was === is ? [] : [is ? "marked reviewed" : "marked not reviewed"];
  const parts = [
    added > 0 ? `${added} added` : "",
    changed > 0 ? `${changed} changed` : "",
    removed > 0 ? `${removed} removed` : "",
    ...review,
  ].filter((part) => part !== "");
  return parts.length > 0 ? parts.join(", ") : "no change";
}
