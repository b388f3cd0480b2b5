// Where boxes that no pointer placed go: pasted ones, duplicates, and a new one from the keyboard.
import type { Box, Boxes, Size } from "./box.ts";
import { fitInto, moveBy, rectBetween } from "./geometry.ts";
import { toImage, type Viewport } from "./viewport.ts";

const PASTE_STEP_PX = 12;
const NEW_BOX_SHARE = 0.2;

/** Fresh ids; beside the original where that spot is taken, at the same place in another frame. */
export function placePasted(copied: Boxes, existing: Boxes, image: Size): Boxes {
  return copied.flatMap((box) => {
    const fitted = fitInto({ ...box, id: crypto.randomUUID() }, image);
    return fitted ? [besideOthers(fitted, existing, image)] : [];
  });
}

function besideOthers(box: Box, existing: Boxes, image: Size): Box {
  const taken = new Set(existing.map((other) => `${other.x},${other.y}`));
  let placed = box;
  while (taken.has(`${placed.x},${placed.y}`)) {
    const next = moveBy(placed, PASTE_STEP_PX, PASTE_STEP_PX, image);
    // In the corner it cannot go on; there it lies on top.
    if (next.x === placed.x && next.y === placed.y) return placed;
    placed = next;
  }
  return placed;
}

/** A box in the middle of what is visible, a fifth of it in size. */
export function placeNew(view: Viewport, canvas: Size, image: Size, label: string): Box {
  const from = toImage(view, {
    x: canvas.width * (0.5 - NEW_BOX_SHARE / 2),
    y: canvas.height * (0.5 - NEW_BOX_SHARE / 2),
  });
  const to = toImage(view, {
    x: canvas.width * (0.5 + NEW_BOX_SHARE / 2),
    y: canvas.height * (0.5 + NEW_BOX_SHARE / 2),
  });
  const rect = rectBetween(from, to, image);
  return {
    id: crypto.randomUUID(),
    label,
    note: null,
    confidence: null,
    x: rect.x,
    y: rect.y,
    width: Math.max(1, rect.width),
    height: Math.max(1, rect.height),
  };
}
