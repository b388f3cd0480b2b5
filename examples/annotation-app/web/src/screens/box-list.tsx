import type { JSX } from "preact";
import type { BoxEditor } from "../editor/box-editor.ts";
import type { Box } from "../editor/box.ts";
import { VirtualList } from "../ui/virtual-list.tsx";

const ROW_HEIGHT = 26;

interface BoxListProps {
  readonly editor: BoxEditor;
  readonly labels: readonly string[];
}

export function BoxList({ editor, labels }: BoxListProps): JSX.Element {
  const selectedId = editor.selected?.id;
  return (
    <section
      class="box-list"
      aria-label="Boxes"
      style={{ "--first-rows": Math.min(Math.max(editor.boxes.length, 2), 4) }}
    >
      <h3>
        Boxes <span class="heading-count">{editor.boxes.length}</span>
      </h3>
      {editor.boxes.length === 0 ? (
        <NoBoxes canEdit={editor.canEdit} />
      ) : (
        <VirtualList
          items={editor.boxes}
          rowHeight={ROW_HEIGHT}
          name="Boxes"
          selectedIndex={editor.boxes.findIndex((box) => box.id === selectedId)}
          row={(box, index) => (
            <BoxRow
              key={box.id}
              box={box}
              number={index + 1}
              hue={labels.indexOf(box.label)}
              isSelected={box.id === selectedId}
              onChoose={() => editor.focusBox(box.id)}
            />
          )}
        />
      )}
    </section>
  );
}

function NoBoxes({ canEdit }: { readonly canEdit: boolean }): JSX.Element {
  if (!canEdit) return <p class="hint">Nobody has drawn a box yet.</p>;
  return (
    <p class="hint">
      Drag on the image to draw the first box, or press <kbd>N</kbd>.
    </p>
  );
}

interface BoxRowProps {
  readonly box: Box;
  readonly number: number;
  readonly hue: number;
  readonly isSelected: boolean;
  readonly onChoose: () => void;
}

function BoxRow({ box, number, hue, isSelected, onChoose }: BoxRowProps): JSX.Element {
  return (
    <div role="listitem">
      <button
        type="button"
        class="box-row"
        data-hue={hue}
        aria-pressed={isSelected}
        onClick={onChoose}
      >
        <span class="hue-dot" />
        <span class="box-number">{number}</span>
        <span class="box-label">{box.label}</span>
        <span class="box-size">
          {box.width} × {box.height}
        </span>
      </button>
    </div>
  );
}
