// The list of frames, through MikroORM. Boxes and review states are the annotate service's; they are read here.
import { decryptValue, searchValues } from "@fieldseal/mikro-orm";
import { z } from "zod";
import type { Catalogue, FrameList, FrameSummary } from "../../web/src/data/contract.ts";
import { labelKey } from "../annotate/labels.ts";
import type { Database } from "../database/database.ts";
import { plainText } from "../http/plain-text.ts";

const day = z.iso.date();

export const FrameQuery = z.object({
  label: plainText(100).optional(),
  camera: plainText(100).optional(),
  from: day.optional(),
  to: day.optional(),
  state: z.enum(["reviewed", "unreviewed"]).optional(),
});

export type FrameFilter = z.infer<typeof FrameQuery>;

const DAY_MS = 86_400_000;

export async function listFrames(database: Database, filter: FrameFilter): Promise<FrameList> {
  const { label, state } = filter;
  const found = label === undefined ? null : await framesWithLabel(database, label);
  const [frames, reviews] = await Promise.all([
    findFrames(database, filter, found?.frameIds),
    readReviews(database),
  ]);
  const summaries = frames.map((frame): FrameSummary => {
    const { boxCount = 0, isReviewed = false } = reviews.get(frame.id) ?? {};
    const { id, name, camera, capturedAt } = frame;
    return { id, name, camera, capturedAt: capturedAt.toISOString(), boxCount, isReviewed };
  });
  const shown =
    state === undefined
      ? summaries
      : summaries.filter(({ isReviewed }) => isReviewed === (state === "reviewed"));
  return { total: shown.length, frames: shown, search: found?.search ?? null };
}

async function findFrames(
  { orm, entities }: Database,
  { camera, from, to }: FrameFilter,
  ids: ReadonlySet<string> | undefined,
) {
  return orm.em.fork().find(
    entities.Frame,
    {
      ...(camera === undefined ? {} : { camera }),
      ...(ids ? { id: { $in: [...ids] } } : {}),
      $and: [
        ...(from ? [{ capturedAt: { $gte: new Date(from) } }] : []),
        ...(to ? [{ capturedAt: { $lt: new Date(Date.parse(to) + DAY_MS) } }] : []),
      ],
    },
    { orderBy: { capturedAt: "asc", id: "asc" }, disableIdentityMap: true },
  );
}

/** Asks by the tokens of all live keys, and keeps what really has the label. */
async function framesWithLabel({ orm, entities }: Database, label: string) {
  const { AnnotationExample } = entities;
  const tokens = searchValues(orm.em, { entity: AnnotationExample, property: "label" }, label).map(
    String,
  );
  const candidates = await orm.em
    .fork()
    .find(
      AnnotationExample,
      { labelIndex: { $in: tokens } },
      { fields: ["frameId", "label"], disableIdentityMap: true },
    );
  const wanted = labelKey(label);
  const matches = candidates.filter((row) => labelKey(row.label) === wanted);
  return {
    frameIds: new Set(matches.map(({ frameId }) => frameId)),
    search: {
      column: "annotation_example.label_index",
      tokens,
      falsePositives: candidates.length - matches.length,
    },
  };
}

interface Review {
  readonly boxCount: number;
  readonly isReviewed: boolean;
}

async function readReviews({ pool }: Database): Promise<ReadonlyMap<string, Review>> {
  const { rows } = await pool.query<{ id: string; boxes: number; reviewed: boolean }>(`
    SELECT review.frame_id AS id, review.is_reviewed AS reviewed, coalesce(counted.boxes, 0) AS boxes
    FROM frame_review review LEFT JOIN
      (SELECT frame_id, count(*)::integer AS boxes FROM annotation_example GROUP BY frame_id) counted
      ON counted.frame_id = review.frame_id`);
  return new Map(
    rows.map(({ id, boxes, reviewed }) => [id, { boxCount: boxes, isReviewed: reviewed }]),
  );
}

/** What a filter can choose from. */
export async function readCatalogue(database: Database): Promise<Catalogue> {
  const { pool, orm, entities, models } = database;
  const [labels, cameras, days] = await Promise.all([
    models.Label.findAll({ order: [["position", "ASC"]] }),
    pool.query<{ camera: string }>("SELECT DISTINCT camera FROM frame"),
    pool.query<{ first: Date | null; last: Date | null }>(
      "SELECT min(captured_at) AS first, max(captured_at) AS last FROM frame",
    ),
  ]);
  // While keys are rotated, one camera is stored in two forms.
  const names = cameras.rows.map(({ camera }) =>
    String(decryptValue(orm.em, { entity: entities.Frame, property: "camera" }, camera)),
  );
  const dayOf = (date: Date | null | undefined): string | null =>
    date?.toISOString().slice(0, 10) ?? null;
  return {
    labels: labels.map(({ name }) => name),
    cameras: [...new Set(names)].sort((a, b) => a.localeCompare(b)),
    firstDay: dayOf(days.rows[0]?.first),
    lastDay: dayOf(days.rows[0]?.last),
  };
}
