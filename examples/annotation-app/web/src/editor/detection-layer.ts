// What the detector found, as dashed outlines over the boxes of people, which often lie on the same lines: seen on
// demand, and never touched.
import type { Boxes } from "./box.ts";
import { set, svg } from "./svg.ts";

export class DetectionLayer {
  readonly element = svg("g", { class: "detections", "aria-hidden": "true" });
  readonly #hueOf: (label: string) => number;
  #isShown = false;

  constructor(hueOf: (label: string) => number) {
    this.#hueOf = hueOf;
    this.isShown = false;
  }

  get isShown(): boolean {
    return this.#isShown;
  }

  set isShown(isShown: boolean) {
    this.#isShown = isShown;
    this.element.classList.toggle("is-hidden", !isShown);
  }

  load(detections: Boxes): void {
    const outlines = detections.flatMap(({ x, y, width, height, label }) => {
      const place = { x, y, width, height };
      const outline = svg("rect", { class: "detection" });
      const halo = svg("rect", { class: "detection-halo" });
      for (const rect of [halo, outline]) set(rect, place);
      outline.dataset.hue = String(this.#hueOf(label));
      return [halo, outline];
    });
    this.element.replaceChildren(...outlines);
  }
}
