// Edits that the server does not have, wherever one is in the application: a frame that was left may still wait for
// the network, or for an answer after a conflict.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { counted } from "../data/format.ts";
import { type FrameSession, unsavedFrames, watchUnsavedFrames } from "../data/frame-session.ts";
import { linkTo } from "../route.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";

function useUnsavedFrames(): readonly FrameSession[] {
  const [frames, setFrames] = useState(unsavedFrames);
  useEffect(() => watchUnsavedFrames(() => setFrames(unsavedFrames())), []);
  return frames;
}

/** Shown when saving does not go on by itself; leads to the frame. */
export function UnsavedBadge({ openId }: { readonly openId: string | null }): JSX.Element | null {
  const stuck = useUnsavedFrames().filter(
    ({ frame, status }) =>
      frame.id !== openId && ["offline", "conflict", "refused"].includes(status),
  );
  const [first] = stuck;
  if (!first) return null;
  return (
    <a class="unsaved" href={linkTo("frames", first.frame.id)} data-testid="unsaved">
      <Icon name="alert" />
      {counted(stuck.length, "frame")} not saved
    </a>
  );
}

interface LeavingDialogProps {
  readonly onStay: () => void;
  readonly onDiscard: () => void;
}

/** Signing out would lose edits: they would otherwise be saved in the name of whoever signs in next. */
export function LeavingDialog({ onStay, onDiscard }: LeavingDialogProps): JSX.Element {
  const frames = useUnsavedFrames();
  return (
    <Dialog
      title="Some edits are not saved"
      onClose={onStay}
      actions={
        <>
          <Button kind="danger" onClick={onDiscard} testId="discard">
            Discard and sign out
          </Button>
          <Button kind="primary" isInitial onClick={onStay}>
            Stay
          </Button>
        </>
      }
    >
      <p>The server does not have your latest edits of:</p>
      <ul class="unsaved-list">
        {frames.map(({ frame }) => (
          <li key={frame.id}>{frame.name}</li>
        ))}
      </ul>
      <p class="hint">Stay to go on trying, or to answer the question that waits there.</p>
    </Dialog>
  );
}
