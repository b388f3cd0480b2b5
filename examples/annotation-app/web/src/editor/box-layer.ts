// All boxes of the frame and the handles of the selected one. The layer keeps one view per box and repaints only
// those whose (immutable) box is another object than last time: moving one of 500 boxes paints one.
import { HANDLES, type Box, type Boxes } from "./box.ts";
import { BoxView } from "./box-view.ts";
import { handlePoint } from "./geometry.ts";
import { set, svg } from "./svg.ts";

/** From so many boxes on, only the box under the pointer and the selected one carry their tag. */
const CROWD = 60;

export class BoxLayer {
  readonly element = svg("g", { class: "box-layer" });
  readonly #boxes = svg("g");
  readonly #selection = svg("g", { class: "selection", "aria-hidden": "true" });
  readonly #outline = svg("rect", { class: "selection-outline" });
  readonly #handles = HANDLES.map((name) => {
    const knob = svg("rect", { class: "handle", x: -5, y: -5, width: 10, height: 10, rx: 2 });
    const scaled = svg("g", {}, knob);
    return { name, scaled, element: svg("g", { "data-handle": name }, scaled) };
  });
  readonly #views = new Map<string, BoxView>();
  readonly #hueOf: (label: string) => number;
  #hovered: string | null = null;
  #selected: string | null = null;
  #scale = 1;

  /** @param overlay lies over the boxes, and under the handles of the selected one */
  constructor(hueOf: (label: string) => number, overlay: SVGElement) {
    this.#hueOf = hueOf;
    this.#selection.append(this.#outline, ...this.#handles.map((handle) => handle.element));
    this.element.append(this.#boxes, overlay, this.#selection);
  }

  /** Returns how many boxes it had to paint. */
  sync(boxes: Boxes, selected: Box | null, showsHandles: boolean): number {
    let painted = 0;
    const gone = new Set(this.#views.keys());
    for (const [index, box] of boxes.entries()) {
      gone.delete(box.id);
      const view = this.#viewOf(box.id);
      if (view.update(box, index + 1, this.#hueOf(box.label), box.id === selected?.id))
        painted += 1;
      // Re-appending a node takes its focus away, so only a node at the wrong place moves.
      if (this.#boxes.children[index] !== view.element) {
        this.#boxes.insertBefore(view.element, this.#boxes.children[index] ?? null);
      }
    }
    for (const id of gone) this.#remove(id);
    this.#selected = selected?.id ?? null;
    this.element.classList.toggle("is-crowded", boxes.length > CROWD);
    this.#scaleTags();
    this.#paintSelection(selected, showsHandles);
    return painted;
  }

  /** Keeps tags and handles at their size on screen. Where tags are hidden anyway, it touches only those that show. */
  showAtScale(scale: number): void {
    this.#scale = scale;
    for (const { scaled } of this.#handles) set(scaled, { transform: `scale(${1 / scale})` });
    this.#scaleTags();
  }

  #scaleTags(): void {
    const isCrowded = this.#views.size > CROWD;
    const ids = isCrowded ? [this.#hovered, this.#selected] : this.#views.keys();
    for (const id of ids) this.#views.get(id ?? "")?.showAtScale(this.#scale);
  }

  focus(id: string): void {
    this.#views.get(id)?.element.focus({ preventScroll: true });
  }

  hover(id: string | null): void {
    if (id === this.#hovered) return;
    for (const [of, isHovered] of [
      [this.#hovered, false],
      [id, true],
    ] as const) {
      if (of !== null) this.#views.get(of)?.element.classList.toggle("is-hovered", isHovered);
    }
    this.#hovered = id;
    this.#scaleTags();
  }

  #viewOf(id: string): BoxView {
    let view = this.#views.get(id);
    if (!view) {
      view = new BoxView(id);
      this.#views.set(id, view);
    }
    return view;
  }

  #remove(id: string): void {
    this.#views.get(id)?.element.remove();
    this.#views.delete(id);
  }

  #paintSelection(selected: Box | null, showsHandles: boolean): void {
    this.#selection.classList.toggle("is-empty", selected === null);
    this.#selection.classList.toggle("has-handles", showsHandles);
    if (!selected) return;
    const { x, y, width, height } = selected;
    set(this.#outline, { x, y, width, height });
    this.#selection.dataset.hue = String(this.#hueOf(selected.label));
    for (const { name, element } of this.#handles) {
      const at = handlePoint(selected, name);
      set(element, { transform: `translate(${at.x} ${at.y})` });
    }
  }
}
