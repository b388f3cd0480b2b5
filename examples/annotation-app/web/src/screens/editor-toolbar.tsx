import type { JSX } from "preact";
import { percent } from "../data/format.ts";
import type { BoxEditor } from "../editor/box-editor.ts";
import type { SimpleCommand } from "../editor/keyboard-map.ts";
import { IconButton } from "../ui/button.tsx";
import type { IconName } from "../ui/icon.tsx";

interface EditorToolbarProps {
  /** Null while no frame is on screen that commands could mean: the tools stay where they are, idle. */
  readonly editor: BoxEditor | null;
  readonly canEdit: boolean;
  readonly scale: number | null;
  readonly onPrevious: () => void;
  readonly onNext: () => void;
  readonly onNextUnreviewed: () => void;
  readonly onHelp: () => void;
  readonly position: string;
}

export function EditorToolbar(props: EditorToolbarProps): JSX.Element {
  const { editor, canEdit, position } = props;
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
      {canEdit && <EditingTools editor={editor} />}
      <div class="toolbar-group is-end">
        <IconButton
          icon="eye"
          name="Original detections"
          keys="O"
          disabled={!editor}
          isPressed={editor?.showsDetections ?? false}
          onClick={() => editor?.run({ kind: "detections" })}
        />
        <ZoomTools editor={editor} scale={props.scale} />
        <IconButton icon="help" name="Keyboard shortcuts" keys="?" onClick={props.onHelp} />
      </div>
    </div>
  );
}

interface Tool {
  readonly command: SimpleCommand;
  readonly icon: IconName;
  readonly name: string;
  readonly keys: string;
}

const BOX_TOOLS: readonly Tool[] = [
  { command: "draw-tool", icon: "draw", name: "Draw tool", keys: "B" },
  { command: "new-box", icon: "plus", name: "New box", keys: "N" },
  { command: "delete", icon: "trash", name: "Delete box", keys: "Del" },
];

const HISTORY_TOOLS: readonly Tool[] = [
  { command: "undo", icon: "undo", name: "Undo", keys: "Ctrl+Z" },
  { command: "redo", icon: "redo", name: "Redo", keys: "Ctrl+Shift+Z" },
];

type ToolsProps = Pick<EditorToolbarProps, "editor">;

function EditingTools({ editor }: ToolsProps): JSX.Element {
  const isIdle: Partial<Record<SimpleCommand, boolean>> = {
    delete: !editor?.selected,
    undo: !editor?.canUndo,
    redo: !editor?.canRedo,
  };
  return (
    <>
      {[BOX_TOOLS, HISTORY_TOOLS].map((tools) => (
        <div key={tools[0]?.command} class="toolbar-group">
          {tools.map(({ command, icon, name, keys }) => (
            <IconButton
              key={command}
              icon={icon}
              name={name}
              keys={keys}
              disabled={!editor || (isIdle[command] ?? false)}
              {...(command === "draw-tool" ? { isPressed: editor?.isDrawTool ?? false } : {})}
              onClick={() => editor?.run({ kind: command })}
            />
          ))}
        </div>
      ))}
    </>
  );
}

function ZoomTools({ editor, scale }: Pick<EditorToolbarProps, "editor" | "scale">): JSX.Element {
  const run = (kind: "zoom-in" | "zoom-out" | "zoom-fit") => () => {
    editor?.run({ kind });
  };
  const isIdle = { disabled: !editor };
  return (
    <>
      <IconButton icon="minus" name="Zoom out" keys="-" onClick={run("zoom-out")} {...isIdle} />
      <span class="zoom" data-testid="zoom">
        {scale === null ? "–" : percent(scale)}
      </span>
      <IconButton icon="plus" name="Zoom in" keys="+" onClick={run("zoom-in")} {...isIdle} />
      <IconButton icon="fit" name="Fit" keys="0" onClick={run("zoom-fit")} {...isIdle} />
    </>
  );
}
