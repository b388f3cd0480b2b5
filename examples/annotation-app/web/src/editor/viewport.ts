// Which part of the image the canvas shows. `scale` is CSS pixels per image pixel; `x`, `y` are the image
// coordinates of the canvas's top left corner. Pure: the editor turns it into one transform.
import type { Point, Size } from "./box.ts";

export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

const LARGEST_SCALE = 24;
/** Room around the fitted image, so that handles at its edge can be grabbed. */
const MARGIN_PX = 16;

/** The whole image, centred; small images are enlarged up to three times. */
export function fitViewport(image: Size, canvas: Size): Viewport {
  const scale = Math.min(
    3,
    Math.max(1, canvas.width - 2 * MARGIN_PX) / image.width,
    Math.max(1, canvas.height - 2 * MARGIN_PX) / image.height,
  );
  return centred(image, canvas, scale);
}

function centred(image: Size, canvas: Size, scale: number): Viewport {
  return {
    x: (image.width - canvas.width / scale) / 2,
    y: (image.height - canvas.height / scale) / 2,
    scale,
  };
}

export function toImage(view: Viewport, onCanvas: Point): Point {
  return { x: view.x + onCanvas.x / view.scale, y: view.y + onCanvas.y / view.scale };
}

/** Zooms about a point of the canvas, which keeps showing the same spot of the image. */
export function zoomAt(
  view: Viewport,
  factor: number,
  about: Point,
  frame: { readonly image: Size; readonly canvas: Size },
): Viewport {
  const smallest = fitViewport(frame.image, frame.canvas).scale / 2;
  const scale = Math.max(smallest, Math.min(LARGEST_SCALE, view.scale * factor));
  const fixed = toImage(view, about);
  return keepInSight(
    { x: fixed.x - about.x / scale, y: fixed.y - about.y / scale, scale },
    frame.image,
    frame.canvas,
  );
}

export function panBy(view: Viewport, dx: number, dy: number, image: Size, canvas: Size): Viewport {
  const moved = { ...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale };
  return keepInSight(moved, image, canvas);
}

/** The centre of the canvas always lies on the image: nobody gets lost in the dark around it. */
export function keepInSight(view: Viewport, image: Size, canvas: Size): Viewport {
  const halfWidth = canvas.width / view.scale / 2;
  const halfHeight = canvas.height / view.scale / 2;
  return {
    x: Math.max(-halfWidth, Math.min(image.width - halfWidth, view.x)),
    y: Math.max(-halfHeight, Math.min(image.height - halfHeight, view.y)),
    scale: view.scale,
  };
}

/** Two fingers: the spot between them stays between them, and their distance sets the scale. */
export function pinch(
  start: Viewport,
  from: readonly [Point, Point],
  to: readonly [Point, Point],
  frame: { readonly image: Size; readonly canvas: Size },
): Viewport {
  const [startMiddle, middle] = [middleOf(from), middleOf(to)];
  const factor = distance(to) / Math.max(1, distance(from));
  const zoomed = zoomAt(start, factor, startMiddle, frame);
  return panBy(
    zoomed,
    middle.x - startMiddle.x,
    middle.y - startMiddle.y,
    frame.image,
    frame.canvas,
  );
}

function middleOf([a, b]: readonly [Point, Point]): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

function distance([a, b]: readonly [Point, Point]): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
