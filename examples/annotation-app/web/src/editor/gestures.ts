// Mouse, pen and touch: turns pointer events into gestures on the surface. Which gesture begins depends on what is
// under the pointer: a handle of the selected box, a box, or the empty image.
import type { Box, Handle, Point, Rect } from "./box.ts";
import {
  boxesAt,
  contains,
  handleAt,
  moveBy,
  nextInPile,
  rectBetween,
  resizeBy,
  SMALLEST_SIDE_PX,
} from "./geometry.ts";
import type { Surface } from "./surface.ts";
import { panBy, pinch, toImage, type Viewport } from "./viewport.ts";

type Gesture =
  | { readonly kind: "draw"; readonly id: string; readonly from: Point }
  | {
      readonly kind: "move";
      readonly box: Box;
      readonly from: Point;
      readonly wasSelected: boolean;
    }
  | { readonly kind: "resize"; readonly box: Box; readonly handle: Handle; readonly from: Point }
  | { readonly kind: "pan"; readonly last: Point }
  | { readonly kind: "pinch"; readonly view: Viewport; readonly from: readonly [Point, Point] }
  | { readonly kind: "settling" };

const HANDLE_REACH_PX = { mouse: 8, touch: 20 };
/** A press that moves less is a click. */
const CLICK_RADIUS_PX = 3;

export class Gestures {
  readonly #surface: Surface;
  readonly #pointers = new Map<number, Point>();
  #gesture: Gesture | null = null;
  #pressedAt: Point = { x: 0, y: 0 };
  #hasMoved = false;
  #isSpaceDown = false;

