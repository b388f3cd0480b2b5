// Pictures for viewers: what is in boxes is coarsened beyond recognition before the picture leaves the server.
import sharp from "sharp";
import type { AnnotationBox } from "../../web/src/data/contract.ts";
import { boxOf } from "../annotate/frame-detail.ts";
import type { Database } from "../database/database.ts";
import type { Rectangle } from "../database/models.ts";
import { inTurn } from "../ingest/decoding.ts";

/** Along the longer side of a box: a face of six by four fields is nobody's. */
const FIELDS = 6;

/** What people drew and what the detector saw: whoever edits a box away does not show what is under it. */
export async function boxesOf({ models }: Database, frameId: string): Promise<Rectangle[]> {
  const where = { frameId };
  const [examples, detections] = await Promise.all([
    models.AnnotationExample.findAll({ where }),
    models.EventDetection.findAll({ where }),
  ]);
  const drawn: readonly AnnotationBox[] = examples.map(boxOf);
  return [...drawn, ...detections.flatMap(({ box }) => (box ? [box] : []))];
}

/** The same format and size, without what is in the boxes. */
export function blurBoxes(picture: Buffer, boxes: readonly Rectangle[]): Promise<Buffer> {
  return inTurn(() => blurred(picture, boxes));
}

async function blurred(picture: Buffer, boxes: readonly Rectangle[]): Promise<Buffer> {
  const { data, info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const raw = { width, height, channels };
  const patches = boxes.flatMap((box) => {
    const left = Math.max(0, Math.floor(box.x));
    const top = Math.max(0, Math.floor(box.y));
    const region = {
      left,
      top,
      width: Math.min(width, Math.ceil(box.x + box.width)) - left,
      height: Math.min(height, Math.ceil(box.y + box.height)) - top,
    };
    return region.width > 0 && region.height > 0 ? [region] : [];
  });
  // The largest last, and so on top: a face in a person's box is as coarse as the person.
  patches.sort((a, b) => a.width * a.height - b.width * b.height);
  const overlays = await Promise.all(
    patches.map(async (region) => {
      const scale = FIELDS / Math.max(region.width, region.height, FIELDS);
      const coarse = await sharp(data, { raw })
        .extract(region)
        .resize(
          Math.max(1, Math.round(region.width * scale)),
          Math.max(1, Math.round(region.height * scale)),
          { fit: "fill" },
        )
        .png()
        .toBuffer();
      const input = await sharp(coarse)
        .resize(region.width, region.height, { fit: "fill" })
        .png()
        .toBuffer();
      return { input, left: region.left, top: region.top };
    }),
  );
  const { format } = await sharp(picture).metadata();
  const covered = sharp(data, { raw }).composite(overlays);
  return (format === "png" ? covered.png() : covered.toFormat(format, { quality: 90 })).toBuffer();
}
