import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icon.tsx";

interface DropTargetProps {
  /** Null for a viewer: a dropped file is not opened by the browser in place of this page, and not added either. */
  readonly onFiles: ((files: readonly File[]) => void) | null;
}

/** Shown over everything while files hover over the page. */
export function DropTarget({ onFiles }: DropTargetProps): JSX.Element | null {
  const isOver = useFileDrop(onFiles);
  if (!isOver) return null;
  return (
    <div class="drop-target">
      <div>
        <Icon name="upload" />
        <p class="state-title">Drop to add</p>
        <p>JPEG, PNG, WebP up to 20 MB · MP4 up to 200 MB</p>
      </div>
    </div>
  );
}

/** Files may be dropped anywhere on the page. Returns whether some hover over it that would be taken. */
function useFileDrop(onFiles: DropTargetProps["onFiles"]): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const listening = new AbortController();
    const { signal } = listening;
    // A thumbnail that is dragged counts as a file for the browser; only what comes from outside is meant.
    let isFromHere = false;
    const holdsFiles = (event: DragEvent): boolean =>
      !isFromHere && event.dataTransfer?.types.includes("Files") === true;
    const onDrag = (event: DragEvent): void => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(latest.current !== null);
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent): void => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(false);
      latest.current?.([...(event.dataTransfer?.files ?? [])]);
    };
    const onOwnDrag = (event: DragEvent): void => {
      isFromHere = event.type === "dragstart";
    };
    addEventListener("dragstart", onOwnDrag, { signal });
    addEventListener("dragend", onOwnDrag, { signal });
    addEventListener("dragover", onDrag, { signal });
    addEventListener("dragleave", onLeave, { signal });
    addEventListener("drop", onDrop, { signal });
    return () => listening.abort();
  }, []);
  return isOver;
}
