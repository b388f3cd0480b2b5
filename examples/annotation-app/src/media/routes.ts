// The routes of the media service: pictures, thumbnails and clips, decrypted on their way out, whole or by ranges.
import { type EncryptedStorage, FileHandler } from "@fieldseal/storage";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { ActivityLog } from "../annotate/activity-log.ts";
import type { RecentLooks } from "../annotate/recent-looks.ts";
import type { Database } from "../database/database.ts";
import { describe } from "../http/failures.ts";
import { userOf } from "../http/guard.ts";
import { notFound } from "../http/problem.ts";
import { thumbnailOf } from "../ingest/pictures.ts";
import { blurBoxes, boxesOf } from "./blurred-picture.ts";

export interface MediaOptions {
  readonly database: Database;
  readonly storage: EncryptedStorage;
  readonly activity: ActivityLog;
  readonly looks: RecentLooks;
}

const Id = z.object({ id: z.uuid() });

export function mediaRoutes(server: FastifyInstance, options: MediaOptions): void {
  const { database, storage, activity, looks } = options;
  const files = new FileHandler(storage, {
    cacheControl: "no-store",
    onError: (error) => server.log.error(describe(error), "an object was not served"),
  });
  const note = async (request: FastifyRequest, id: string, look: Look): Promise<void> => {
    const user = userOf(request);
    if (looks.isNew(user, id)) await activity.append(user, look.action, look.name);
  };

  server.get("/api/frames/:id/image", async (request, reply) => {
    const { id } = Id.parse(request.params);
    const { picture, name } = await frameData(database, id);
    await note(request, id, { action: "frame.picture", name });
    const blurred = await blurredFor(request, options, { id, picture });
    return blurred
      ? reply.type(blurred.type).send(blurred.content)
      : serve(files, picture, request, reply);
  });

  server.get("/api/frames/:id/thumbnail", async (request, reply) => {
    const { id } = Id.parse(request.params);
    const { thumbnail, picture } = await frameData(database, id);
    const blurred = await blurredFor(request, options, { id, picture });
    if (blurred) return reply.type("image/webp").send(await thumbnailOf(blurred.content));
    return serve(files, thumbnail ?? picture, request, reply);
  });

  // Clips have no boxes: viewers see them as they are.
  server.get("/api/videos/:id/media", async (request, reply) => {
    const { id } = Id.parse(request.params);
    const { clip, name } = await clipOf(database, id);
    await note(request, id, { action: "video.open", name });
    return serve(files, clip, request, reply);
  });
}

interface Look {
  readonly action: string;
  readonly name: string;
}

/** The picture with its boxes blurred, for a viewer; undefined where it is served as it is stored. */
async function blurredFor(
  { visitor }: FastifyRequest,
  { database, storage }: MediaOptions,
  { id, picture }: { readonly id: string; readonly picture: string },
): Promise<{ content: Buffer; type: string } | undefined> {
  if (visitor.user?.role === "annotator") return undefined;
  const boxes = await boxesOf(database, id);
  if (boxes.length === 0) return undefined;
  const stored = await storage.get(picture);
  return { content: await blurBoxes(await stored.bytes(), boxes), type: stored.info.contentType };
}

/** Past Fastify's reply, whose headers are taken along: the handler answers ranges by itself. */
async function serve(
  files: FileHandler,
  key: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.hijack();
  await files.serve(request.raw, reply.raw, key);
  return reply;
}

async function frameData({ orm, entities }: Database, frameId: string) {
  const em = orm.em.fork();
  const [data, frame] = await Promise.all([
    em.findOne(entities.FrameData, { frameId }, { fields: ["picture", "thumbnail"] }),
    em.findOne(entities.Frame, { id: frameId }, { fields: ["name"] }),
  ]);
  if (!data || !frame) throw notFound("picture");
  const { picture, thumbnail } = data;
  return { picture, thumbnail, name: frame.name };
}

async function clipOf({ orm, entities }: Database, id: string) {
  const video = await orm.em.fork().findOne(entities.Video, { id }, { fields: ["clip", "name"] });
  if (!video) throw notFound("clip");
  return video;
}
