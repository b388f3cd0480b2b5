import type { JSX } from "preact";
import type { BoxEditor } from "../editor/box-editor.ts";
import { IconButton } from "../ui/button.tsx";

interface EditorToolbarProps {
  readonly editor: BoxEditor | null;
  readonly onPrevious: () => void;
  readonly onNext: () => void;
  readonly onNextUnreviewed: () => void;
  readonly onHelp: () => void;
  readonly position: string;
}

export function EditorToolbar(props: EditorToolbarProps): JSX.Element {
  const { editor, position } = props;
  const run =
    (kind: "undo" | "redo" | "new-box" | "delete" | "zoom-in" | "zoom-out" | "zoom-fit") => () => {
      editor?.run({ kind });
    };
  const canEdit = editor?.canEdit ?? false;
  return (
    <div class="toolbar" role="toolbar" aria-label="Frame">
      <div class="toolbar-group">
        <IconButton icon="left" name="Previous frame" keys="D" onClick={props.onPrevious} />
        <span class="position" data-testid="position">
          {position}
        </span>
        <IconButton icon="right" name="Next frame" keys="F" onClick={props.onNext} />
        <IconButton
          icon="skip"
          name="Next frame not reviewed"
          keys="G"
          onClick={props.onNextUnreviewed}
        />
      </div>
      {canEdit && (
        <div class="toolbar-group">
          <IconButton
            icon="draw"
            name="Draw tool"
            keys="B"
            isPressed={editor?.isDrawTool ?? false}
            onClick={() => editor?.setDrawTool(!editor.isDrawTool)}
          />
          <IconButton icon="plus" name="New box" keys="N" onClick={run("new-box")} />
          <IconButton
            icon="trash"
            name="Delete box"
            keys="Del"
            disabled={!editor?.selected}
            onClick={run("delete")}
          />
        </div>
      )}
      {canEdit && (
        <div class="toolbar-group">
          <IconButton
            icon="undo"
            name="Undo"
            keys="Ctrl+Z"
            disabled={!editor?.canUndo}
            onClick={run("undo")}
          />
          <IconButton
            icon="redo"
            name="Redo"
            keys="Ctrl+Shift+Z"
            disabled={!editor?.canRedo}
            onClick={run("redo")}
          />
        </div>
      )}
      <div class="toolbar-group is-end">
        <IconButton icon="minus" name="Zoom out" keys="-" onClick={run("zoom-out")} />
        <span class="zoom" data-testid="zoom">
          {editor ? `${Math.round(editor.stage.viewport.scale * 100)} %` : "–"}
        </span>
        <IconButton icon="plus" name="Zoom in" keys="+" onClick={run("zoom-in")} />
        <IconButton icon="fit" name="Fit" keys="0" onClick={run("zoom-fit")} />
        <IconButton icon="help" name="Keyboard shortcuts" keys="?" onClick={props.onHelp} />
      </div>
    </div>
  );
}
