// The routes of the ingest service.
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { VideoEvent, VideoSummary } from "../../web/src/data/contract.ts";
import type { ActivityLog } from "../annotate/activity-log.ts";
import { userOf } from "../http/guard.ts";
import { Problem } from "../http/problem.ts";
import { FrameQuery, listFrames, readCatalogue } from "./frame-list.ts";
import { MAX_CLIP_BYTES, receive, type UploadTarget } from "./uploads.ts";

export interface IngestOptions extends UploadTarget {
  readonly activity: ActivityLog;
}

const Id = z.object({ id: z.uuid() });

export async function ingestRoutes(server: FastifyInstance, options: IngestOptions): Promise<void> {
  const { database } = options;
  server.get("/api/catalogue", () => readCatalogue(database));
  server.get("/api/frames", ({ query }) => listFrames(database, FrameQuery.parse(query)));
  server.get("/api/videos", () => listVideos(options));
  server.get("/api/videos/:id/events", ({ params }) => listEvents(options, Id.parse(params).id));
  await server.register(multipart, {
    limits: { files: 1, fields: 4, fileSize: MAX_CLIP_BYTES },
  });
  server.post("/api/uploads", { config: { needs: "annotator" } }, (request) =>
    upload(options, request).catch((error: unknown) => {
      // What of a refused file is left unread would keep every later request of this connection waiting.
      request.raw.unpipe().resume();
      throw error;
    }),
  );
}

async function upload(options: IngestOptions, request: FastifyRequest) {
  const part = await request.file();
  if (!part || part.fieldname !== "file") {
    throw new Problem(422, "INVALID", 'The request needs a file in the field "file".');
  }
  const { file, filename } = part;
  // Cut off, a clip would look whole up to here; an error ends what is being stored.
  file.once("limit", () =>
    file.destroy(new Problem(413, "TOO_LARGE", "A clip may have 200 MB at most.")),
  );
  const uploaded = await receive(options, { name: filename, content: file });
  const removed = uploaded.removedMetadata.join(", ") || "nothing";
  const text = `${filename}; removed from the file: ${removed}`;
  await options.activity.append(userOf(request), `${uploaded.kind}.add`, text);
  return uploaded;
}

async function listVideos({ database }: IngestOptions): Promise<VideoSummary[]> {
  const { orm, entities } = database;
  const videos = await orm.em
    .fork()
    .find(entities.Video, {}, { orderBy: { recordedAt: "asc", id: "asc" } });
  return videos.map(({ id, name, camera, recordedAt, durationSeconds, sizeBytes }) => ({
    id,
    name,
    camera,
    recordedAt: recordedAt.toISOString(),
    durationSeconds,
    sizeBytes,
  }));
}

async function listEvents({ database }: IngestOptions, videoId: string): Promise<VideoEvent[]> {
  const { orm, entities } = database;
  const events = await orm.em
    .fork()
    .find(entities.EventDetection, { videoId }, { orderBy: { startSeconds: "asc" } });
  return events.map(({ id, startSeconds, endSeconds, label, score, severity }) => ({
    id,
    startSeconds: startSeconds ?? 0,
    endSeconds: endSeconds ?? startSeconds ?? 0,
    label,
    score,
    severity,
  }));
}
