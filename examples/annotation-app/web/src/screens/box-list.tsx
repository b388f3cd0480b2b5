import type { JSX } from "preact";
import type { BoxEditor } from "../editor/box-editor.ts";
import { VirtualList } from "../ui/virtual-list.tsx";

const ROW_HEIGHT = 32;

interface BoxListProps {
  readonly editor: BoxEditor;
  readonly labels: readonly string[];
}

export function BoxList({ editor, labels }: BoxListProps): JSX.Element {
  const selectedId = editor.selected?.id;
  return (
    <section class="box-list" aria-label="Boxes">
      <h3>
        Boxes <span class="heading-count">{editor.boxes.length}</span>
      </h3>
      {editor.boxes.length === 0 ? (
        <p class="hint">
          {editor.canEdit ? (
            <>
              Drag on the image to draw the first box, or press <kbd>N</kbd>.
            </>
          ) : (
            "Nobody has drawn a box yet."
          )}
        </p>
      ) : (
        <VirtualList
          items={editor.boxes}
          rowHeight={ROW_HEIGHT}
          name="Boxes"
          selectedIndex={editor.boxes.findIndex((box) => box.id === selectedId)}
          row={(box, index) => (
            <div role="listitem" key={box.id}>
              <button
                type="button"
                class="box-row"
                data-hue={labels.indexOf(box.label)}
                aria-pressed={box.id === selectedId}
                onClick={() => editor.focusBox(box.id)}
              >
                <span class="hue-dot" />
                <span class="box-number">{index + 1}</span>
                <span class="box-label">{box.label}</span>
                <span class="box-size">
                  {box.width} × {box.height}
                </span>
              </button>
            </div>
          )}
        />
      )}
    </section>
  );
}
