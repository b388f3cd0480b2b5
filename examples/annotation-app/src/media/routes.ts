// The routes of the media service: pictures, thumbnails and clips, decrypted on their way out, whole or by ranges.
import { type EncryptedStorage, FileHandler } from "@fieldseal/storage";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { describe } from "../http/failures.ts";
import { notFound } from "../http/problem.ts";

export interface MediaOptions {
  readonly database: Database;
  readonly storage: EncryptedStorage;
}

const Id = z.object({ id: z.uuid() });

/** The routes under which something is served, each with how its object is found. */
const OBJECTS: Readonly<Record<string, (database: Database, id: string) => Promise<string>>> = {
  "/api/frames/:id/image": async (database, id) => (await frameData(database, id)).picture,
  "/api/frames/:id/thumbnail": async (database, id) => {
    const { thumbnail, picture } = await frameData(database, id);
    return thumbnail ?? picture;
  },
  "/api/videos/:id/media": clipOf,
};

export function mediaRoutes(server: FastifyInstance, { database, storage }: MediaOptions): void {
  const files = new FileHandler(storage, {
    cacheControl: "no-store",
    onError: (error) => server.log.error(describe(error), "an object was not served"),
  });
  for (const [path, find] of Object.entries(OBJECTS)) {
    server.get(path, async (request, reply) => {
      const key = await find(database, Id.parse(request.params).id);
      return serve(files, key, request, reply);
    });
  }
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
  const data = await orm.em
    .fork()
    .findOne(entities.FrameData, { frameId }, { fields: ["picture", "thumbnail"] });
  if (!data) throw notFound("picture");
  return data;
}

async function clipOf({ orm, entities }: Database, id: string): Promise<string> {
  const video = await orm.em.fork().findOne(entities.Video, { id }, { fields: ["clip"] });
  if (!video) throw notFound("clip");
  return video.clip;
}
