import type { JSX } from "preact";
import { dayAndTime, counted } from "../data/format.ts";
import type { FrameSession } from "../data/frame-session.ts";
import type { Boxes } from "../editor/box.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";

interface ConflictDialogProps {
  readonly session: FrameSession;
  readonly onResolved: (boxes: Boxes) => void;
}

/** Somebody else saved this frame meanwhile. The question stays until it is answered: nothing is saved before. */
export function ConflictDialog({ session, onResolved }: ConflictDialogProps): JSX.Element | null {
  const { conflict } = session;
  if (!conflict) return null;
  const { savedBy, savedAt, current } = conflict;
  return (
    <Dialog
      title="This frame changed elsewhere"
      actions={
        <>
          <Button onClick={() => onResolved(session.reload())} testId="conflict-reload">
            Discard mine, show theirs
          </Button>
          <Button
            kind="primary"
            isInitial
            onClick={() => onResolved(session.merge())}
            testId="conflict-merge"
          >
            Merge both
          </Button>
        </>
      }
    >
      <p>
        <strong>{savedBy}</strong> saved it on {dayAndTime(savedAt)}, with{" "}
        {counted(current.boxes.length, "box", "boxes")}. You have{" "}
        {counted(session.boxes.length, "box", "boxes")} on screen, and nothing of yours is lost yet.
      </p>
      <p class="hint">
        Merging keeps every box that either of you added or changed. Where both changed the same
        box, yours stays.
      </p>
    </Dialog>
  );
}
