// One frame with everything on it. The frame and what the detector saw are the ingest service's; Sequelize reads them.
import type { AnnotationBox, FrameDetail } from "../../web/src/data/contract.ts";
import type { Database } from "../database/database.ts";
import type { AnnotationExampleRow, EventDetectionRow } from "../database/models.ts";
import { notFound, Problem } from "../http/problem.ts";

/** @throws {@link Problem} 404 */
export async function readFrame({ models }: Database, id: string): Promise<FrameDetail> {
  const { Frame, FrameData, FrameReview, AnnotationExample, EventDetection } = models;
  const where = { frameId: id };
  const [frame, data, review, examples, detections] = await Promise.all([
    Frame.findByPk(id),
    FrameData.findByPk(id),
    FrameReview.findByPk(id),
    AnnotationExample.findAll({ where, order: [["position", "ASC"]] }),
    EventDetection.findAll({ where }),
  ]);
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
