// The frame that is open: loaded, edited, saved. Leaving it saves what waits.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { SaveStatus } from "../data/autosave.ts";
import { FrameSession } from "../data/frame-session.ts";
import { asError } from "../ui/use-remote.ts";

export interface OpenFrame {
  readonly session: FrameSession | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
  readonly status: SaveStatus;
  retry(): void;
  /** Draws the screen again after the session changed by itself. */
  refresh(): void;
}

export function useOpenFrame(id: string | null): OpenFrame {
  const [session, setSession] = useState<FrameSession | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const [, redraw] = useState(0);
  const refresh = useRef(() => redraw((value) => value + 1)).current;
  useEffect(() => {
    if (id === null) return;
    let isCurrent = true;
    let opened: FrameSession | null = null;
    const open = async (): Promise<void> => {
      try {
        const frame = await api.frame(id);
        if (!isCurrent) return;
        opened = new FrameSession(frame, { onStatus: refresh });
        setSession(opened);
      } catch (cause) {
        if (isCurrent) setError(asError(cause));
      }
      if (isCurrent) setLoading(false);
    };
    setLoading(true);
    setError(null);
    void open();
    return () => {
      isCurrent = false;
      void opened?.flush();
    };
  }, [id, round]);
  return {
    session: id === null ? null : session,
    error,
    isLoading,
    status: session?.status ?? "saved",
    retry: () => setRound((value) => value + 1),
    refresh,
  };
}
