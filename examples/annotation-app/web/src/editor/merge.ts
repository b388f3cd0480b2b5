// Three-way merge of the boxes of one frame: what both started from, what is on screen, what somebody else saved.
// A box counts as changed when any field differs. Where both sides changed one box, the one on screen wins: its
// author is looking at it; nothing is ever dropped that only one side touched.
import type { Box, Boxes } from "./box.ts";

export function sameBox(a: Box, b: Box): boolean {
  return (
    a === b ||
    (a.id === b.id &&
      a.x === b.x &&
      a.y === b.y &&
      a.width === b.width &&
      a.height === b.height &&
      a.label === b.label &&
      a.note === b.note &&
      a.confidence === b.confidence)
  );
}

export function sameBoxes(a: Boxes, b: Boxes): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every((box, index) => {
        const other = b[index];
        return other !== undefined && sameBox(box, other);
      }))
  );
}

/** Order: theirs first, as saved, then boxes that exist on screen only. */
export function mergeBoxes(base: Boxes, mine: Boxes, theirs: Boxes): Boxes {
  const baseById = byId(base);
  const mineById = byId(mine);
  const theirsById = byId(theirs);
  const ids = new Set([...theirsById.keys(), ...mineById.keys()]);
  return [...ids].flatMap((id) => {
    const box = mergeOne(baseById.get(id), mineById.get(id), theirsById.get(id));
    return box ? [box] : [];
  });
}

function byId(boxes: Boxes): Map<string, Box> {
  return new Map(boxes.map((box) => [box.id, box]));
}

function mergeOne(base?: Box, mine?: Box, theirs?: Box): Box | undefined {
  if (!base) return mine ?? theirs;
  const iChanged = !mine || !sameBox(base, mine);
  if (!iChanged) return theirs;
  // A deletion here against an edit there keeps the edit: a box too many is seen, a lost one is not.
  if (!mine) return theirs && !sameBox(base, theirs) ? theirs : undefined;
  return mine;
}
