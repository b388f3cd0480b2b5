// Fills an empty database as an application without encryption would have: plain rows by plain SQL. The start encrypts
// them where they stand, as one does with a database that is in use.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pool, PoolClient } from "pg";
import sharp from "sharp";
import { thumbnailOf } from "../ingest/pictures.ts";
import { inPixels, objectsIn, PAN } from "./crops.ts";
import { insertRows } from "./insert-rows.ts";
import type { PlainFiles } from "./plain-files.ts";
import {
  type Clip,
  CLIPS,
  LABELS,
  type Photograph,
  PHOTOGRAPHS,
  type SeededObject,
} from "./photographs.ts";

const MEDIA = join(import.meta.dirname, "../../media");
const CROP_SECONDS = 6;
/** Length of both clips, as ffprobe tells it. */
const CLIP_SECONDS = 24;

export async function isEmpty(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ empty: boolean }>(
    "SELECT NOT EXISTS (SELECT FROM frame) AND NOT EXISTS (SELECT FROM video) AS empty",
  );
  return rows[0]?.empty ?? false;
}

/** All rows or none. */
export async function seedLegacyData(pool: Pool, files: PlainFiles): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await insertRows(
      client,
      "label",
      LABELS.map((name, position) => ({ id: randomUUID(), name, position })),
    );
    for (const photograph of PHOTOGRAPHS) await seedPhotograph(client, files, photograph);
    for (const clip of CLIPS) await seedClip(client, files, clip);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

async function seedPhotograph(
  client: PoolClient,
  files: PlainFiles,
  photograph: Photograph,
): Promise<void> {
  const original = await readFile(join(MEDIA, photograph.file));
  const size = await sharp(original).metadata();
  for (const [step, share] of PAN.entries()) {
    const crop = inPixels(share, size);
    const { x: left, y: top, width, height } = crop;
    const content =
      step === 0
        ? original
        : await sharp(original)
            .extract({ left, top, width, height })
            .jpeg({ quality: 90 })
            .toBuffer();
    const capturedAt = new Date(Date.parse(photograph.capturedAt) + step * CROP_SECONDS * 1000);
    const name = step === 0 ? photograph.file : photograph.file.replace(".", `-pan${step}.`);
    await seedFrame(client, files, {
      name,
      camera: photograph.camera,
      capturedAt,
      width,
      height,
      content,
      objects: objectsIn(photograph.objects, crop),
      isReviewed: step === 0,
    });
  }
}

interface PlainFrame {
  readonly name: string;
  readonly camera: string;
  readonly capturedAt: Date;
  readonly width: number;
  readonly height: number;
  readonly content: Buffer;
  readonly objects: readonly SeededObject[];
  readonly isReviewed: boolean;
}

async function seedFrame(client: PoolClient, files: PlainFiles, frame: PlainFrame): Promise<void> {
  const { name, camera, capturedAt, width, height, content, objects, isReviewed } = frame;
  const id = randomUUID();
  const picture = `pictures/${id}`;
  const thumbnail = `thumbnails/${id}`;
  const small = await thumbnailOf(content);
  await files.put({ key: picture, content, contentType: "image/jpeg", fileName: name });
  await files.put({ key: thumbnail, content: small, contentType: "image/webp", fileName: name });
  await insertRows(client, "frame", [{ id, name, camera, captured_at: capturedAt, width, height }]);
  const metadata = JSON.stringify({ Source: "Older application" });
  await insertRows(client, "frame_data", [{ frame_id: id, picture, thumbnail, metadata }]);
  await insertRows(client, "frame_review", [
    { frame_id: id, version: 1, is_reviewed: isReviewed, saved_by: "Ada", saved_at: capturedAt },
  ]);
  await seedObjects(client, id, objects);
}

/** What the detector saw, and the boxes that people made of it. */
async function seedObjects(
  client: PoolClient,
  frameId: string,
  objects: readonly SeededObject[],
): Promise<void> {
  const rows = objects.map((object, position) => ({ id: randomUUID(), position, ...object }));
  const detected = rows.filter(({ score }) => score !== undefined);
  await insertRows(
    client,
    "event_detection",
    detected.map(({ id, label, score, x, y, width, height }) => ({
      id,
      frame_id: frameId,
      severity: "detection",
      label,
      score: JSON.stringify(score),
      box: JSON.stringify({ x, y, width, height }),
    })),
  );
  await insertRows(
    client,
    "annotation_example",
    rows.map(({ id, position, label, score, note, x, y, width, height }) => ({
      id,
      frame_id: frameId,
      position,
      label,
      box: JSON.stringify({ of: id, x, y, width, height }),
      original_detection:
        score === undefined ? null : JSON.stringify({ x, y, width, height, label, score }),
      confidence: score === undefined ? null : JSON.stringify(score),
      note: note ?? null,
    })),
  );
}

async function seedClip(client: PoolClient, files: PlainFiles, clip: Clip): Promise<void> {
  const content = await readFile(join(MEDIA, clip.file));
  const id = randomUUID();
  const key = `clips/${id}`;
  await files.put({ key, content, contentType: "video/mp4", fileName: clip.file });
  await insertRows(client, "video", [
    {
      id,
      name: clip.file,
      camera: clip.camera,
      recorded_at: clip.recordedAt,
      duration_seconds: CLIP_SECONDS,
      size_bytes: content.length,
      clip: key,
    },
  ]);
  await insertRows(
    client,
    "event_detection",
    clip.events.map(({ start, end, label, score, severity }) => ({
      id: randomUUID(),
      video_id: id,
      start_seconds: start,
      end_seconds: end,
      severity,
      label,
      score: JSON.stringify(score),
    })),
  );
}
