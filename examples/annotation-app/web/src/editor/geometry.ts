// Arithmetic of boxes within an image. Every result lies inside the image and on whole pixels, because COCO and
// YOLO readers reject boxes that stick out, and fractions would make "saved and loaded" differ from "drawn".
import type { Box, Boxes, Handle, Point, Rect, Size } from "./box.ts";

/** A box smaller than this on either side is a slip of the hand, not an annotation. */
export const SMALLEST_SIDE_PX = 3;

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** The rectangle between two edges given in any order, cut to the image. */
function between(x1: number, y1: number, x2: number, y2: number, image: Size): Rect {
  const left = Math.round(clamp(Math.min(x1, x2), 0, image.width));
  const top = Math.round(clamp(Math.min(y1, y2), 0, image.height));
  const right = Math.round(clamp(Math.max(x1, x2), 0, image.width));
  const bottom = Math.round(clamp(Math.max(y1, y2), 0, image.height));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The rectangle that a drag from one corner to the opposite one spans. */
export function rectBetween(from: Point, to: Point, image: Size): Rect {
  return between(from.x, from.y, to.x, to.y, image);
}

/** Moves without changing the size: at the edge of the image the box stops. */
export function moveBy<T extends Rect>(box: T, dx: number, dy: number, image: Size): T {
  return {
    ...box,
    x: clamp(Math.round(box.x + dx), 0, image.width - box.width),
    y: clamp(Math.round(box.y + dy), 0, image.height - box.height),
  };
}

/**
 * Drags one handle. Past the opposite edge the box turns over, as in every drawing program, and it never becomes
 * smaller than one pixel, so that a resize cannot lose it.
 */
export function resizeBy<T extends Rect>(box: T, handle: Handle, delta: Point, image: Size): T {
  const west = handle.includes("w") ? delta.x : 0;
  const east = handle.includes("e") ? delta.x : 0;
  const north = handle.startsWith("n") ? delta.y : 0;
  const south = handle.startsWith("s") ? delta.y : 0;
  const rect = between(
    box.x + west,
    box.y + north,
    box.x + box.width + east,
    box.y + box.height + south,
    image,
  );
  return { ...box, ...atLeastOnePixel(rect, image) };
}

function atLeastOnePixel(rect: Rect, image: Size): Rect {
  const width = Math.max(1, rect.width);
  const height = Math.max(1, rect.height);
  return {
    x: Math.min(rect.x, image.width - width),
    y: Math.min(rect.y, image.height - height),
    width,
    height,
  };
}

/** Cuts a box that came from elsewhere (paste, import) to the image; null when nothing of it is inside. */
export function fitInto<T extends Rect>(box: T, image: Size): T | null {
  const rect = between(box.x, box.y, box.x + box.width, box.y + box.height, image);
  return rect.width < 1 || rect.height < 1 ? null : { ...box, ...rect };
}

/** Where a handle sits on its box. */
export function handlePoint(box: Rect, handle: Handle): Point {
  const horizontal = handle.includes("w") ? 0 : handle.includes("e") ? 1 : 0.5;
  const vertical = handle.startsWith("n") ? 0 : handle.startsWith("s") ? 1 : 0.5;
  return { x: box.x + box.width * horizontal, y: box.y + box.height * vertical };
}

export function contains(rect: Rect, point: Point, tolerance = 0): boolean {
  return (
    point.x >= rect.x - tolerance &&
    point.x <= rect.x + rect.width + tolerance &&
    point.y >= rect.y - tolerance &&
    point.y <= rect.y + rect.height + tolerance
  );
}

/** All boxes under a point, the smallest first: the one that is hardest to hit otherwise. */
export function boxesAt(boxes: Boxes, point: Point, tolerance = 0): Boxes {
  return boxes
    .filter((box) => contains(box, point, tolerance))
    .sort((a, b) => a.width * a.height - b.width * b.height);
}

/** The box below the current one in the pile under the pointer; round to the top after the last. */
export function nextInPile(pile: Boxes, currentId: string | null): Box | undefined {
  const at = pile.findIndex((box) => box.id === currentId);
  return pile[(at + 1) % pile.length];
}

/**
 * The handle under a point, or null. `reach` is how far beside a handle a hit still counts, in image pixels; inside
 * the box it shrinks with the box, so that even a tiny box keeps a middle that can be dragged.
 */
export function handleAt(box: Rect, point: Point, reach: number): Handle | null {
  if (!contains(box, point, reach)) return null;
  const nearWest = isNear(point.x - box.x, box.width, reach);
  const nearEast = isNear(box.x + box.width - point.x, box.width, reach);
  const nearNorth = isNear(point.y - box.y, box.height, reach);
  const nearSouth = isNear(box.y + box.height - point.y, box.height, reach);
  const vertical = nearNorth ? "n" : nearSouth ? "s" : "";
  const horizontal = nearWest ? "w" : nearEast ? "e" : "";
  const handle = `${vertical}${horizontal}`;
  return handle === "" ? null : (handle as Handle);
}

/** `inward` is the distance from an edge towards the inside of the box; negative outside. */
function isNear(inward: number, side: number, reach: number): boolean {
  return inward >= -reach && inward <= Math.min(reach, side / 4);
}
