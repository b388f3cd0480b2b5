// The list of frames, and what can be asked for. Boxes and review states are the annotate service's; they are read here.
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

interface Row {
  readonly id: string;
  readonly name: string;
  readonly camera: string;
  readonly captured: Date;
  readonly boxes: number;
  readonly reviewed: boolean;
  /** Stored labels of the boxes that have a token of the label asked for; without a label, null. */
  readonly candidates: readonly string[] | null;
}

export async function listFrames(database: Database, filter: FrameFilter): Promise<FrameList> {
  const { label } = filter;
  const tokens = label === undefined ? null : tokensOf(database, label);
  const { rows } = await database.pool.query<Row>(questionOf(database, filter, tokens));
  // The token names no label for sure: what really has it is kept.
  const found = label === undefined ? rows : rows.filter(hasLabel(database, label));
  const frames = found.map(summarize(database));
  const falsePositives = rows.length - found.length;
  const search = tokens && { column: "annotation_example.label_index", tokens, falsePositives };
  return { total: frames.length, frames, search };
}

/** By the tokens of all live keys. */
function tokensOf({ orm, entities }: Database, label: string): string[] {
  const reference = { entity: entities.AnnotationExample, property: "label" };
  return searchValues(orm.em, reference, label).map(String);
}

/**
 * One statement, so that no label is decrypted of a frame that another condition rules out; and plain SQL, since
 * thousands of entities would be made only to be written down again.
 */
function questionOf(database: Database, filter: FrameFilter, tokens: readonly string[] | null) {
  const values: unknown[] = [];
  const bound = (value: unknown): string => `$${values.push(value)}`;
  const found = tokens
    ? `JOIN (
        SELECT frame_id, json_agg(label) AS labels FROM annotation_example
        WHERE label_index = ANY (${bound(tokens)}::text[]) GROUP BY frame_id
      ) found ON found.frame_id = frame.id`
    : "";
  const conditions = conditionsOf(database, filter, bound);
  const text = `
    SELECT frame.id, frame.name, frame.camera, frame.captured_at AS captured,
      (SELECT count(*)::integer FROM annotation_example box WHERE box.frame_id = frame.id) AS boxes,
      coalesce(review.is_reviewed, false) AS reviewed,
      ${tokens ? "found.labels" : "NULL"} AS candidates
    FROM frame LEFT JOIN frame_review review ON review.frame_id = frame.id ${found}
    ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""}
    ORDER BY frame.captured_at, frame.id`;
  return { text, values };
}

function conditionsOf(
  { orm, entities }: Database,
  { camera, from, to, state }: FrameFilter,
  bound: (value: unknown) => string,
): string[] {
  const conditions: string[] = [];
  if (camera !== undefined) {
    const stored = searchValues(orm.em, { entity: entities.Frame, property: "camera" }, camera);
    conditions.push(`frame.camera = ANY (${bound(stored)}::text[])`);
  }
  if (from) conditions.push(`frame.captured_at >= ${bound(new Date(from))}`);
  if (to) conditions.push(`frame.captured_at < ${bound(new Date(Date.parse(to) + DAY_MS))}`);
  if (state) {
    conditions.push(`coalesce(review.is_reviewed, false) = ${bound(state === "reviewed")}`);
  }
  return conditions;
}

/** Whether one of a frame's candidates has the label. */
function hasLabel({ orm, entities }: Database, label: string): (row: Row) => boolean {
  const reference = { entity: entities.AnnotationExample, property: "label" };
  const wanted = labelKey(label);
  const isWanted = (stored: string): boolean =>
    labelKey(String(decryptValue(orm.em, reference, stored))) === wanted;
  return ({ candidates }) => candidates?.some(isWanted) ?? false;
}

function summarize({ orm, entities }: Database): (row: Row) => FrameSummary {
  const nameOf = (stored: string): string =>
    String(decryptValue(orm.em, { entity: entities.Frame, property: "name" }, stored));
  // Equal cameras are stored equal, and there are few of them.
  const cameras = new Map<string, string>();
  const cameraOf = (stored: string): string => {
    const known = cameras.get(stored);
    if (known !== undefined) return known;
    const reference = { entity: entities.Frame, property: "camera" };
    const camera = String(decryptValue(orm.em, reference, stored));
    cameras.set(stored, camera);
    return camera;
  };
  return ({ id, name, camera, captured, boxes, reviewed }) => ({
    id,
    name: nameOf(name),
    camera: cameraOf(camera),
    capturedAt: captured.toISOString(),
    boxCount: boxes,
    isReviewed: reviewed,
  });
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
