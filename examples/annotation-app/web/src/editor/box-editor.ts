// The box editor: one SVG element over one image. It joins document, stage, layer and gestures, carries out
// commands, and knows neither the server nor the page around it.
import { BoxDocument } from "./box-document.ts";
import { BoxLayer } from "./box-layer.ts";
import type { Box, Boxes, Size } from "./box.ts";
import { DetectionLayer } from "./detection-layer.ts";
import { placeNew } from "./clipboard.ts";
import { Gestures } from "./gestures.ts";
import type { Command, SimpleCommand } from "./keyboard-map.ts";
import { spokenHelp, spokenPlace } from "./spoken.ts";
import { Stage, type PictureState } from "./stage.ts";
import type { Surface } from "./surface.ts";

export interface EditorEvents {
  /** After each completed gesture, undo and redo: the boxes that are to be saved. */
  onChange(boxes: Boxes): void;
  /** Anything that the page shows around the canvas may have changed: selection, preview, zoom, history, tool. */
  onUpdate(): void;
  /** A sentence for the live region. */
  onAnnounce(sentence: string): void;
  onPicture(state: PictureState): void;
}

export interface EditedFrame {
  readonly imageUrl: string;
  readonly image: Size;
  readonly boxes: Boxes;
  /** What a detector found, to be shown for comparison; never edited. */
  readonly detections?: Boxes;
}

export interface EditorOptions {
  readonly labels: readonly string[];
  readonly canEdit: boolean;
  readonly events: EditorEvents;
}

const ZOOM_STEP = 1.25;
const PAN_STEP_PX = 40;

export class BoxEditor implements Surface {
  readonly #options: EditorOptions;
  readonly layer: BoxLayer;
  readonly stage: Stage;
  readonly document: BoxDocument;
  readonly #gestures: Gestures;
  readonly #detections: DetectionLayer;
  #isDrawTool = false;

