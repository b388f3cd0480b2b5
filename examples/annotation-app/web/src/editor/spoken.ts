// Sentences of the editor for those who listen to it.
import type { Box } from "./box.ts";

export function spokenPlace(box: Box): string {
  return `${box.label} at ${box.x}, ${box.y}, ${box.width} by ${box.height}`;
}

export function spokenHelp(canEdit: boolean): string {
  return canEdit
    ? "Frame editor. N adds a box, Tab walks boxes, arrows move, Control with arrows resizes, digits set the label, Delete removes. Question mark lists all keys."
    : "Frame, read only. Tab walks boxes.";
}
