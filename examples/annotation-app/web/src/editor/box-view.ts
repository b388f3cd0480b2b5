// The drawing of one box. Its lines keep their width by themselves when the image is scaled; its tag has to be told.
import type { Box } from "./box.ts";
import { set, svg } from "./svg.ts";

const TAG_HEIGHT = 18;
const TAG_PADDING = 6;

export class BoxView {
  readonly element: SVGGElement;
  readonly #halo = svg("rect", { class: "box-halo" });
  readonly #body = svg("rect", { class: "box-body" });
  readonly #tag = svg("g", { class: "box-tag" });
  readonly #tagBack = svg("rect", {
    class: "box-tag-back",
    height: TAG_HEIGHT,
    y: -TAG_HEIGHT,
    rx: 3,
  });
  readonly #tagText = svg("text", { class: "box-tag-text", x: TAG_PADDING, y: -5.5 });
  readonly #scaled = svg("g");
  #scale = 0;
  #box: Box | null = null;
  #number = 0;
  #isSelected: boolean | null = null;
  #hue = -1;

  constructor(id: string) {
    this.#scaled.append(this.#tagBack, this.#tagText);
    this.#tag.append(this.#scaled);
    this.element = svg(
      "g",
      { class: "box", "data-id": id, tabindex: 0, role: "button" },
      this.#halo,
      this.#body,
      this.#tag,
    );
  }

  /** Repaints what differs from the last call, and nothing when nothing does. Returns whether it painted. */
  update(box: Box, number: number, hue: number, isSelected: boolean): boolean {
    const isSameBox = this.#box === box && this.#hue === hue;
    if (isSameBox && this.#number === number && this.#isSelected === isSelected) return false;
    if (!isSameBox) this.#paint(box, hue);
    if (this.#isSelected !== isSelected) {
      this.element.classList.toggle("is-selected", isSelected);
      this.element.setAttribute("aria-pressed", String(isSelected));
    }
    this.element.setAttribute("aria-label", spoken(box, number));
    this.#box = box;
    this.#number = number;
    this.#hue = hue;
    this.#isSelected = isSelected;
    return true;
  }

  /** Keeps the tag's size on screen while the image is scaled. */
  showAtScale(scale: number): void {
    if (scale === this.#scale) return;
    this.#scale = scale;
    set(this.#scaled, { transform: `scale(${1 / scale})` });
  }

  #paint(box: Box, hue: number): void {
    const rect = { x: box.x, y: box.y, width: box.width, height: box.height };
    set(this.#halo, rect);
    set(this.#body, rect);
    set(this.#tag, { transform: `translate(${box.x} ${box.y})` });
    if (this.#hue !== hue) this.element.dataset.hue = String(hue);
    if (this.#box?.label !== box.label) {
      this.#tagText.textContent = box.label;
      set(this.#tagBack, { width: textWidth(box.label) + 2 * TAG_PADDING });
    }
  }
}

/** What a screen reader says about a box. */
export function spoken(box: Box, number: number): string {
  const note = box.note ? `, note: ${box.note}` : "";
  return `${box.label}, box ${number}, x ${box.x}, y ${box.y}, ${box.width} by ${box.height} pixels${note}`;
}

const widths = new Map<string, number>();
let ruler: OffscreenCanvasRenderingContext2D | null = null;

/** Measured once per label, off the page: asking the SVG text for its width would force a layout per box. */
function textWidth(text: string): number {
  const known = widths.get(text);
  if (known !== undefined) return known;
  ruler ??= new OffscreenCanvas(1, 1).getContext("2d");
  if (ruler) ruler.font = `600 11px ${getComputedStyle(document.body).fontFamily}`;
  const width = ruler?.measureText(text).width ?? text.length * 7;
  widths.set(text, width);
  return width;
}
