import type { JSX } from "preact";
import { dayAndTime, counted } from "../data/format.ts";
import type { FrameSession } from "../data/frame-session.ts";
import type { Boxes } from "../editor/box.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";

interface ConflictDialogProps {
  readonly session: FrameSession;
  /** Who is signed in: often the other one is the same person in another window. */
  readonly userName: string;
  readonly onResolved: (boxes: Boxes) => void;
}

/** Somebody else saved this frame meanwhile. The question stays until it is answered: nothing is saved before. */
export function ConflictDialog(props: ConflictDialogProps): JSX.Element | null {
  const { session, userName, onResolved } = props;
  const { conflict } = session;
  if (!conflict) return null;
  const { savedBy, savedAt, current } = conflict;
  const isSamePerson = savedBy === userName;
  return (
    <Dialog
      title="This frame changed elsewhere"
      actions={
        <>
          <Button onClick={() => onResolved(session.reload())} testId="conflict-reload">
            {isSamePerson ? "Discard these, show those" : "Discard mine, show theirs"}
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
        <strong>{isSamePerson ? "You" : savedBy}</strong> saved it{" "}
        {isSamePerson && "in another window "}on {dayAndTime(savedAt)}, with{" "}
        {counted(current.boxes.length, "box", "boxes")}. This window has{" "}
        {counted(session.boxes.length, "box", "boxes")}, and nothing in it is lost yet.
      </p>
      <p class="hint">
        Merging keeps every box that was added or changed on either side. Where both changed the
        same box, the one here stays.
      </p>
    </Dialog>
  );
}
