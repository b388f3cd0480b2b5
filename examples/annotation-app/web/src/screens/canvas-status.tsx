import type { JSX } from "preact";
import type { BoxEditor } from "../editor/box-editor.ts";
import { Icon } from "../ui/icon.tsx";
import { SaveBadge } from "./save-badge.tsx";
import type { OpenFrame } from "./use-open-frame.ts";

interface CanvasStatusProps {
  readonly open: OpenFrame;
  readonly canEdit: boolean;
  /** Null while no frame is on screen that commands could mean. */
  readonly editor: BoxEditor | null;
}

/** The line below the canvas: whether everything is saved, and how one draws. */
export function CanvasStatus({ open, canEdit, editor }: CanvasStatusProps): JSX.Element {
  const { session, status, error } = open;
  const isStuck = status === "offline" || status === "refused";
  return (
    <div class="status-bar">
      {!canEdit && (
        <span class="save-badge">
          <Icon name="eye" /> Read only
        </span>
      )}
      {canEdit && session && !error && <SaveBadge status={status} />}
      {status === "refused" && <span class="status-problem">{session?.refusal}</span>}
      {isStuck && (
        <button type="button" class="link" onClick={() => void session?.flush()}>
          Save now
        </button>
      )}
      <span class="status-fill" />
      <span class="status-hint">{hintOf(editor)}</span>
      {session && !error && <span>Version {session.version}</span>}
    </div>
  );
}

function hintOf(editor: BoxEditor | null): string {
  if (!editor) return "";
  if (!editor.canEdit) return "Drag to pan, wheel to zoom";
  if (editor.isDrawTool) return "Draw tool on: drag draws, even on top of a box";
  return editor.selected
    ? "Drag to move, click again for the box below"
    : "Drag to draw, Space-drag to pan, wheel to zoom";
}
