import type { JSX } from "preact";
import { percent } from "../data/format.ts";
import type { BoxEditor } from "../editor/box-editor.ts";
import type { SimpleCommand } from "../editor/keyboard-map.ts";
import { IconButton } from "../ui/button.tsx";
import type { IconName } from "../ui/icon.tsx";

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
      {editor?.canEdit && <EditingTools editor={editor} />}
      <div class="toolbar-group is-end">
        {editor && <ZoomTools editor={editor} />}
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

interface ToolsProps {
  readonly editor: BoxEditor;
}

function EditingTools({ editor }: ToolsProps): JSX.Element {
  const isIdle: Partial<Record<SimpleCommand, boolean>> = {
    delete: !editor.selected,
    undo: !editor.canUndo,
    redo: !editor.canRedo,
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
              disabled={isIdle[command] ?? false}
              {...(command === "draw-tool" ? { isPressed: editor.isDrawTool } : {})}
              onClick={() => editor.run({ kind: command })}
            />
          ))}
        </div>
      ))}
    </>
  );
}

function ZoomTools({ editor }: ToolsProps): JSX.Element {
  const run = (kind: "zoom-in" | "zoom-out" | "zoom-fit") => () => {
    editor.run({ kind });
  };
  return (
    <>
      <IconButton icon="minus" name="Zoom out" keys="-" onClick={run("zoom-out")} />
      <span class="zoom" data-testid="zoom">
        {percent(editor.stage.viewport.scale)}
      </span>
      <IconButton icon="plus" name="Zoom in" keys="+" onClick={run("zoom-in")} />
      <IconButton icon="fit" name="Fit" keys="0" onClick={run("zoom-fit")} />
    </>
  );
}
