// The picture and the part of it that is visible: one SVG element, one scene with a transform, which is all that
// zooming and panning change here.
import type { Point, Size } from "./box.ts";
import { set, svg } from "./svg.ts";
import { fitViewport, keepInSight, panBy, zoomAt, type Viewport } from "./viewport.ts";

export type PictureState = "loading" | "ready" | "failed";

export interface StageEvents {
  onView(view: Viewport): void;
  onPicture(state: PictureState): void;
}

export class Stage {
  readonly element: SVGSVGElement;
  readonly #scene = svg("g");
  readonly #picture = svg("image", { class: "picture" });
  readonly #observer = new ResizeObserver(() => this.#onResize());
  readonly #events: StageEvents;
  #url = "";
  #image: Size = { width: 1, height: 1 };
  #canvas: Size = { width: 1, height: 1 };
  #viewport: Viewport = { x: 0, y: 0, scale: 1 };
  #isFitted = true;

  constructor(host: HTMLElement, layer: SVGElement, events: StageEvents) {
    this.#events = events;
    this.#scene.append(this.#picture, layer);
    this.element = svg("svg", { class: "editor", tabindex: 0, role: "application" }, this.#scene);
    this.#picture.addEventListener("load", () => events.onPicture("ready"));
    this.#picture.addEventListener("error", () => events.onPicture("failed"));
    host.append(this.element);
    this.#observer.observe(this.element);
  }

  destroy(): void {
    this.#observer.disconnect();
    this.element.remove();
  }

  show(url: string, image: Size): void {
    this.#url = url;
    this.#image = image;
    this.#isFitted = true;
    set(this.#picture, { width: image.width, height: image.height });
    this.reload();
    this.#onResize();
  }

  reload(): void {
    this.#events.onPicture("loading");
    this.#picture.removeAttribute("href");
    if (this.#url !== "") set(this.#picture, { href: this.#url });
  }

  get image(): Size {
    return this.#image;
  }

  get canvas(): Size {
    return this.#canvas;
  }

  get viewport(): Viewport {
    return this.#viewport;
  }

  set viewport(view: Viewport) {
    this.#isFitted = false;
    this.#apply(view);
  }

  /** Where on the canvas an event happened, in CSS pixels from its corner. */
  canvasPoint(event: { readonly clientX: number; readonly clientY: number }): Point {
    const corner = this.element.getBoundingClientRect();
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  }

  /** Names the pointer's look; the style sheet knows the names. */
  cursor(name: string): void {
    this.element.dataset.cursor = name;
  }

  zoom(factor: number, about: Point = middleOf(this.#canvas)): void {
    const frame = { image: this.#image, canvas: this.#canvas };
    this.viewport = zoomAt(this.#viewport, factor, about, frame);
  }

  pan(dx: number, dy: number): void {
    this.viewport = panBy(this.#viewport, dx, dy, this.#image, this.#canvas);
  }

  fit(): void {
    this.#isFitted = true;
    this.#apply(fitViewport(this.#image, this.#canvas));
  }

  #onResize(): void {
    this.#canvas = {
      width: Math.max(1, this.element.clientWidth),
      height: Math.max(1, this.element.clientHeight),
    };
    if (this.#isFitted) this.fit();
    else this.#apply(keepInSight(this.#viewport, this.#image, this.#canvas));
  }

  #apply(view: Viewport): void {
    this.#viewport = view;
    set(this.#scene, { transform: `scale(${view.scale}) translate(${-view.x} ${-view.y})` });
    this.#events.onView(view);
  }
}

function middleOf(canvas: Size): Point {
  return { x: canvas.width / 2, y: canvas.height / 2 };
}
