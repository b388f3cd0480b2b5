// Joins the editor, which is no component, to the screen: made once per set of labels, told about each frame, and
// listened to at the pace of the display.
import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { FrameSession } from "../data/frame-session.ts";
import { api } from "../data/api.ts";
import { BoxEditor } from "../editor/box-editor.ts";
import type { PictureState } from "../editor/stage.ts";
import type { Boxes } from "../editor/box.ts";
import { announce } from "../ui/announcer.tsx";

interface UseEditorOptions {
  readonly host: RefObject<HTMLElement | null>;
  readonly labels: readonly string[];
  readonly canEdit: boolean;
  readonly session: FrameSession | null;
  readonly onChange: (session: FrameSession, boxes: Boxes) => void;
}

export interface EditorHandle {
  readonly editor: BoxEditor | null;
  readonly picture: PictureState;
}

export function useEditor({
  host,
  labels,
  canEdit,
  session,
  onChange,
}: UseEditorOptions): EditorHandle {
  const [editor, setEditor] = useState<BoxEditor | null>(null);
  const [picture, setPicture] = useState<PictureState>("loading");
  const redraw = useRedraw();
  const changed = useRef(onChange);
  changed.current = onChange;
  // The frame that the editor holds, which is not yet the one of this rendering while another is being put in.
  const held = useRef<FrameSession | null>(null);
  // Before the screen is painted: there must be no moment at which a frame's name stands over another's picture.
  useLayoutEffect(() => {
    if (!host.current) return;
    const made = new BoxEditor(host.current, {
      labels,
      canEdit,
      events: {
        onChange: (boxes) => held.current && changed.current(held.current, boxes),
        onUpdate: redraw,
        onAnnounce: announce,
        onPicture: setPicture,
      },
    });
    setEditor(made);
    return () => made.destroy();
  }, [labels, canEdit]);
  useLayoutEffect(() => {
    if (!editor || !session) return;
    const { id, width, height, detections } = session.frame;
    editor.load({
      imageUrl: api.imageUrl(id),
      image: { width, height },
      boxes: session.boxes,
      detections,
    });
    held.current = session;
  }, [editor, session]);
  return { editor, picture };
}

/** Asks for a rendering, at most one per frame of the display: a drag sends more events than that. */
function useRedraw(): () => void {
  const [, setTurn] = useState(0);
  const pending = useRef(0);
  return useRef(() => {
    if (pending.current !== 0) return;
    pending.current = requestAnimationFrame(() => {
      pending.current = 0;
      setTurn((turn) => turn + 1);
    });
  }).current;
}
