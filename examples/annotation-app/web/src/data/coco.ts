// Looks at a COCO file before it is sent: what it holds, and why it would be refused. The server checks again; this
// check is there to answer at once, and with a sentence that helps.

export interface CocoSummary {
  readonly images: number;
  readonly annotations: number;
  readonly categories: readonly string[];
}

/** Thrown with a message for the person who chose the file. It names positions and counts, never contents. */
export class CocoProblem extends Error {
  override readonly name = "CocoProblem";
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws {@link CocoProblem} when the text is no COCO detection file. */
export function summarizeCoco(text: string): CocoSummary {
  const file = parse(text);
  const images = list(file, "images");
  const annotations = list(file, "annotations");
  const categories = list(file, "categories");
  const imageIds = ids(images, "images");
  const names = categories.map((category, index) => {
    if (typeof category.name !== "string" || category.name === "") {
      throw new CocoProblem(`categories[${index}] has no name.`);
    }
    return category.name;
  });
  const categoryIds = ids(categories, "categories");
  for (const [index, image] of images.entries()) {
    if (typeof image.file_name !== "string")
      throw new CocoProblem(`images[${index}] has no file_name.`);
  }
  for (const [index, annotation] of annotations.entries()) {
    checkAnnotation(annotation, `annotations[${index}]`, imageIds, categoryIds);
  }
  return { images: images.length, annotations: annotations.length, categories: names };
}

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the file.
    throw new CocoProblem("This file is not JSON.");
  }
  if (!isFields(value)) throw new CocoProblem("A COCO file is a JSON object.");
  return value;
}

function list(file: Fields, name: string): readonly Fields[] {
  const value = file[name];
  if (!Array.isArray(value))
    throw new CocoProblem(`The list "${name}" is missing: this is no COCO file.`);
  const entries: readonly unknown[] = value;
  const wrong = entries.findIndex((entry) => !isFields(entry));
  if (wrong >= 0) throw new CocoProblem(`${name}[${wrong}] is not an object.`);
  return entries.filter(isFields);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function ids(entries: readonly Fields[], name: string): ReadonlySet<unknown> {
  const seen = new Set<unknown>();
  for (const [index, { id }] of entries.entries()) {
    if (typeof id !== "number" && typeof id !== "string")
      throw new CocoProblem(`${name}[${index}] has no id.`);
    if (seen.has(id)) throw new CocoProblem(`${name}[${index}] repeats the id of another entry.`);
    seen.add(id);
  }
  return seen;
}

function checkAnnotation(
  annotation: Fields,
  where: string,
  images: ReadonlySet<unknown>,
  categories: ReadonlySet<unknown>,
): void {
  if (!images.has(annotation.image_id))
    throw new CocoProblem(`${where} names an image that is not in the file.`);
  if (!categories.has(annotation.category_id)) {
    throw new CocoProblem(`${where} names a category that is not in the file.`);
  }
  const bbox: unknown = annotation.bbox;
  const isBox =
    Array.isArray(bbox) && bbox.length === 4 && bbox.every((value) => Number.isFinite(value));
  if (!isBox) throw new CocoProblem(`${where} needs "bbox": [x, y, width, height].`);
  const [, , width, height] = bbox as readonly number[];
  if ((width ?? 0) <= 0 || (height ?? 0) <= 0) throw new CocoProblem(`${where} has an empty box.`);
}
