import type { JSX } from "preact";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import type { EditorHandle } from "./use-editor.ts";
import type { OpenFrame } from "./use-open-frame.ts";

interface PictureOverlayProps {
  readonly open: OpenFrame;
  readonly handle: EditorHandle;
}

/** Over the canvas while there is no picture: decrypting, or not possible. */
export function PictureOverlay({ open, handle }: PictureOverlayProps): JSX.Element | null {
  const { picture, editor } = handle;
  if (open.error) return null;
  if (picture === "failed" && open.session) {
    return (
      <div class="overlay" role="alert">
        <Icon name="alert" />
        <p class="state-title">The picture did not open</p>
        <p>It is missing, or its stored bytes fail authentication. The boxes are safe.</p>
        <Button onClick={() => editor?.stage.reload()}>Try again</Button>
      </div>
    );
  }
  if (open.isLoading || picture === "loading") {
    return (
      <div class="overlay is-loading" aria-label="Decrypting the picture">
        <span class="spinner is-large" />
      </div>
    );
  }
  return null;
}
