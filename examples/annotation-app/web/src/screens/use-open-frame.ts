// The frame that is open: loaded, edited, saved. Leaving it saves what waits; coming back to one that still waits
// goes on with it.
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../data/api.ts";
import type { SaveStatus } from "../data/autosave.ts";
import { FrameSession, unsavedFrame } from "../data/frame-session.ts";
import { asError } from "../ui/use-remote.ts";

export interface OpenFrame {
  /** The frame on screen; while another one loads, still the one before. */
  readonly session: FrameSession | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
  /** The frame on screen is the one that was asked for: only then commands mean it. */
  readonly isReady: boolean;
  readonly status: SaveStatus;
  retry(): void;
  /** Draws the screen again after the session changed by itself. */
  refresh(): void;
}

export function useOpenFrame(id: string): OpenFrame {
  const [session, setSession] = useState<FrameSession | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const [, redraw] = useState(0);
  const refresh = useRef(() => redraw((value) => value + 1)).current;
  useEffect(() => {
    let isCurrent = true;
    let opened: FrameSession | null = null;
    const open = async (): Promise<void> => {
      try {
        opened = unsavedFrame(id) ?? new FrameSession(await api.frame(id));
        if (!isCurrent) return;
        opened.onStatus = refresh;
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
    session,
    error,
    isLoading,
    isReady: !isLoading && error === null && session?.frame.id === id,
    status: session?.status ?? "saved",
    retry: () => setRound((value) => value + 1),
    refresh,
  };
}
