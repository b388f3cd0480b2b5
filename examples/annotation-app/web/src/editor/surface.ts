// What the gestures need of the editor. An interface of its own keeps pointer handling apart from commands.
import type { BoxDocument } from "./box-document.ts";
import type { BoxLayer } from "./box-layer.ts";
import type { Stage } from "./stage.ts";

export interface Surface {
  readonly stage: Stage;
  readonly document: BoxDocument;
  readonly layer: BoxLayer;
  readonly canEdit: boolean;
  readonly isDrawTool: boolean;
  /** Completes the gesture and says what it did. */
  complete(): void;
  focusSelected(): void;
}