  constructor(host: HTMLElement, options: EditorOptions) {
    const { labels, events } = options;
    this.#options = options;
    const hueOf = (label: string): number => labels.indexOf(label);
    this.#detections = new DetectionLayer(hueOf);
    this.layer = new BoxLayer(hueOf, this.#detections.element);
    this.document = new BoxDocument(labels[0] ?? "", {
      onPaint: () => this.#paint(),
      onChange: (boxes) => events.onChange(boxes),
    });
    this.stage = new Stage(host, this.layer.element, {
      onView: (view) => {
        this.layer.showAtScale(view.scale);
        events.onUpdate();
      },
      onPicture: (state) => events.onPicture(state),
    });
    this.element.setAttribute("aria-label", spokenHelp(options.canEdit));
    this.#gestures = new Gestures(this);
    this.element.addEventListener("focusin", this.#onFocus);
  }

  destroy(): void {
    this.releaseArrow();
    this.stage.destroy();
  }

  /** Shows another frame; its history starts anew. A step of an arrow key that is still down is kept. */
  load(frame: EditedFrame): void {
    this.releaseArrow();
    this.#gestures.cancel();
    this.document.load(frame.boxes, frame.image);
    this.#detections.load(frame.detections ?? []);
    this.stage.show(frame.imageUrl, frame.image);
  }

  get element(): SVGSVGElement {
    return this.stage.element;
  }

  get boxes(): Boxes {
    return this.document.boxes;
  }

  get selected(): Box | null {
    return this.document.selected;
  }

  get canEdit(): boolean {
    return this.#options.canEdit;
  }

  get label(): string {
    return this.document.label;
  }

  get canUndo(): boolean {
    return this.document.canUndo;
  }

  get canRedo(): boolean {
    return this.document.canRedo;
  }

  get isDrawTool(): boolean {
    return this.#isDrawTool;
  }

  get showsDetections(): boolean {
    return this.#detections.isShown;
  }

  select(id: string | null): void {
    this.document.select(id);
  }

  /** Selects and moves the keyboard focus there, as a list beside the canvas wants it. */
  focusBox(id: string): void {
    this.select(id);
    this.focusSelected();
  }

  focusSelected(): void {
    if (this.selected) this.layer.focus(this.selected.id);
    else this.element.focus({ preventScroll: true });
  }

  set isSpaceDown(isDown: boolean) {
    this.#gestures.isSpaceDown = isDown;
  }

  complete(): void {
    const changed = this.document.complete();
    if (changed) this.#announce(spokenPlace(changed));
  }

  /** Shows other boxes, as after a merge with what another person saved. It can be undone. */
  replaceAll(boxes: Boxes): void {
    this.document.change(() => boxes);
  }

  /** The note of a box as it is typed. */
  typeNote(id: string, note: string | null): void {
    if (this.canEdit) this.document.typeNote(id, note);
  }

  /** The label of the next box, and of the selected one. */
  setLabel(label: string): void {
    if (!this.canEdit) return;
    this.document.label = label;
    if (this.selected) this.document.setLabelOf(this.selected.id, label);
    this.#announce(this.selected ? `Labelled ${label}` : `New boxes: ${label}`);
    this.#options.events.onUpdate();
  }

  setDrawTool(isOn: boolean): void {
    this.#isDrawTool = isOn && this.canEdit;
    this.stage.cursor("crosshair");
    this.#options.events.onUpdate();
  }

  /** Carries a command out. Returns false when it means nothing here, so that the key stays the browser's. */
  run(command: Command): boolean {
    switch (command.kind) {
      case "nudge":
      case "resize":
        return this.#arrow(command.kind, command.dx, command.dy);
      case "label": {
        const label = this.#options.labels[command.index];
        if (label === undefined || !this.canEdit) return false;
        this.setLabel(label);
        return true;
      }
      default: {
        const action = this.#actions[command.kind];
        if (!action || (!this.canEdit && EDITING.has(command.kind))) return false;
        action();
        return true;
      }
    }
  }

  /** Held arrow keys are one gesture, which ends when the key comes up. */
  releaseArrow(): void {
    if (!this.#gestures.isActive) this.complete();
  }

  readonly #actions: Partial<Record<SimpleCommand, () => void>> = {
    escape: () => this.#escape(),
    "zoom-in": () => this.stage.zoom(ZOOM_STEP),
    "zoom-out": () => this.stage.zoom(1 / ZOOM_STEP),
    "zoom-fit": () => this.stage.fit(),
    copy: () => this.document.copy() && this.#announce("Copied"),
    paste: () => this.#added(this.document.paste()),
    duplicate: () => this.#added(this.document.duplicate()),
    "new-box": () => this.#addInView(),
    "draw-tool": () => this.setDrawTool(!this.#isDrawTool),
    delete: () => this.#delete(),
    detections: () => this.#toggleDetections(),
    undo: () => this.#travel("undo"),
    redo: () => this.#travel("redo"),
  };

  #arrow(kind: "nudge" | "resize", dx: number, dy: number): boolean {
    if (!this.selected) {
      if (kind === "resize") return false;
      this.stage.pan(-Math.sign(dx) * PAN_STEP_PX, -Math.sign(dy) * PAN_STEP_PX);
      return true;
    }
    if (!this.canEdit || this.#gestures.isActive) return true;
    if (kind === "nudge") this.document.nudge(dx, dy);
    else this.document.grow(dx, dy);
    return true;
  }

  #addInView(): void {
    const { viewport, canvas, image } = this.stage;
    const box = placeNew(viewport, canvas, image, this.label);
    this.#added(this.document.add([box]));
  }

  #added(box: Box | null): void {
    if (!box) return;
    this.focusSelected();
    this.#announce(`New box. ${spokenPlace(box)}`);
  }

  #delete(): void {
    const box = this.document.removeSelected();
    if (!box) return;
    this.element.focus({ preventScroll: true });
    this.#announce(`Deleted ${box.label} box`);
  }

  #travel(direction: "undo" | "redo"): void {
    this.#gestures.cancel();
    if (!this.document[direction]()) return;
    this.focusSelected();
    this.#announce(direction === "undo" ? "Undone" : "Redone");
  }

  #toggleDetections(): void {
    this.#detections.isShown = !this.#detections.isShown;
    this.#announce(this.#detections.isShown ? "Detector shown" : "Detector hidden");
    this.#options.events.onUpdate();
  }

  #escape(): void {
    if (this.#gestures.isActive || this.document.isInGesture) {
      this.#gestures.cancel();
      this.document.cancel();
    } else if (this.#isDrawTool) {
      this.setDrawTool(false);
    } else {
      this.select(null);
      this.element.focus({ preventScroll: true });
    }
  }

  #announce(sentence: string): void {
    this.#options.events.onAnnounce(sentence);
  }

  #paint(): void {
    this.layer.sync(this.boxes, this.selected, this.canEdit);
    this.#options.events.onUpdate();
  }

  readonly #onFocus = (event: FocusEvent): void => {
    const box = event.target instanceof Element ? event.target.closest<SVGElement>(".box") : null;
    if (box?.dataset.id !== undefined) this.select(box.dataset.id);
  };
}

const EDITING: ReadonlySet<SimpleCommand> = new Set([
  "paste",
  "duplicate",
  "new-box",
  "draw-tool",
  "delete",
  "undo",
  "redo",
]);
