// Live progress of a rotation by Server-Sent Events. EventSource reconnects by itself; the server sends the whole
// state first, so that a page which was away sees the truth.
import type { RotationState } from "./contract.ts";

const RECONNECT_MS = 3_000;

/** Calls `onState` until the returned function is called. `onLink` tells whether the stream is connected. */
export function followRotation(
  onState: (state: RotationState) => void,
  onLink: (isConnected: boolean) => void,
): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout>;
  const connect = (): void => {
    source = new EventSource("/api/rotation/events");
    source.addEventListener("open", () => onLink(true));
    source.addEventListener("error", () => {
      onLink(false);
      // After an answer that is no stream (a restart, a proxy's error page) it gives up for good.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, RECONNECT_MS);
    });
    source.addEventListener("rotation", (event: MessageEvent<string>) => {
      onState(JSON.parse(event.data) as RotationState);
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
