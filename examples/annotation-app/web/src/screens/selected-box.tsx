import type { JSX } from "preact";
import { percent } from "../data/format.ts";
import type { BoxEditor } from "../editor/box-editor.ts";

/** Place, confidence and note of the selected box. Its height stays the same when nothing is selected. */
export function SelectedBox({ editor }: { readonly editor: BoxEditor }): JSX.Element {
  const box = editor.selected;
  return (
    <section class="selected-box" aria-label="Selected box">
      <h3>Selected box</h3>
      <dl class="numbers">
        {(["x", "y", "width", "height"] as const).map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-testid={`box-${name}`}>{box ? box[name] : "–"}</dd>
          </div>
        ))}
        <div title="Of the detector; none for a box that a person drew">
          <dt>score</dt>
          <dd>{box && box.confidence !== null ? percent(box.confidence) : "–"}</dd>
        </div>
      </dl>
      <label class="stacked">
        <span>Note, stored encrypted</span>
        <textarea
          // Browsers keep what stands in fields on disk to restore a session, and send it away to check spelling.
          autocomplete="off"
          spellcheck={false}
          class="field"
          rows={2}
          maxLength={500}
          placeholder={placeholderOf(editor)}
          disabled={!box || !editor.canEdit}
          value={box?.note ?? ""}
          onKeyDown={(event) => {
            // Back to the box, where the keys of the canvas work again.
            if (event.key === "Escape" && !event.isComposing) editor.focusSelected();
          }}
          onInput={(event) => {
            const text = event.currentTarget.value;
            if (box) editor.typeNote(box.id, text.trim() === "" ? null : text);
          }}
        />
      </label>
    </section>
  );
}

function placeholderOf(editor: BoxEditor): string {
  if (!editor.selected) return "Select a box";
  return editor.canEdit ? "For the next reviewer" : "No note";
}
