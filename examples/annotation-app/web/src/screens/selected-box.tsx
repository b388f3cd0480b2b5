import type { JSX } from "preact";
import { percent } from "../data/format.ts";
import type { BoxEditor } from "../editor/box-editor.ts";

/** Place, confidence and note of the selected box. Its height stays the same when nothing is selected. */
export function SelectedBox({ editor }: { readonly editor: BoxEditor }): JSX.Element {
  const box = editor.selected;
  const saveNote = (text: string): void => {
    if (box) editor.patch(box.id, { note: text.trim() === "" ? null : text.trim() });
  };
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
        <div>
          <dt>score</dt>
          <dd>{box && box.confidence !== null ? percent(box.confidence) : "–"}</dd>
        </div>
      </dl>
      <label class="stacked">
        <span>Note, stored encrypted</span>
        <textarea
          class="field"
          rows={2}
          maxLength={500}
          placeholder={box ? "Anything the next reviewer should know" : "Select a box"}
          disabled={!box || !editor.canEdit}
          defaultValue={box?.note ?? ""}
          onChange={(event) => saveNote(event.currentTarget.value)}
        />
      </label>
    </section>
  );
}
