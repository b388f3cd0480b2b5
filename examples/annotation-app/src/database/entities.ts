// The tables that the ingest service writes, as MikroORM entities; and those of the annotate service that it reads.
import { BlindIndexType, EncryptedJSONType, EncryptedType } from "@fieldseal/mikro-orm";
import { defineEntity, type InferEntity, p } from "@mikro-orm/postgresql";
import { CAMERA, LABEL, type PlaintextMode } from "./column-options.ts";
import type { Rectangle } from "./models.ts";

export type Entities = ReturnType<typeof defineEntities>;
export type Frame = InferEntity<Entities["Frame"]>;
export type FrameData = InferEntity<Entities["FrameData"]>;

export function defineEntities(plaintext: PlaintextMode) {
  return { ...ingested(plaintext), ...annotated(plaintext) };
}

function ingested(plaintext: PlaintextMode) {
  const name = () => p.type(new EncryptedType({ plaintext }));
  const camera = () => p.type(new EncryptedType({ ...CAMERA, plaintext }));
  const Frame = defineEntity({
    name: "Frame",
    tableName: "frame",
    properties: {
      id: p.uuid().primary(),
      name: name(),
      camera: camera().index("frame_camera"),
      capturedAt: p.datetime().index("frame_captured_at"),
      width: p.integer(),
      height: p.integer(),
    },
  });
  const FrameData = defineEntity({
    name: "FrameData",
    tableName: "frame_data",
    properties: {
      frameId: p.uuid().primary(),
      /** Names in the object store. */
      picture: p.text(),
      thumbnail: p.text().nullable(),
      metadata: p.type(new EncryptedJSONType<Record<string, string>>({ plaintext })),
    },
  });
  const Video = defineEntity({
    name: "Video",
    tableName: "video",
    properties: {
      id: p.uuid().primary(),
      name: name(),
      camera: camera(),
      recordedAt: p.datetime(),
      durationSeconds: p.float(),
      sizeBytes: p.integer(),
      /** Name in the object store. */
      clip: p.text(),
    },
  });
  const EventDetection = defineEntity({
    name: "EventDetection",
    tableName: "event_detection",
    properties: {
      id: p.uuid().primary(),
      frameId: p.uuid().nullable(),
      videoId: p.uuid().nullable(),
      startSeconds: p.float().nullable(),
      endSeconds: p.float().nullable(),
      severity: p.text().$type<"alert" | "detection">(),
      label: p.type(new EncryptedType({ plaintext })),
      score: p.type(new EncryptedJSONType<number>({ plaintext })),
      /** In a frame; events of a video have none. */
      box: p.type(new EncryptedJSONType<Rectangle>({ plaintext })).nullable(),
    },
  });
  return { Frame, FrameData, Video, EventDetection };
}

/** Written by the annotate service through Sequelize; here only what is read. */
function annotated(plaintext: PlaintextMode) {
  const AnnotationExample = defineEntity({
    name: "AnnotationExample",
    tableName: "annotation_example",
    properties: {
      id: p.uuid().primary(),
      frameId: p.uuid(),
      label: p.type(new EncryptedType({ ...LABEL, plaintext })),
      labelIndex: p.type(BlindIndexType).name("label_index").nullable().hidden(),
    },
  });
  const FrameReview = defineEntity({
    name: "FrameReview",
    tableName: "frame_review",
    properties: { frameId: p.uuid().primary(), isReviewed: p.boolean() },
  });
  return { AnnotationExample, FrameReview };
}
