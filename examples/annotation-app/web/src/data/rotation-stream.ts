// Live progress of a rotation by Server-Sent Events. EventSource reconnects by itself; the server sends the whole
// state first, so that a page which was away sees the truth.
import type { RotationState } from "./contract.ts";

/** Calls `onState` until the returned function is called. `onLink` tells whether the stream is connected. */
export function followRotation(
  onState: (state: RotationState) => void,
  onLink: (isConnected: boolean) => void,
): () => void {
  const source = new EventSource("/api/rotation/events");
  source.addEventListener("open", () => onLink(true));
  source.addEventListener("error", () => onLink(false));
  source.addEventListener("rotation", (event: MessageEvent<string>) => {
    onState(JSON.parse(event.data) as RotationState);
  });
  return () => source.close();
}
