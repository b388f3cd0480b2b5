import type { JSX } from "preact";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/states.tsx";

interface NoFrameProps {
  readonly reason: "loading" | "filtered" | "empty";
  readonly canEdit: boolean;
  readonly onBrowse: () => void;
}

/** The place of canvas and inspector while there is no frame; everything else stands where it will be. */
export function NoFrame({ reason, canEdit, onBrowse }: NoFrameProps): JSX.Element {
  return (
    <>
      <section class="pane pane-canvas" aria-label="Canvas" aria-busy={reason === "loading"}>
        <div class="toolbar" />
        <div class="canvas">
          <div class={reason === "loading" ? "overlay is-loading" : "overlay"}>
            {reason === "loading" && <span class="spinner is-large" />}
            {reason === "filtered" && (
              <Empty icon="frames" title="Nothing to show">
                <p>No frame matches the filter.</p>
              </Empty>
            )}
            {reason === "empty" && <Invitation canEdit={canEdit} onBrowse={onBrowse} />}
          </div>
        </div>
        <div class="status-bar" />
      </section>
      <aside class="pane pane-inspector" />
    </>
  );
}

function Invitation({ canEdit, onBrowse }: Omit<NoFrameProps, "reason">): JSX.Element {
  if (!canEdit) {
    return (
      <Empty icon="frames" title="No frames yet">
        <p>An annotator adds the first ones.</p>
      </Empty>
    );
  }
  return (
    <Empty icon="upload" title="Drop photographs or clips here">
      <p>
        JPEG, PNG, WebP and MP4. Position and camera data are removed, then everything is encrypted.
      </p>
      <Button kind="primary" icon="upload" onClick={onBrowse}>
        Choose files
      </Button>
    </Empty>
  );
}
