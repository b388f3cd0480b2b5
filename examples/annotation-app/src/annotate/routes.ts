// The routes of the annotate service.
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { userOf } from "../http/guard.ts";
import type { ActivityLog } from "./activity-log.ts";
import { CocoFile, toCoco } from "./coco.ts";
import { readFrame } from "./frame-detail.ts";
import type { RecentLooks } from "./recent-looks.ts";
import { SaveRequest, saveFrame } from "./save-frame.ts";
import { type Exported, importCoco, readForExport } from "./transfer.ts";
import { toYoloZip } from "./yolo.ts";

const Id = z.object({ id: z.uuid() });
const PageQuery = z.object({ before: z.coerce.number().int().positive().optional() });

export interface AnnotateOptions {
  readonly database: Database;
  readonly activity: ActivityLog;
  readonly looks: RecentLooks;
}

export function annotateRoutes(server: FastifyInstance, options: AnnotateOptions): void {
  frameRoutes(server, options);
  transferRoutes(server, options);
  server.get("/api/activity", ({ query }) => options.activity.page(PageQuery.parse(query).before));
}

function frameRoutes(server: FastifyInstance, options: AnnotateOptions): void {
  const { database, activity, looks } = options;
  server.get("/api/frames/:id", async (request) => {
    const frame = await readFrame(database, Id.parse(request.params).id);
    const user = userOf(request);
    looks.isNew(user, frame.id); // its picture, which comes next, is of this look
    await activity.append(user, "frame.open", frame.name);
    return frame;
  });

  const config = { needs: "annotator" } as const;
  server.put("/api/frames/:id/annotations", { config }, async (request, reply) => {
    const { id } = Id.parse(request.params);
    const user = userOf(request);
    const result = await saveFrame(database, id, SaveRequest.parse(request.body), user);
    if (result.kind === "conflict") return reply.code(409).send(result.conflict);
    const frame = await database.models.Frame.findByPk(id);
    await activity.append(user, "frame.save", `${frame?.name ?? id}: ${result.summary}`);
    return result.saved;
  });
}

function transferRoutes(server: FastifyInstance, { database, activity }: AnnotateOptions): void {
  const record = (user: string, form: string, { frames }: Exported): Promise<void> => {
    const boxes = frames.reduce((sum, frame) => sum + frame.boxes.length, 0);
    return activity.append(user, `export.${form}`, `frames: ${frames.length}, boxes: ${boxes}`);
  };

  server.get("/api/export/coco", async (request, reply) => {
    const exported = await readForExport(database);
    await record(userOf(request), "coco", exported);
    return reply
      .header("Content-Disposition", 'attachment; filename="annotations.json"')
      .send(toCoco(exported.frames, exported.labels));
  });

  server.get("/api/export/yolo", async (request, reply) => {
    const exported = await readForExport(database);
    await record(userOf(request), "yolo", exported);
    return reply
      .header("Content-Disposition", 'attachment; filename="yolo.zip"')
      .type("application/zip")
      .send(Buffer.from(toYoloZip(exported.frames, exported.labels)));
  });

  const config = { needs: "annotator" } as const;
  server.post("/api/import/coco", { config }, async (request) => {
    const user = userOf(request);
    const result = await importCoco(database, CocoFile.parse(request.body), user);
    const { frames, boxes, skipped } = result;
    await activity.append(
      user,
      "import.coco",
      `frames: ${frames}, boxes: ${boxes}, left out: ${skipped.length}`,
    );
    return result;
  });
}