  constructor(surface: Surface) {
    this.#surface = surface;
    const element = surface.stage.element;
    element.addEventListener("pointerdown", this.#onDown);
    element.addEventListener("pointermove", this.#onMove);
    element.addEventListener("pointerup", this.#onUp);
    element.addEventListener("pointercancel", this.#onCancel);
    element.addEventListener("lostpointercapture", this.#onLost);
    element.addEventListener("pointerleave", () => surface.layer.hover(null));
    element.addEventListener("wheel", this.#onWheel, { passive: false });
  }

  get isActive(): boolean {
    return this.#gesture !== null;
  }

  set isSpaceDown(isDown: boolean) {
    this.#isSpaceDown = isDown;
    if (!this.#gesture) this.#surface.stage.cursor(isDown ? "grab" : "crosshair");
  }

  cancel(): void {
    if (!this.#gesture) return;
    this.#gesture = { kind: "settling" };
    this.#surface.document.cancel();
  }

  readonly #onDown = (event: PointerEvent): void => {
    if (event.button > 1) return;
    event.preventDefault();
    const at = this.#surface.stage.canvasPoint(event);
    this.#surface.stage.element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, at);
    const [first, second] = [...this.#pointers.values()];
    if (first && second) return this.#beginPinch([first, second]);
    if (this.#gesture) return;
    this.#pressedAt = at;
    this.#hasMoved = false;
    this.#gesture = this.#gestureFor(event, at);
  };

  #beginPinch(from: readonly [Point, Point]): void {
    this.#surface.document.cancel();
    this.#gesture = { kind: "pinch", view: this.#surface.stage.viewport, from };
  }

  #gestureFor(event: PointerEvent, at: Point): Gesture {
    const surface = this.#surface;
    if (event.button === 1 || this.#isSpaceDown) {
      surface.stage.cursor("grabbing");
      return { kind: "pan", last: at };
    }
    const point = toImage(surface.stage.viewport, at);
    const selected = surface.document.selected;
    if (selected && surface.canEdit) {
      const handle = handleAt(selected, point, this.#reach(event));
      if (handle) return { kind: "resize", box: selected, handle, from: point };
    }
    const isForcedDraw = surface.canEdit && (surface.isDrawTool || event.shiftKey);
    const pile = isForcedDraw ? [] : boxesAt(surface.document.boxes, point);
    const box = selected && contains(selected, point) && !isForcedDraw ? selected : pile[0];
    if (box) {
      surface.document.select(box.id);
      if (!surface.canEdit) return { kind: "pan", last: at };
      return { kind: "move", box, from: point, wasSelected: box === selected };
    }
    surface.document.select(null);
    return surface.canEdit
      ? { kind: "draw", id: crypto.randomUUID(), from: point }
      : { kind: "pan", last: at };
  }

  #reach(event: PointerEvent): number {
    const reach = event.pointerType === "touch" ? HANDLE_REACH_PX.touch : HANDLE_REACH_PX.mouse;
    return reach / this.#surface.stage.viewport.scale;
  }

  readonly #onMove = (event: PointerEvent): void => {
    const at = this.#surface.stage.canvasPoint(event);
    if (!this.#gesture) return this.#hover(event, at);
    if (!this.#pointers.has(event.pointerId)) return;
    this.#pointers.set(event.pointerId, at);
    const travelled = Math.hypot(at.x - this.#pressedAt.x, at.y - this.#pressedAt.y);
    if (travelled > CLICK_RADIUS_PX) this.#hasMoved = true;
    if (this.#gesture.kind === "pinch") this.#pinchTo(this.#gesture);
    else if (this.#hasMoved) this.#drag(this.#gesture, at);
  };

  #pinchTo(gesture: Gesture & { kind: "pinch" }): void {
    const [first, second] = [...this.#pointers.values()];
    if (!first || !second) return;
    const frame = { image: this.#surface.stage.image, canvas: this.#surface.stage.canvas };
    this.#surface.stage.viewport = pinch(gesture.view, gesture.from, [first, second], frame);
  }

  #drag(gesture: Gesture, at: Point): void {
    const surface = this.#surface;
    const image = surface.stage.image;
    const point = toImage(surface.stage.viewport, at);
    switch (gesture.kind) {
      case "pan": {
        const { last } = gesture;
        surface.stage.viewport = panBy(
          surface.stage.viewport,
          at.x - last.x,
          at.y - last.y,
          image,
          surface.stage.canvas,
        );
        this.#gesture = { kind: "pan", last: at };
        return;
      }
      case "draw":
        return surface.document.previewNew(gesture.id, rectBetween(gesture.from, point, image));
      case "move": {
        const { box, from } = gesture;
        return surface.document.preview(moveBy(box, point.x - from.x, point.y - from.y, image));
      }
      case "resize": {
        const { box, handle, from } = gesture;
        const delta = { x: point.x - from.x, y: point.y - from.y };
        return surface.document.preview(resizeBy(box, handle, delta, image));
      }
      case "pinch":
      case "settling":
    }
  }

  #hover(event: PointerEvent, at: Point): void {
    if (event.pointerType === "touch" || this.#isSpaceDown) return;
    const surface = this.#surface;
    const point = toImage(surface.stage.viewport, at);
    const selected = surface.document.selected;
    const handle =
      selected && surface.canEdit ? handleAt(selected, point, this.#reach(event)) : null;
    if (handle) return surface.stage.cursor(`handle-${handle}`);
    const isForcedDraw = surface.canEdit && (surface.isDrawTool || event.shiftKey);
    const top = isForcedDraw ? undefined : boxesAt(surface.document.boxes, point)[0];
    surface.layer.hover(top?.id ?? null);
    surface.stage.cursor(
      top ? (surface.canEdit ? "move" : "pick") : surface.canEdit ? "crosshair" : "grab",
    );
  }

  readonly #onUp = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
    const gesture = this.#gesture;
    if (!gesture) return;
    if (gesture.kind === "pinch" || gesture.kind === "settling") {
      // The finger that lifts last must not start to draw.
      this.#gesture = this.#pointers.size > 0 ? { kind: "settling" } : null;
      return;
    }
    this.#gesture = null;
    this.#finish(
      gesture,
      toImage(this.#surface.stage.viewport, this.#surface.stage.canvasPoint(event)),
    );
  };

  #finish(gesture: Gesture, point: Point): void {
    const surface = this.#surface;
    const drawn =
      gesture.kind === "draw" ? rectBetween(gesture.from, point, surface.stage.image) : null;
    if (drawn && isTooSmall(drawn)) surface.document.cancel();
    else surface.complete();
    if (gesture.kind === "move" && gesture.wasSelected && !this.#hasMoved) {
      // A second click on the same spot reaches the box below.
      const below = nextInPile(boxesAt(surface.document.boxes, point), gesture.box.id);
      if (below) surface.document.select(below.id);
    }
    if (gesture.kind === "pan") surface.stage.cursor(this.#isSpaceDown ? "grab" : "crosshair");
    surface.focusSelected();
  }

  readonly #onCancel = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
    this.#surface.document.cancel();
    this.#gesture = this.#pointers.size > 0 ? { kind: "settling" } : null;
  };

  /** Follows each pointerup, where it means nothing; alone, the pointer is gone and must not be waited for. */
  readonly #onLost = (event: PointerEvent): void => {
    if (this.#pointers.has(event.pointerId)) this.#onCancel(event);
  };

  readonly #onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const isPixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL;
    const pixels = event.deltaY * (isPixels ? 1 : 24);
    this.#surface.stage.zoom(Math.exp(-pixels / 400), this.#surface.stage.canvasPoint(event));
  };
}

function isTooSmall(rect: Rect): boolean {
  return rect.width < SMALLEST_SIDE_PX || rect.height < SMALLEST_SIDE_PX;
}
