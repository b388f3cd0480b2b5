import type { JSX } from "preact";
import type { BoxEditor } from "../editor/box-editor.ts";

interface LabelPickerProps {
  readonly editor: BoxEditor;
  readonly labels: readonly string[];
}

/** The labels with their keys and how often the frame has them. */
export function LabelPicker({ editor, labels }: LabelPickerProps): JSX.Element {
  const current = editor.selected?.label ?? (editor.canEdit ? editor.label : null);
  const counts = new Map<string, number>();
  for (const { label } of editor.boxes) counts.set(label, (counts.get(label) ?? 0) + 1);
  return (
    <section class="label-picker" aria-label="Labels">
      <h3>{heading(editor)}</h3>
      <div class="labels" role="group">
        {labels.map((label, index) => (
          <button
            key={label}
            type="button"
            class="label-chip"
            data-hue={index}
            title={label}
            aria-pressed={label === current}
            disabled={!editor.canEdit}
            onClick={() => editor.setLabel(label)}
          >
            <kbd class="label-key">{index < 9 && editor.canEdit ? index + 1 : ""}</kbd>
            <span class="label-name">{label}</span>
            <span class="label-count">{counts.get(label) ?? ""}</span>
          </button>
        ))}
      </div>
    </section>
  );
}

function heading(editor: BoxEditor): string {
  if (!editor.canEdit) return "Labels";
  return editor.selected ? "Label of the box" : "Label of the next box";
}
