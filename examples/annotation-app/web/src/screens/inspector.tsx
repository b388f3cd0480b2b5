import type { JSX } from "preact";
import type { FrameDetail } from "../data/contract.ts";
import { counted, dayAndTime } from "../data/format.ts";
import type { BoxEditor } from "../editor/box-editor.ts";
import { Button } from "../ui/button.tsx";
import { BoxList } from "./box-list.tsx";
import { LabelPicker } from "./label-picker.tsx";
import { SelectedBox } from "./selected-box.tsx";

interface InspectorProps {
  readonly frame: FrameDetail;
  readonly editor: BoxEditor;
  readonly labels: readonly string[];
  readonly isReviewed: boolean;
  readonly onReviewed: () => void;
}

export function Inspector({
  frame,
  editor,
  labels,
  isReviewed,
  onReviewed,
}: InspectorProps): JSX.Element {
  return (
    <div class="inspector">
      <FrameFacts frame={frame} />
      <Button
        kind={isReviewed ? "plain" : "primary"}
        icon="check"
        disabled={!editor.canEdit}
        isPressed={isReviewed}
        onClick={onReviewed}
        testId="reviewed"
      >
        {isReviewed ? "Reviewed" : "Mark as reviewed"}
      </Button>
      <LabelPicker editor={editor} labels={labels} />
      <BoxList editor={editor} labels={labels} />
      <SelectedBox editor={editor} key={editor.selected?.id ?? "none"} />
    </div>
  );
}

function FrameFacts({ frame }: { readonly frame: FrameDetail }): JSX.Element {
  const facts = [
    ["Captured", dayAndTime(frame.capturedAt)],
    ["Detector", `found ${counted(frame.detections.length, "box", "boxes")}`],
    ...Object.entries(frame.metadata),
  ] as const;
  return (
    <section aria-label="Frame">
      <h2 class="frame-title" title={frame.name}>
        {frame.name}
      </h2>
      <p class="hint frame-place">
        {frame.camera} · {frame.width} × {frame.height}
      </p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt title={name}>{name}</dt>
            <dd title={value}>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
