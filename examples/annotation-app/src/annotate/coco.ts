// COCO detection files: https://cocodataset.org/#format-data. Boxes are [x, y, width, height] in pixels.
import { z } from "zod";
import { nameText, plainText } from "../http/plain-text.ts";

export interface ExportedFrame {
  readonly id: string;
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
  readonly capturedAt: Date;
  readonly boxes: readonly ExportedBox[];
}

export interface ExportedBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly confidence: number | null;
}

export function toCoco(frames: readonly ExportedFrame[], labels: readonly string[]): object {
  const categoryIds = new Map(labels.map((name, i) => [name, i + 1]));
  return {
    info: {
      description: "Annotated frames",
      version: "1.0",
      date_created: new Date().toISOString(),
    },
    licenses: [],
    images: frames.map(({ fileName, width, height, capturedAt }, i) => ({
      id: i + 1,
      file_name: fileName,
      width,
      height,
      date_captured: capturedAt.toISOString(),
    })),
    annotations: frames
      .flatMap(({ boxes }, i) => boxes.map((box) => ({ box, imageId: i + 1 })))
      .map(({ box, imageId }, i) => ({
        id: i + 1,
        image_id: imageId,
        category_id: categoryIds.get(box.label),
        bbox: [box.x, box.y, box.width, box.height],
        area: box.width * box.height,
        iscrowd: 0,
        ...(box.confidence === null ? {} : { score: box.confidence }),
      })),
    categories: labels.map((name, i) => ({ id: i + 1, name, supercategory: "" })),
  };
}

const id = z.union([z.number(), z.string()]);

/** What an import reads of a file; the rest may be there. */
export const CocoFile = z.object({
  images: z.array(z.object({ id, file_name: plainText(500) })).max(100_000),
  annotations: z
    .array(
      z.object({
        image_id: id,
        category_id: id,
        bbox: z.tuple([z.number(), z.number(), z.number().positive(), z.number().positive()]),
        score: z.number().min(0).max(1).optional(),
      }),
    )
    .max(1_000_000),
  categories: z.array(z.object({ id, name: nameText(64) })).max(10_000),
});

export type CocoInput = z.infer<typeof CocoFile>;

export interface ImportedFrame {
  readonly fileName: string;
  readonly boxes: readonly ExportedBox[];
}

/** The boxes by file, each file once. Boxes of a category or an image that the file lacks are left out. */
export function fromCoco({ images, annotations, categories }: CocoInput): ImportedFrame[] {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  const fileNames = new Map(images.map(({ id, file_name: fileName }) => [id, fileName]));
  const boxes = new Map<string, ExportedBox[]>(images.map((image) => [image.file_name, []]));
  for (const { image_id: imageId, category_id: categoryId, bbox, score } of annotations) {
    const [x, y, width, height] = bbox;
    const label = names.get(categoryId);
    if (label === undefined) continue;
    const box = { x, y, width, height, label, confidence: score ?? null };
    boxes.get(fileNames.get(imageId) ?? "")?.push(box);
  }
  return [...boxes].map(([fileName, found]) => ({ fileName, boxes: found }));
}
