import type { JSX } from "preact";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Failed } from "../ui/states.tsx";
import type { EditorHandle } from "./use-editor.ts";
import type { OpenFrame } from "./use-open-frame.ts";

interface PictureOverlayProps {
  readonly open: OpenFrame;
  readonly handle: EditorHandle;
}

/** Over the canvas while there is nothing to draw on: the frame or its picture is on its way, or does not open. */
export function PictureOverlay({ open, handle }: PictureOverlayProps): JSX.Element | null {
  const { picture, editor } = handle;
  if (open.error) {
    return (
      <div class="overlay">
        <Failed title="The frame did not open" error={open.error} onRetry={open.retry} />
      </div>
    );
  }
  if (picture === "failed" && open.isReady) {
    return (
      <div class="overlay">
        <div class="state is-failed" role="alert">
          <span class="state-icon">
            <Icon name="shield" />
          </span>
          <p class="state-title">The picture did not open</p>
          <p class="state-text">
            It is missing, or its stored bytes fail authentication. The boxes are safe.
          </p>
          <Button icon="refresh" onClick={() => editor?.stage.reload()}>
            Try again
          </Button>
        </div>
      </div>
    );
  }
  if (!open.isReady || picture === "loading") {
    return (
      <div class="overlay is-loading" role="status" aria-label="Decrypting the picture">
        <span class="spinner is-large" />
      </div>
    );
  }
  return null;
}
