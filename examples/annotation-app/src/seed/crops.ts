// What the camera of a photograph saw as it panned: cut-outs, with the objects that are still in sight.
import type { Rectangle } from "../database/models.ts";
import type { SeededObject } from "./photographs.ts";

/** Shares of the picture. The first is all of it. */
export const PAN: readonly Rectangle[] = [
  { x: 0, y: 0, width: 1, height: 1 },
  { x: 0, y: 0.1, width: 0.8, height: 0.8 },
  { x: 0.1, y: 0.05, width: 0.8, height: 0.9 },
  { x: 0.2, y: 0.1, width: 0.8, height: 0.85 },
  { x: 0.15, y: 0.2, width: 0.75, height: 0.8 },
];

/** Less of an object than this is not told as one. */
const SHARE_IN_SIGHT = 0.35;

export function inPixels(crop: Rectangle, picture: { width: number; height: number }): Rectangle {
  return {
    x: Math.round(crop.x * picture.width),
    y: Math.round(crop.y * picture.height),
    width: Math.floor(crop.width * picture.width),
    height: Math.floor(crop.height * picture.height),
  };
}

/** The objects in a cut-out, in its own coordinates. */
export function objectsIn(
  objects: readonly SeededObject[],
  crop: Rectangle,
): readonly SeededObject[] {
  return objects.flatMap((object) => {
    const left = Math.max(object.x, crop.x);
    const top = Math.max(object.y, crop.y);
    const width = Math.min(object.x + object.width, crop.x + crop.width) - left;
    const height = Math.min(object.y + object.height, crop.y + crop.height) - top;
    const isInSight =
      width > 0 && height > 0 && width * height >= SHARE_IN_SIGHT * object.width * object.height;
    return isInSight ? [{ ...object, x: left - crop.x, y: top - crop.y, width, height }] : [];
  });
}
