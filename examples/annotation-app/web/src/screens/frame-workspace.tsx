// One frame in work: canvas with its toolbar and status, and the inspector.
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { FrameSummary } from "../data/contract.ts";
import type { FrameSession } from "../data/frame-session.ts";
import type { Boxes } from "../editor/box.ts";
import { announce, notify } from "../ui/announcer.tsx";
import { CanvasStatus } from "./canvas-status.tsx";
import { ConflictDialog } from "./conflict-dialog.tsx";
import { EditorToolbar } from "./editor-toolbar.tsx";
import { HelpSheet } from "./help-sheet.tsx";
import { Inspector } from "./inspector.tsx";
import { PictureOverlay } from "./picture-overlay.tsx";
import { type EditorHandle, useEditor } from "./use-editor.ts";
import { focusPane, useKeyboard } from "./use-keyboard.ts";
import { type OpenFrame, useOpenFrame } from "./use-open-frame.ts";
import { neighbour, nextUnreviewed } from "./walk.ts";

interface FrameWorkspaceProps {
  readonly id: string;
  readonly frames: readonly FrameSummary[];
  readonly labels: readonly string[];
  readonly userName: string;
  readonly canEdit: boolean;
  readonly onOpen: (id: string) => void;
  readonly onPatch: (id: string, fields: Partial<FrameSummary>) => void;
}

export function FrameWorkspace(props: FrameWorkspaceProps): JSX.Element {
  const { id, frames, labels, canEdit, onPatch } = props;
  const host = useRef<HTMLDivElement>(null);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const open = useOpenFrame(id);
  const { session } = open;
  const onChange = (of: FrameSession, boxes: Boxes): void => {
    of.setBoxes(boxes);
    onPatch(of.frame.id, { boxCount: boxes.length });
  };
  const handle = useEditor({ host, labels, canEdit, session, onChange });
  const editor = open.isReady ? handle.editor : null;
  const walk = walkCommands(props);
  const toggleReviewed = (): void => toggle(open, canEdit, onPatch);
  useKeyboard(editor, {
    ...walk,
    "toggle-reviewed": toggleReviewed,
    "next-pane": () => focusPane(1),
    "previous-pane": () => focusPane(-1),
    help: () => setHelpOpen(true),
  });
  return (
    <>
      <section class="pane pane-canvas" data-pane aria-label="Canvas">
        <EditorToolbar
          editor={editor}
          canEdit={canEdit}
          scale={handle.editor?.stage.viewport.scale ?? null}
          position={positionOf(frames, id)}
          onPrevious={walk["previous-frame"]}
          onNext={walk["next-frame"]}
          onNextUnreviewed={walk["next-unreviewed"]}
          onHelp={() => setHelpOpen(true)}
        />
        <div class="canvas" data-testid="canvas">
          <div class="canvas-host" ref={host} />
          <PictureOverlay open={open} handle={handle} />
        </div>
        <CanvasStatus open={open} canEdit={canEdit} editor={editor} />
      </section>
      <InspectorPane open={open} handle={handle} labels={labels} onReviewed={toggleReviewed} />
      {open.isReady && session?.conflict && (
        <ConflictDialog
          session={session}
          userName={props.userName}
          onResolved={(boxes) => handle.editor?.replaceAll(boxes)}
        />
      )}
      {isHelpOpen && <HelpSheet onClose={() => setHelpOpen(false)} />}
    </>
  );
}

interface InspectorPaneProps {
  readonly open: OpenFrame;
  readonly handle: EditorHandle;
  readonly labels: readonly string[];
  readonly onReviewed: () => void;
}

/** While the next frame loads, the one before stays, but takes no clicks: they would change the wrong frame. */
function InspectorPane({ open, handle, labels, onReviewed }: InspectorPaneProps): JSX.Element {
  const { session, error, isReady } = open;
  const { editor } = handle;
  return (
    <aside class="pane pane-inspector" data-pane aria-label="Inspector" inert={!isReady}>
      {session && editor && !error && (
        <Inspector
          frame={session.frame}
          editor={editor}
          labels={labels}
          isReviewed={session.isReviewed}
          onReviewed={onReviewed}
        />
      )}
    </aside>
  );
}

function positionOf(frames: readonly FrameSummary[], id: string): string {
  const at = frames.findIndex((frame) => frame.id === id);
  return at < 0 ? `– / ${frames.length}` : `${at + 1} / ${frames.length}`;
}

function walkCommands({
  id,
  frames,
  onOpen,
}: FrameWorkspaceProps): Record<"previous-frame" | "next-frame" | "next-unreviewed", () => void> {
  const openOr = (next: FrameSummary | undefined, otherwise: string) => {
    if (next) onOpen(next.id);
    else notify(otherwise);
  };
  return {
    "previous-frame": () => openOr(neighbour(frames, id, -1), "This is the first frame"),
    "next-frame": () => openOr(neighbour(frames, id, 1), "This is the last frame"),
    "next-unreviewed": () =>
      openOr(nextUnreviewed(frames, id), "Every frame in the list is reviewed"),
  };
}

function toggle(open: OpenFrame, canEdit: boolean, onPatch: FrameWorkspaceProps["onPatch"]): void {
  const { session, isReady } = open;
  if (!session || !isReady || !canEdit) return;
  const isReviewed = !session.isReviewed;
  session.setReviewed(isReviewed);
  onPatch(session.frame.id, { isReviewed });
  announce(isReviewed ? "Reviewed" : "Not reviewed");
  open.refresh();
}
