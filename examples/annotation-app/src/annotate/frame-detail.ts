// One frame with everything on it. The frame and what the detector saw are the ingest service's; Sequelize reads them.
import { Transaction } from "sequelize";
import type { AnnotationBox, FrameDetail } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import type { AnnotationExampleRow, EventDetectionRow } from "../database/models.ts";
import { notFound, Problem } from "../http/problem.ts";

/**
 * As it was at one moment: the boxes from before a save under the version after it would be taken for the newest, and
 * saving them would undo that save without a conflict.
 * @throws {@link Problem} 404
 */
export async function readFrame({ sequelize, models }: Database, id: string): Promise<FrameDetail> {
  const { Frame, FrameData, FrameReview, AnnotationExample, EventDetection } = models;
  const isolationLevel = Transaction.ISOLATION_LEVELS.REPEATABLE_READ;
  const rows = await sequelize.transaction(
    { isolationLevel, readOnly: true },
    async (transaction) => {
      const ofFrame = { where: { frameId: id }, transaction };
      return {
        frame: await Frame.findByPk(id, { transaction }),
        data: await FrameData.findByPk(id, { transaction }),
        review: await FrameReview.findByPk(id, { transaction }),
        examples: await AnnotationExample.findAll({ ...ofFrame, order: [["position", "ASC"]] }),
        detections: await EventDetection.findAll(ofFrame),
      };
    },
  );
  const { frame, data, review, examples, detections } = rows;
  if (!frame) throw notFound("frame");
  return {
    id: frame.id,
    name: frame.name,
    camera: frame.camera,
    capturedAt: frame.capturedAt.toISOString(),
    width: frame.width,
    height: frame.height,
    version: review?.version ?? 0,
    isReviewed: review?.isReviewed ?? false,
    boxCount: examples.length,
    boxes: examples.map(boxOf),
    detections: detections.flatMap(detectionOf),
    metadata: data?.metadata ?? {},
  };
}

/**
 * The box of a stored example.
 * @throws {@link Problem} when the rectangle was written for another row: its envelope is genuine, the row is not
 */
export function boxOf(example: AnnotationExampleRow): AnnotationBox {
  const { of, x, y, width, height } = example.box;
  if (of !== example.id) throw new Problem(500, OTHER_ROW.code, OTHER_ROW.message);
  const { id, label, note, confidence } = example;
  return { id, x, y, width, height, label, note, confidence };
}

export const OTHER_ROW = {
  code: "ANNOTATION_OTHER_ROW",
  message:
    "A stored box (annotation_example.box) was written for another row and moved to this one outside of the application.",
};

function detectionOf({ id, label, score, box }: EventDetectionRow): AnnotationBox[] {
  return box ? [{ ...box, id, label, note: null, confidence: score }] : [];
}
