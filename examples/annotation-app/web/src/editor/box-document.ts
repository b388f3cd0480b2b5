// The boxes of one frame while somebody edits them: history, selection, and every change there is. It has no
// pixels and no events of the browser, so the rules of undo are tested without one.
import type { Box, Boxes, Rect, Size } from "./box.ts";
import { placePasted } from "./clipboard.ts";
import { moveBy, resizeBy } from "./geometry.ts";
import { History } from "./history.ts";
import { sameBoxes } from "./merge.ts";

export interface DocumentEvents {
  /** Something visible changed. */
  onPaint(): void;
  /** A gesture, undo or redo is complete: these boxes are to be saved. */
  onChange(boxes: Boxes): void;
}

export class BoxDocument {
  readonly #events: DocumentEvents;
  #history = new History<Boxes>([], sameBoxes);
  #selectedId: string | null = null;
  /** The box whose note is being typed. */
  #typedId: string | null = null;
  #copied: Boxes = [];
  #image: Size = { width: 1, height: 1 };
  /** The label that the next box gets. */
  label: string;

  constructor(label: string, events: DocumentEvents) {
    this.label = label;
    this.#events = events;
  }

  /** Another frame; its history starts anew. What was copied stays, to be pasted here. */
  load(boxes: Boxes, image: Size): void {
    this.#history = new History<Boxes>(boxes, sameBoxes);
    this.#image = image;
    this.#selectedId = null;
    this.#typedId = null;
    this.#events.onPaint();
  }

  get boxes(): Boxes {
    return this.#history.present;
  }

  get selected(): Box | null {
    return this.boxes.find((box) => box.id === this.#selectedId) ?? null;
  }

  get canUndo(): boolean {
    return this.#history.canUndo;
  }

  get canRedo(): boolean {
    return this.#history.canRedo;
  }

  get isInGesture(): boolean {
    return this.#history.isInGesture;
  }

  select(id: string | null): void {
    if (id === this.#selectedId) return;
    this.#selectedId = id;
    this.#typedId = null;
    this.#events.onPaint();
  }

  /** Shows a box as the gesture that goes on would leave it. */
  preview(box: Box): void {
    this.#previewAll(this.#history.settled.map((other) => (other.id === box.id ? box : other)));
  }

  previewNew(id: string, rect: Rect): void {
    const box: Box = { id, label: this.label, note: null, confidence: null, ...rect };
    this.#selectedId = id;
    this.#previewAll([...this.#history.settled, box]);
  }

  /** Completes the gesture; returns the box that it changed, or null when it changed nothing. */
  complete(): Box | null {
    if (!this.#history.end()) return null;
    this.#changed();
    return this.selected;
  }

  cancel(): void {
    this.#history.cancel();
    if (!this.selected) this.#selectedId = null;
    this.#events.onPaint();
  }

  /** A step of an arrow key. Held keys are one gesture, until complete(). */
  nudge(dx: number, dy: number): void {
    if (this.selected) this.preview(moveBy(this.selected, dx, dy, this.#image));
  }

  /** Resizes at the lower right corner; shrinking stops at one pixel instead of turning the box over. */
  grow(dx: number, dy: number): void {
    const box = this.selected;
    if (!box) return;
    const delta = { x: Math.max(1 - box.width, dx), y: Math.max(1 - box.height, dy) };
    this.preview(resizeBy(box, "se", delta, this.#image));
  }

  /** One change that is a gesture by itself. */
  change(edit: (boxes: Boxes) => Boxes): void {
    this.#typedId = null;
    this.complete();
    if (this.#history.commit(edit(this.#history.settled))) this.#changed();
    else this.#events.onPaint();
  }

  setLabelOf(id: string, label: string): void {
    this.change((boxes) => boxes.map((box) => (box.id === id ? { ...box, label } : box)));
  }

  /** Text as it is typed: saved at each letter, and one entry of the history until something else happens. */
  typeNote(id: string, note: string | null): void {
    const edit = (boxes: Boxes): Boxes =>
      boxes.map((box) => (box.id === id ? { ...box, note } : box));
    if (this.#typedId !== id) {
      this.change(edit);
      this.#typedId = id;
      return;
    }
    const hasEntry = this.#history.amend(edit(this.#history.settled));
    this.#typedId = hasEntry ? id : null;
    this.#changed();
  }

  /** Adds boxes and selects the last; returns it. */
  add(boxes: Boxes): Box | null {
    const last = boxes.at(-1);
    if (!last) return null;
    this.#selectedId = last.id;
    this.change((existing) => [...existing, ...boxes]);
    return last;
  }

  removeSelected(): Box | null {
    const box = this.selected;
    if (!box) return null;
    this.#selectedId = null;
    this.change((boxes) => boxes.filter((other) => other.id !== box.id));
    return box;
  }

  /** Copies stay in the page's memory: the system's clipboard would hand them to every other program. */
  copy(): Box | null {
    if (this.selected) this.#copied = [this.selected];
    return this.selected;
  }

  paste(): Box | null {
    return this.add(placePasted(this.#copied, this.boxes, this.#image));
  }

  duplicate(): Box | null {
    return this.selected && this.add(placePasted([this.selected], this.boxes, this.#image));
  }

  undo(): boolean {
    return this.#travelled(this.#history.undo());
  }

  redo(): boolean {
    return this.#travelled(this.#history.redo());
  }

  #travelled(hasTravelled: boolean): boolean {
    this.#typedId = null;
    if (!this.selected) this.#selectedId = null;
    if (hasTravelled) this.#changed();
    else this.#events.onPaint();
    return hasTravelled;
  }

  #previewAll(boxes: Boxes): void {
    this.#typedId = null;
    this.#history.begin();
    this.#history.preview(boxes);
    this.#events.onPaint();
  }

  #changed(): void {
    this.#events.onPaint();
    this.#events.onChange(this.#history.settled);
  }
}
